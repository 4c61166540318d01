"""What a confined process does: run calls, run a whole program, serve a program to tests, or run tests.

A role is made from its payload and file descriptors before the process is confined, and then taken. What it tells goes
through the last of them, a socket: messages of ``plain.dump``.

- ``Calls`` tells ``["value", output]`` a call, or how it failed and ends.
- ``Whole`` runs a program on standard input and output and ends with its exit status.
- ``Serve`` and ``Tests`` are the two sides of code that tests a function. They are two processes, each in a worker of
  its own: the program's side has no way to the tests' memory, and the verdict is the tests' side's to tell.
- ``Together`` runs ``unittest`` classes and the program in one process (see ``inside.together``).
"""

import atexit
import os
import socket
import sys
import types
from collections.abc import Callable
from typing import Any

from prm_scaling.verify.inside import remote
from prm_scaling.verify.inside.channel import Channel
from prm_scaling.verify.inside.plain import MOST_TABLE_BYTES, Unplain, encode

# Exit statuses of whole programs.
RAISED, OUT_OF_MEMORY = 1, 77
# What LeetCode has imported for its users, whose classes name it in their signatures.
LEETCODE = """
import bisect, collections, functools, heapq, itertools, math, operator, random, re, string, sys
from bisect import *
from collections import *
from functools import *
from heapq import *
from itertools import *
from math import *
from typing import *
from math import pow, inf, gcd
"""


def failure(error: BaseException) -> list:
    """How a program failed, as a message."""
    if isinstance(error, MemoryError):
        return ["memory", ""]
    if isinstance(error, Unplain):
        return ["refused", str(error)]
    return ["error", type(error).__name__[:80]]


def load(source: str, name: str, prelude: str = "") -> dict[str, Any]:
    """The names that a program defines."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    names = module.__dict__
    if prelude:
        exec(prelude, names)
    exec(compile(source, f"{name}.py", "exec"), names)
    return names


def find(names: dict[str, Any], path: str) -> Callable:
    """A function, or a method of a class that is made without arguments."""
    first, _, method = path.partition(".")
    return getattr(names[first](), method) if method else names[first]


def calls(payload: dict, descriptors: list[int]) -> Callable[[], None]:
    """One function called again and again: ``source``, ``function``, ``calls`` (lists of arguments)."""
    channel = Channel(socket.socket(fileno=descriptors[-1]))

    def take() -> None:
        try:
            prelude = LEETCODE if "." in payload["function"] else ""
            names = load(payload["source"], "solution", prelude)
            for args in payload["calls"]:
                # Found anew for each call: a method's object may remember.
                output = encode(find(names, payload["function"])(*args))
                channel.send(["value", output])
        except BaseException as error:  # noqa: BLE001 - whatever a program raises, SystemExit too, is its verdict
            channel.send(failure(error))
        os._exit(0)

    return take


def whole(payload: dict, descriptors: list[int]) -> Callable[[], None]:
    """A whole program on standard input and output: ``source``."""
    stdin, stdout = descriptors

    def take() -> None:
        os.dup2(stdin, 0)
        os.dup2(stdout, 1)
        os.close(stdin)
        os.close(stdout)
        status = 0
        try:
            load(payload["source"], "__main__")
        except SystemExit as leave:
            if leave.code is not None:
                status = leave.code if isinstance(leave.code, int) else RAISED
        except MemoryError:
            status = OUT_OF_MEMORY
        except BaseException:  # noqa: BLE001 - as above
            status = RAISED
        try:
            # Not imported here: its hooks would make every fork slower. Only a program that has it has threads.
            threading = sys.modules.get("threading")
            if threading is not None:
                threading._shutdown()
            # Some programs write all of their output there.
            atexit._run_exitfuncs()
            sys.stdout.flush()
        except BaseException:  # noqa: BLE001 - as above
            status = status or RAISED
        os._exit(status & 0xFF)

    return take


def serve(payload: dict, descriptors: list[int]) -> Callable[[], None]:
    """A program at the service of tests elsewhere: ``source``."""
    channel = Channel(socket.socket(fileno=descriptors[-1]), MOST_TABLE_BYTES)

    def take() -> None:
        try:
            names = load(payload["source"], "solution")
        except BaseException as error:  # noqa: BLE001 - as above
            channel.send(failure(error))
            os._exit(0)
        remote.serve(channel, names)
        os._exit(0)

    return take


def tests(payload: dict, descriptors: list[int]) -> Callable[[], None]:
    """Tests of a program elsewhere: ``entry``, ``tests``, ``names`` and ``modules`` in them, ``check``, ``seconds``."""
    program, verdict = (socket.socket(fileno=descriptor) for descriptor in descriptors)
    channel = Channel(program, MOST_TABLE_BYTES)

    def take() -> None:
        Channel(verdict).send(remote.run_tests(channel, payload))
        os._exit(0)

    return take


def unittests(payload: dict, descriptors: list[int]) -> Callable[[], None]:
    """Classes of ``unittest`` beside the program: ``program``, ``source``."""
    channel = Channel(socket.socket(fileno=descriptors[-1]))
    # Only here: it imports much that makes every fork slower. No program finds it by name.
    sys.path.insert(0, str(__file__).removesuffix(__name__.replace(".", "/") + ".py"))
    from prm_scaling.verify.inside.together import together

    sys.path.pop(0)
    for name in [name for name in sys.modules if name.partition(".")[0] == "prm_scaling"]:
        del sys.modules[name]

    def take() -> None:
        channel.send(together(payload))
        os._exit(0)

    return take


ROLES: dict[str, Callable[[dict, list[int]], Callable[[], None]]] = {
    "calls": calls,
    "whole": whole,
    "serve": serve,
    "tests": tests,
    "unittests": unittests,
}
