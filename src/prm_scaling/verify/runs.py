"""One program on a lane: calls of its function, or the whole of it on standard input, and what came of it."""

import os
import re
import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

from prm_scaling.verify.inside.channel import Channel, Gone
from prm_scaling.verify.inside.roles import OUT_OF_MEMORY
from prm_scaling.verify.pool import Ended, Lane, WorkerDied, channel, memory_file, message_of

Outcome = Literal["passed", "wrong", "error", "timeout", "memory", "refused"]
OUTCOMES: tuple[Outcome, ...] = ("passed", "wrong", "error", "timeout", "memory", "refused")
# Standard output beyond what is expected, in bytes, before a program is stopped.
MOST_OUTPUT = 16 << 20
# Installed packages that are imported before programs run, where any of them or of the tests imports them.
PRELOADED = ("numpy", "pandas", "scipy", "matplotlib", "matplotlib.pyplot", "sklearn")


@dataclass(frozen=True)
class Verdict:
    """What came of a program.

    Attributes:
        outcome: ``passed``; ``wrong`` (a test failed); ``error`` (it raised or ended); ``timeout``; ``memory``;
            ``refused`` (what it gave is no plain data, or too much of it).
        failing: the first test that it did not pass, ``""`` if none or before the first.
    """

    outcome: Outcome
    failing: str = ""

    @property
    def passed(self) -> bool:
        """Whether all tests passed."""
        return self.outcome == "passed"


def again(work: Callable[[], Verdict]) -> Verdict:
    """``work``, a second time if its worker dies: then it is the program that ends workers."""
    try:
        return work()
    except WorkerDied:
        pass
    try:
        return work()
    except WorkerDied:
        return Verdict("error", "its worker ended")


def call(
    lane: Lane,
    program: str,
    function: str,
    calls: list[list],
    seconds: float,
    agrees: Callable[[Any], bool],
    together: bool = False,
) -> tuple[Outcome, int]:
    """Call a program's function; the outcome, and the call that it fell at.

    Args:
        seconds: that a call may take, or all of them ``together``.
        agrees: is asked of each output, which is encoded (``inside.plain``).
    """
    payload = {"source": program, "function": function, "calls": calls}
    at, wait = 0, True
    whole = seconds if together else seconds * len(calls)
    outcome: Outcome | None = None
    with channel() as (ours, theirs):
        lane.programs.start("calls", payload, whole, lane.sandbox.megabytes, [theirs.fileno()])
        theirs.close()
        line = Channel(ours)
        deadline = time.monotonic() + seconds
        try:
            while outcome is None and at < len(calls):
                told, value, _ = message_of(line, deadline if together else time.monotonic() + seconds)
                if told == "value":
                    try:
                        outcome = None if agrees(value) else "wrong"
                    except (RecursionError, ValueError, TypeError, AttributeError):  # no value that a program encoded
                        outcome = "refused"
                    at += outcome is None
                else:
                    outcome = _known(told)
        except TimeoutError:
            outcome, wait = "timeout", False
        except Gone:
            pass
        ended = lane.programs.finish(wait and outcome is None and at < len(calls))
    if outcome is None and at < len(calls):
        outcome = ended.outcome()
    return (outcome or "passed"), at


def _known(told: str) -> Outcome:
    """The outcome that a program tells of itself: anything but a pass."""
    outcome = outcome_of(told)
    return outcome if outcome in ("error", "memory") else "refused"


def run_whole(lane: Lane, program: str, stdin: str, seconds: float, most: int) -> tuple[Outcome, str]:
    """Run a whole program: how it ended, ``passed`` if well, and what it printed."""
    read, write = os.pipe()
    try:
        try:
            with memory_file(stdin.encode(errors="replace")) as file:
                payload = {"source": program}
                lane.programs.start("whole", payload, seconds, lane.sandbox.megabytes, [file, write])
        finally:
            os.close(write)
        output, deadline = bytearray(), time.monotonic() + seconds
        outcome: Outcome | None = None
        while outcome is None:
            if not select.select([read], [], [], max(0.0, deadline - time.monotonic()))[0]:
                outcome = "timeout"
                break
            piece = os.read(read, 1 << 16)
            if not piece:
                break
            output += piece
            if len(output) > most:
                outcome = "refused"
    finally:
        os.close(read)
    ended = lane.programs.finish(wait=outcome is None)
    if outcome is None:
        outcome = _exit(ended)
    return outcome, output.decode(errors="replace")


def _exit(ended: Ended) -> Outcome:
    if ended.status == 0 and not ended.memory:
        return "passed"
    return "memory" if ended.status == OUT_OF_MEMORY else ended.outcome()


def outcome_of(told: str) -> Outcome:
    """The outcome of that name; what is none is "refused"."""
    for outcome in OUTCOMES:
        if told == outcome:
            return outcome
    return "refused"


def preloads(texts: Sequence[str]) -> list[str]:
    """Modules that take long to import and that these programs or tests do import."""
    wanted = set()
    for text in dict.fromkeys(texts):
        wanted |= set(re.findall(r"^\s*(?:import|from)\s+([\w.]+)", text, re.MULTILINE))
    roots = {name.partition(".")[0] for name in wanted}
    modules = []
    for name in PRELOADED:
        if (name in wanted if "." in name else name in roots) and find_spec(name.partition(".")[0]) is not None:
            modules.append(name)
    return modules
