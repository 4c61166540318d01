"""How model-written programs are kept in: what is configured, and the worker process that is started for it.

``bubblewrap`` gives each worker namespaces of its own (mounts, processes, network, users, ...), a read-only system with
nothing else of the machine in it, a small private /tmp, no capabilities, an unprivileged user and a seccomp filter.
``process`` is the weaker mode: limits and an audit hook, against what sampled programs do by accident or imitation, and
for programs the standard library only. It is never taken unless it is named.
"""

import json
import os
import shutil
import site
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from prm_scaling.verify.inside import worker as inside
from prm_scaling.verify.inside.confine import NOBODY, TMP_MEGABYTES
from prm_scaling.verify.seccomp import seccomp_filter

Mode = Literal["bubblewrap", "process"]
BOOT = "import sys; sys.path.insert(0, sys.argv[2]); from {module} import main; sys.path.pop(0); main()"
WAY_OUT = "`sandbox.mode: process` runs programs without these walls, if they may be trusted that far"
# What an unprivileged user may be called in a namespace of processes of its own; no account has such a number.
FIRST_USER = 1 << 30
# Seconds until a worker is there, slow machines and large imports included.
START = 120.0
ENVIRONMENT = {
    "PATH": "/usr/bin",
    "HOME": "/tmp",
    # Resolved once, and not in each process that is forked.
    "LD_BIND_NOW": "1",
    "LANG": "C.UTF-8",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": "/tmp",
    # One thread: where processes are limited, threads are.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
}


class SandboxError(RuntimeError):
    """Programs cannot be run here as is asked for; the message says why and what to do."""


@dataclass(frozen=True)
class Sandbox:
    """How programs are run.

    Attributes:
        mode: ``bubblewrap``, or ``process``, the weaker one.
        seconds: wall time of one test (calls, standard input) or of a suite's code, if the suite does not say.
        megabytes: address space of each process, and memory of all of a program's processes together.
        workers: how many programs run at a time.
    """

    mode: Mode
    seconds: float
    megabytes: int
    workers: int = 1


def why_not(mode: Mode) -> str | None:
    """Why this machine cannot run programs in a mode; ``None`` if it can. Starts a worker to see."""
    try:
        WorkerProcess(mode).close()
    except SandboxError as error:
        return str(error)
    return None


def available(mode: Mode) -> bool:
    """Whether this machine can run programs in a mode."""
    return why_not(mode) is None


class WorkerProcess:
    """A worker that is ready: its process and the host's end of its control socket.

    Args:
        mode: how it is kept in.
        preload: modules that it imports before programs run.
        packages: whether installed packages may be imported, besides the standard library.

    Raises:
        SandboxError: it does not start.
    """

    def __init__(self, mode: Mode, preload: Sequence[str] = (), packages: bool = True) -> None:
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with ExitStack() as stack:
            stack.enter_context(theirs)
            on_error = stack.enter_context(ExitStack())
            on_error.callback(self.control.close)
            settings = {"mode": mode, "preload": list(preload), "control": theirs.fileno()}
            errors = stack.enter_context(tempfile.TemporaryFile())
            inherited = [theirs.fileno()]
            python = [getattr(sys, "_base_executable", sys.executable), "-I", "-S", "-B", "-c"]
            python.append(BOOT.format(module=inside.__name__))
            if mode == "bubblewrap":
                rules = stack.enter_context(tempfile.TemporaryFile())
                _write_filter(rules)
                inherited.append(rules.fileno())
                argv = [*_bubblewrap(rules.fileno()), *python, json.dumps(settings), "/inside"]
            else:
                argv = [*python, json.dumps(settings), str(Path(inside.__file__).parents[3])]
            if packages:
                argv += _packages() if mode == "process" else _packages_inside()
            try:
                self.process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    cwd="/",
                    # Nothing of the caller's: no token can be read from it.
                    env=ENVIRONMENT,
                    pass_fds=inherited,
                )
            except OSError as error:
                raise SandboxError(f"the sandbox's worker does not start: {error}") from error
            theirs.close()
            self._greet(mode, errors)
            on_error.pop_all()

    def _greet(self, mode: Mode, errors: IO[bytes]) -> None:
        """Wait until the worker is ready; in bubblewrap tell it who to be."""
        self.control.settimeout(START)
        try:
            if mode == "bubblewrap":
                # Under the superuser there is no namespace of users; then each worker's programs get a user of their
                # own, so that limits on its processes count its own only.
                user = FIRST_USER + self.process.pid if os.geteuid() == 0 else None
                inside.send(self.control, {"user": user})
            if inside.receive(self.control)[0]:
                self.control.settimeout(None)
                return
        except OSError:
            pass
        self.close()
        errors.seek(0)
        reason = errors.read().decode(errors="replace").strip()[-500:]
        told = f"the sandbox's worker ended with {self.process.returncode}: {reason}"
        raise SandboxError(f"{told}; {WAY_OUT}" if mode == "bubblewrap" else told)

    def close(self) -> None:
        """End it and all that it has started."""
        self.control.close()
        self.process.kill()
        self.process.wait()


