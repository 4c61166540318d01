"""The sandbox's worker: forks a process for each program, and ends all that is left of it.

It runs isolated (``python -I -S``) and imports nothing but the standard library and its neighbours. It never runs a
program itself, so no program finds what another left behind. What to run comes with each job in a file of its own, so
no program finds another's in this process's memory; as ``marshal``, which takes a fresh process the least time to read.

One job is: ``{"role", "seconds", "megabytes"}`` and file descriptors in; then ``{"wait"}`` in, whether it
may end by itself, and ``{"status", "memory", "clean"}`` out, when no process of the program is left.
"""

import contextlib
import gc
import importlib
import json
import marshal
import os
import select
import signal
import socket
import sys
import time
import types
from collections.abc import Sequence

from prm_scaling.verify.inside import roles
from prm_scaling.verify.inside.confine import confine_bubblewrap, confine_process, droppable, silence
from prm_scaling.verify.inside.plain import dump, encode

# Loaded before the fork: what programs like to import, but for `random` and `threading`, whose hooks make a fork slower
# by half.
COMMON = ("bisect", "collections", "functools", "heapq", "itertools", "math", "operator", "re", "string")
# What a program may leave in files and folders before the worker is replaced instead of cleaned.
MOST_LEFTOVERS = 200
# How often the memory of all processes of a program is summed up, in milliseconds.
WATCH = 50
# How long a program that has closed its outputs may take to end, in seconds.
GRACE = 1.0
PR_SET_DUMPABLE, CAPABILITY_VERSION = 4, 0x20080522
WARM = """
class A:
    def f(self, *args, **keywords) -> int:
        return sum(x % 2 for x in [*args, len(f"{self!r}")] if x) if keywords else max(args)
try:
    assert A().f(1, 2, a=3) and not A().f(0)
except (ValueError, TypeError) as error:
    raise SystemExit from error
"""


def main() -> None:
    """Serve jobs that come through a socket until it closes.

    Arguments: settings as JSON (``mode``, ``preload``, ``control``: the socket's file descriptor), the folder that this
    module was imported from, folders of packages.
    """
    settings = json.loads(sys.argv[1])
    sys.path += sys.argv[3:]
    sys.argv = ["solution.py"]
    forget()
    control = socket.socket(fileno=settings["control"])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    bubblewrap = settings["mode"] == "bubblewrap"
    if bubblewrap:
        become(json.loads(receive(control)[0])["user"])
    for name in (*COMMON, *settings["preload"]):
        importlib.import_module(name)
    # What Python sets up at the first program that it compiles, and more, once and not in each process.
    exec(compile(WARM, "warm", "exec"), {})
    dump(encode([1, ("a", 2.5)]))
    if bubblewrap:
        sweep()
    drop = not bubblewrap and droppable()
    # Errors so far are the host's to read; programs have nothing to say there.
    silence()
    gc.collect()
    gc.freeze()
    send(control, {"ready": os.getpid()})
    while True:
        message, descriptors = receive(control)
        if not message:
            break
        job = json.loads(message)
        pid = os.fork()
        if pid == 0:
            try:
                control.close()
                if not bubblewrap:
                    os.setsid()
                for descriptor in descriptors:
                    os.set_inheritable(descriptor, False)
                play(job, descriptors, bubblewrap, drop)
            finally:
                os._exit(1)
        for descriptor in descriptors:
            os.close(descriptor)
        told = oversee(control, pid, job, bubblewrap)
        if told is None:
            break
        send(control, told)


def send(control: socket.socket, message: dict, descriptors: Sequence[int] = ()) -> None:
    """One message, its length before it; the file descriptors go with the length."""
    text = json.dumps(message).encode()
    socket.send_fds(control, [len(text).to_bytes(4, "big")], list(descriptors))
    control.sendall(text)


def receive(control: socket.socket) -> tuple[bytes, list[int]]:
    """One message and the file descriptors that came with it; nothing once the other side has closed."""
    head, descriptors, _, _ = socket.recv_fds(control, 4, 4, socket.MSG_WAITALL)
    return control.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL) if len(head) == 4 else b"", descriptors


