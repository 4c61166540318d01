"""What a program's process gives up before it runs: limits that nothing it starts can raise again, and more.

In bubblewrap's worker the namespaces do the rest. Without it ("process") an audit hook denies whatever reaches out of
the process: that stops what sampled programs do by accident or imitation; an attack on the interpreter itself it does
not stop.
"""

import os
import resource
import sys
from collections.abc import Callable

NOBODY = 65534
# Events by which Python code acts on files, processes or the network; importing lists folders.
OUTSIDE = ("os.", "shutil.", "subprocess.", "socket.", "ctypes.", "resource.", "fcntl.", "pty.", "sqlite3.")
HARMLESS = {"os.listdir", "os.scandir"}
# Modules whose functions act without an event.
SILENT = {"_ctypes", "_posixsubprocess", "_posixshmem", "_dbm", "_gdbm"}
# What one file, and all of them, may hold; bubblewrap's /tmp has the second as its size.
FILE_MEGABYTES = 16
TMP_MEGABYTES = 64


def guard(library: tuple[str, ...]) -> Callable[[str, tuple], None]:
    """An audit hook: what lies under ``library`` may be read and imported, nothing else is within reach."""

    def hook(event: str, args: tuple) -> None:
        if event == "open":
            path, _, flags = args
            allowed = type(path) is str and os.path.normpath(path).startswith(library) and flags in (0, os.O_CLOEXEC)
        elif event == "import":
            module, file = args[:2]
            allowed = SILENT.isdisjoint((module, os.path.basename(file or "").partition(".")[0]))
        else:
            allowed = event in HARMLESS or not event.startswith(OUTSIDE)
        if not allowed:
            raise PermissionError(event)

    return hook


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


def limit(seconds: float, megabytes: int, processes: int, files: int, file_megabytes: int) -> None:
    """This process's resource limits; ``seconds`` of processor time, as a second line behind the worker's clock."""
    whole = max(1, int(seconds) + 1)
    # The soft limit's signal tells a timeout from other ends.
    resource.setrlimit(resource.RLIMIT_CPU, (whole, whole + 1))
    for what, most in (
        (resource.RLIMIT_AS, megabytes << 20),
        (resource.RLIMIT_FSIZE, file_megabytes << 20),
        (resource.RLIMIT_NOFILE, files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, processes),
    ):
        resource.setrlimit(what, (most, most))


def silence() -> None:
    """Standard input, output and error lead nowhere."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.close(null)


def confine_process(seconds: float, megabytes: int, drop: bool) -> None:
    """The weaker mode: no processes, no files, no network, by limits and an audit hook."""
    limit(seconds, megabytes, processes=0, files=16, file_megabytes=0)
    if drop:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    sys.addaudithook(guard(tuple(path + os.sep for path in sys.path if path)))


def confine_bubblewrap(seconds: float, megabytes: int) -> None:
    """Within the namespaces: limits per process; the worker watches over all of them together."""
    limit(seconds, megabytes, processes=64, files=64, file_megabytes=FILE_MEGABYTES)