def _packages() -> list[str]:
    """Folders of installed packages."""
    folders = [*site.getsitepackages(), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    return [folder for folder in dict.fromkeys(folders) if os.path.isdir(folder)]


def _packages_inside() -> dict[str, str]:
    """Where bubblewrap's workers find those folders, and the folders: away from the private /tmp that hides its own."""
    return {f"/inside/packages/{i}": folder for i, folder in enumerate(_packages())}


def _write_filter(file: IO[bytes]) -> None:
    try:
        file.write(seccomp_filter())
    except NotImplementedError as error:
        raise SandboxError(f"{error}; {WAY_OUT}") from error
    file.seek(0)


def _bubblewrap(rules: int) -> list[str]:
    """The command that a worker's follows; ``rules`` is the seccomp filter's file descriptor."""
    program = shutil.which("bwrap")
    if program is None:
        raise SandboxError(
            "bubblewrap is not installed: Debian and conda-forge have it (`apt install bubblewrap`, "
            f"`conda install -c conda-forge bubblewrap`); {WAY_OUT}"
        )
    argv = [program, "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    argv += ["--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL", "--hostname", "sandbox"]
    if os.geteuid() == 0:
        # The superuser mounts what only it may read, and the worker then becomes another user.
        argv += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        argv += ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY)]
    argv += ["--clearenv"]
    for name, value in ENVIRONMENT.items():
        argv += ["--setenv", name, value]
    argv += ["--ro-bind", "/usr", "/usr"]
    for name in ("lib", "lib32", "lib64", "bin", "sbin"):
        folder = f"/{name}"
        if os.path.islink(folder):
            argv += ["--symlink", os.readlink(folder), folder]
        elif os.path.isdir(folder):
            argv += ["--ro-bind", folder, folder]
    argv += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    for folder in dict.fromkeys([sys.base_prefix, sys.base_exec_prefix]):
        if not folder.startswith("/usr/"):
            argv += _bound(folder, folder)
    for place, folder in _packages_inside().items():
        argv += _bound(folder, place)
    argv += _bound(str(Path(inside.__file__).parent), f"/inside/{inside.__package__.replace('.', '/')}")
    small = ["--perms", "1777", "--size", str(TMP_MEGABYTES << 20), "--tmpfs"]
    argv += ["--proc", "/proc", "--dev", "/dev", *small, "/dev/shm", *small, "/tmp"]
    argv += ["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp", "--seccomp", str(rules), "--"]
    return argv


def _bound(source: str, place: str) -> list[str]:
    """A read-only folder, in folders that every user may pass."""
    argv = []
    for parent in reversed(Path(place).parents[:-1]):
        argv += ["--perms", "0755", "--dir", str(parent)]
    return [*argv, "--ro-bind", source, place]