def forget() -> None:
    """Let no program find these modules by name."""
    for name in [name for name in sys.modules if name == "__main__" or name.partition(".")[0] == "prm_scaling"]:
        del sys.modules[name]
    sys.modules["__main__"] = types.ModuleType("__main__")


def become(user: int | None) -> None:
    """Give up the superuser for ``user``; let no process of that user look into this one (ptrace, /proc/1/mem).

    In bubblewrap this is process 1 of its namespace: no signal of a program reaches it.
    """
    if os.getpid() != 1:
        raise RuntimeError("not the first process of a namespace")
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    header, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    if libc.capset(header, none) != 0 or libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "capset, prctl")


def play(job: dict, descriptors: list[int], bubblewrap: bool, drop: bool) -> None:
    """In the forked process: read the job's payload, confine, and play its role. Never returns."""
    payload = marshal.loads(os.pread(descriptors[0], os.fstat(descriptors[0]).st_size, 0))
    os.close(descriptors[0])
    take = roles.ROLES[job["role"]](payload, descriptors[1:])
    if bubblewrap:
        confine_bubblewrap(job["seconds"], job["megabytes"])
    else:
        confine_process(job["seconds"], job["megabytes"], drop)
    take()


def oversee(control: socket.socket, pid: int, job: dict, bubblewrap: bool) -> dict | None:
    """Watch a program until it is told to end it; then end all of its processes. ``None``: there is nobody to tell."""
    poller = select.poll()
    poller.register(control, select.POLLIN)
    memory = False
    while not poller.poll(WATCH if bubblewrap and not memory else None):
        if resident() > job["megabytes"] << 20:
            memory = True
            os.kill(-1, signal.SIGKILL)
    order = receive(control)[0]
    if order and json.loads(order)["wait"]:
        await_end(pid)
    status = end_all(pid) if bubblewrap else end_group(pid)
    return {"status": status, "memory": memory, "clean": not bubblewrap or sweep()} if order else None


def await_end(pid: int) -> None:
    """Give a program time to end by itself; that it has is left to be seen."""
    if not hasattr(os, "pidfd_open"):  # macOS
        time.sleep(GRACE / 10)
        return
    handle = os.pidfd_open(pid)
    select.select([handle], [], [], GRACE)
    os.close(handle)


def end_all(pid: int) -> int:
    """Kill every process of this namespace but this one, until none is left; how the program's own ended.

    One call reaches all of them at once: a process that forks meanwhile has its signal before its child is there.
    """
    if os.getpid() != 1:
        raise RuntimeError("not the first process of a namespace")
    status = 0
    while True:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            while True:
                ended, how = os.waitpid(-1, 0)
                if ended == pid:
                    status = how
        except ChildProcessError:
            return status


def end_group(pid: int) -> int:
    """Kill a program's process group, or the process where it has none yet; how it ended."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        os.kill(pid, signal.SIGKILL)
    return os.waitpid(pid, 0)[1]


def resident() -> int:
    """Bytes of memory of all processes of this namespace but this one, files that they read apart."""
    total = 0
    for name in os.listdir("/proc"):
        if name.isdigit() and name != "1":
            with contextlib.suppress(OSError), open(f"/proc/{name}/status") as file:
                for line in file:
                    if line.startswith(("RssAnon:", "RssShmem:")):
                        total += int(line.split()[1]) << 10
    return total


def sweep() -> bool:
    """Remove what a program has left in the places it may write to; whether nothing is left."""
    seen = 0
    for place in ("/tmp", "/dev/shm"):
        if not os.listdir(place):
            continue
        for folder, folders, files in os.walk(place, topdown=True):
            seen += len(folders) + len(files)
            if seen > MOST_LEFTOVERS:
                return False
            try:
                for name in files:
                    os.unlink(os.path.join(folder, name))
            except OSError:
                return False
        for folder, _, _ in os.walk(place, topdown=False):
            if folder != place:
                try:
                    os.rmdir(folder)
                except OSError:
                    return False
        if os.listdir(place):  # links to folders, folders that could not be read
            return False
    return True
