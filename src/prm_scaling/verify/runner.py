"""The sandbox's runner: reads programs on standard input, forks a limited child for each.

It runs isolated from the package (``python -I -S -c``), so it imports the standard library alone.

A child takes limits on time, memory, files and processes, and an audit hook that denies whatever
reaches out of it. Where it can it gives up the superuser, whom RLIMIT_NPROC does not bind. That stops
what sampled programs do by accident or imitation; an attack on the interpreter itself needs a container
around the whole.
"""

import importlib
import json
import os
import resource
import select
import signal
import sys
import time

NOBODY = 65534
# Loaded before the fork: what programs like to import.
COMMON = ("bisect", "collections", "functools", "heapq", "itertools", "math", "operator", "random", "re", "string")
# Events by which Python code acts on files, processes or the network; importing lists folders.
OUTSIDE = ("os.", "shutil.", "subprocess.", "socket.", "ctypes.", "resource.", "fcntl.", "pty.", "sqlite3.")
HARMLESS = {"os.listdir", "os.scandir"}
# Modules whose functions act without an event.
SILENT = {"_ctypes", "_posixsubprocess", "_posixshmem", "_dbm", "_gdbm"}
MOST_OUTPUT = 60_000
VERDICTS = ("ran", "error", "memory")
LIBRARY = tuple(path + os.sep for path in sys.path)


def guard(event: str, args: tuple) -> None:
    """An audit hook: the standard library may be read and imported, nothing else is within reach."""
    if event == "open":
        path, _, flags = args
        allowed = type(path) is str and os.path.normpath(path).startswith(LIBRARY) and flags in (0, os.O_CLOEXEC)
    elif event == "import":
        module, file = args[:2]
        allowed = SILENT.isdisjoint((module, os.path.basename(file or "").partition(".")[0]))
    else:
        allowed = event in HARMLESS or not event.startswith(OUTSIDE)
    if not allowed:
        raise PermissionError(event)


def droppable() -> bool:
    """Whether this is the superuser, and who it would become could still import the standard library."""
    if os.geteuid() != 0:
        return False
    try:
        os.seteuid(NOBODY)
    except OSError:  # a container that has no other user
        return False
    readable = os.access(os.__file__, os.R_OK, effective_ids=True)
    os.seteuid(0)
    return readable


def confine(seconds: float, megabytes: int, drop: bool) -> None:
    """Limits of this process, which nothing that it starts can raise again."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)
    whole = max(1, int(seconds) + 1)
    resource.setrlimit(resource.RLIMIT_CPU, (whole, whole))
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    if drop:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    sys.addaudithook(guard)


def child(write: int, program: dict, seconds: float, megabytes: int, drop: bool) -> None:
    """Runs one program and writes ``[verdict, outputs]`` to the pipe; never returns."""
    try:
        verdict, outputs = "error", []
        try:
            confine(seconds, megabytes, drop)
            names: dict = {"__name__": "solution"}
            exec(compile(program["source"], "solution", "exec"), names)
            outputs = [json.dumps(names["f"](*json.loads(call))) for call in program["calls"]]
            verdict = "ran" if sum(map(len, outputs)) < MOST_OUTPUT else "error"
        except MemoryError:
            verdict = "memory"
        except BaseException:  # noqa: BLE001 - whatever a program raises, SystemExit too, is its verdict
            verdict = "error"
        os.write(write, json.dumps([verdict, outputs if verdict == "ran" else []]).encode())
    finally:
        os._exit(0)


def run(program: dict, seconds: float, megabytes: int, drop: bool) -> list:
    """The verdict on one program, in a child that is killed when its time is up."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.close(read)
        child(write, program, seconds, megabytes, drop)
    os.close(write)
    payload, deadline, verdict = b"", time.monotonic() + seconds, "timeout"
    while select.select([read], [], [], max(0.0, deadline - time.monotonic()))[0]:
        piece = os.read(read, 65536)
        if not piece or len(payload) > 2 * MOST_OUTPUT:
            verdict = "error"  # unless it told its own before it ended
            break
        payload += piece
    os.close(read)
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    # What came through the pipe may be the program's own: nothing about it is taken for granted.
    try:
        told, outputs = json.loads(payload)
        if told in VERDICTS and all(type(output) is str for output in outputs):
            return [told, outputs]
    except (ValueError, TypeError, RecursionError):
        pass
    return [verdict, []]


if __name__ == "__main__":
    wall, most, may_drop = float(sys.argv[1]), int(sys.argv[2]), droppable()
    for name in COMMON:
        importlib.import_module(name)
    # If even this does not run, no verdict on another program would mean anything.
    trial = run({"source": "def f(x): return x", "calls": ["[1]"]}, max(10.0, wall), most, may_drop)
    if trial != ["ran", ["1"]]:
        sys.exit(f"no program can run within {most} MB here: {trial}")
    sys.stdout.write(json.dumps([run(program, wall, most, may_drop) for program in json.load(sys.stdin)]))
