"""Workers at the host's end: one program after another on each, several at a time."""

import json
import marshal
import os
import queue
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from prm_scaling.verify.inside import worker as inside
from prm_scaling.verify.inside.channel import Channel, Gone
from prm_scaling.verify.inside.plain import Unplain
from prm_scaling.verify.sandbox import Sandbox, SandboxError, WorkerProcess

T = TypeVar("T")
R = TypeVar("R")
# Seconds that a worker may take to end a program's processes.
PATIENCE = 30.0


class WorkerDied(ConnectionError):
    """A worker ended, or answers no more."""


@dataclass(frozen=True)
class Ended:
    """How a program's process ended.

    Attributes:
        status: its exit status, negative for a signal.
        memory: whether its processes together took more memory than they may.
    """

    status: int
    memory: bool

    def outcome(self) -> Literal["memory", "timeout", "error"]:
        """For a program that ended without a word."""
        if self.memory:
            return "memory"
        return "timeout" if self.status == -signal.SIGXCPU else "error"


class Worker:
    """A worker process that is started when it is first needed, and anew when a program left something behind."""

    def __init__(self, sandbox: Sandbox, preload: Sequence[str], packages: bool) -> None:
        self.sandbox = sandbox
        self.preload = tuple(preload)
        self.packages = packages
        self.process: WorkerProcess | None = None

    def start(self, role: str, payload: dict, seconds: float, megabytes: int, descriptors: Sequence[int]) -> None:
        """Start a program: ``seconds`` of processor time at most; the clock is the caller's."""
        if self.process is None:
            self._open()
        assert self.process is not None
        job = {"role": role, "seconds": seconds, "megabytes": megabytes}
        with memory_file(marshal.dumps(payload)) as file:
            try:
                inside.send(self.process.control, job, [file, *descriptors])
            except OSError as error:
                raise self._died() from error

    def finish(self, wait: bool) -> Ended:
        """End the program with all of its processes; ``wait`` if it may end by itself first."""
        assert self.process is not None
        try:
            self.process.control.settimeout(PATIENCE)
            inside.send(self.process.control, {"wait": wait})
            told = inside.receive(self.process.control)[0]
            self.process.control.settimeout(None)
        except OSError as error:
            raise self._died() from error
        if not told:
            raise self._died()
        answer = json.loads(told)
        if not answer["clean"]:
            self.close()
        return Ended(os.waitstatus_to_exitcode(answer["status"]), answer["memory"])

    def close(self) -> None:
        """End the worker."""
        if self.process is not None:
            self.process.close()
            self.process = None

    def _died(self) -> WorkerDied:
        self.close()
        return WorkerDied("the sandbox's worker ended")

    def _open(self) -> None:
        """Start the worker process; if not even a trivial program runs, no verdict on another would mean anything."""
        self.process = WorkerProcess(self.sandbox.mode, self.preload, self.packages)
        payload = {"source": "def f(x): return x if bytearray(1 << 22) else 0", "function": "f", "calls": [[1]]}
        with channel() as (ours, theirs):
            self.start("calls", payload, 10.0, self.sandbox.megabytes, [theirs.fileno()])
            theirs.close()
            try:
                told = Channel(ours).receive()
            except (Gone, Unplain):
                told = None
            ended = self.finish(wait=True)
        if told != ["value", 1]:
            self.close()
            megabytes = self.sandbox.megabytes
            raise SandboxError(f"no program can run within {megabytes} MB here: {told} {ended}; raise the limit")


class Lane:
    """The workers that run one program at a time: one for programs, and one for tests where these are code."""

    def __init__(self, sandbox: Sandbox, preload: Sequence[str]) -> None:
        bubblewrap = sandbox.mode == "bubblewrap"
        self.sandbox = sandbox
        self.programs = Worker(sandbox, preload if bubblewrap else (), packages=bubblewrap)
        self.tests = Worker(sandbox, preload, packages=True)

    def close(self) -> None:
        """End the workers."""
        self.programs.close()
        self.tests.close()


def run_lanes(work: Callable[[Lane, T], R], items: Sequence[T], sandbox: Sandbox, preload: Sequence[str]) -> list[R]:
    """``work`` on each item, in order, ``sandbox.workers`` at a time."""
    lanes = [Lane(sandbox, preload) for _ in range(max(1, min(sandbox.workers, len(items))))]
    try:
        if len(lanes) == 1:
            return [work(lanes[0], item) for item in items]
        free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        for lane in lanes:
            free.put(lane)

        def on_free_lane(item: T) -> R:
            lane = free.get()
            try:
                return work(lane, item)
            finally:
                free.put(lane)

        with ThreadPoolExecutor(len(lanes)) as threads:
            futures = [threads.submit(on_free_lane, item) for item in items]
            try:
                return [future.result() for future in futures]
            finally:
                for future in futures:
                    future.cancel()
    finally:
        for lane in lanes:
            lane.close()


@contextmanager
def channel() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a fresh channel; what is left of them is closed."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


@contextmanager
def memory_file(data: bytes) -> Iterator[int]:
    """A file descriptor from which ``data`` can be read, in no folder."""
    if not hasattr(os, "memfd_create"):  # macOS
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.seek(0)
            yield file.fileno()
        return
    descriptor = os.memfd_create("data")
    try:
        with suppress(BlockingIOError), open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


def message_of(line: Channel, deadline: float) -> tuple[str, Any, Any]:
    """The next message of a program: its kind and what it tells. Whatever comes that is none is "refused".

    Raises:
        TimeoutError: there is none by then.
        Gone: the program has ended.
    """
    try:
        message = line.receive(deadline)
    except Unplain as error:
        return "refused", str(error), ""
    if isinstance(message, list) and len(message) in (2, 3) and isinstance(message[0], str):
        return message[0], message[1], message[-1]
    return "refused", "no message", ""
