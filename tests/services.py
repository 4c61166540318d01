"""Real servers on this machine for tests: what they need, a free port, a process that ends with its test."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

SBIN = f"{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/sbin"


def absent(what: str) -> None:
    """Skip the test, or fail it where PRM_TEST_SERVICES=1 says that services are there."""
    if os.environ.get("PRM_TEST_SERVICES"):
        pytest.fail(f"{what} is not installed, and PRM_TEST_SERVICES says that it is")
    pytest.skip(f"{what} is not installed")


def program(name: str) -> str:
    """The path of an installed program, also of a daemon's."""
    return shutil.which(name, path=SBIN) or absent(name)


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until(true: Callable[[], bool], what: str, seconds: float = 300) -> None:
    """Wait until something is true; fail with ``what`` after so many seconds, enough for a machine that is busy."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.1)


def listens(port: int) -> bool:
    """Whether somebody listens on a port."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def end_all_in(folder: Path) -> None:
    """Kill every process that works in a folder, such as what a node that was called down goes on with."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile, or is another user's
            if (process / "cwd").resolve().is_relative_to(folder):
                os.kill(int(process.name), signal.SIGKILL)


@contextmanager
def server(command: list[str], port: int, log: Path) -> Iterator[int]:
    """A server that runs in the foreground, while the block does; the port that it listens on."""
    with log.open("w") as words:
        process = subprocess.Popen(command, stdout=words, stderr=words)
    try:
        wait_until(lambda: process.poll() is not None or listens(port), f"{command[0]}: {log.read_text()}")
        assert process.poll() is None, log.read_text()
        yield port
    finally:
        process.terminate()
        process.wait(timeout=20)
