"""A real conda on this machine, and a channel of files that stands for conda-forge where that cannot be reached.

conda itself comes from PyPI: the copy that conda-lock carries, with the solver that needs no other library. The
packages of the channel bear the names and versions of workflow/envs/*.yaml, so that the files solve as they stand, but
have nothing in them: python is this one's program, and finds the libraries of the tests' environment. What is tested is
that environments are solved, linked, activated and used; that the real channel has these versions is not.
"""

import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

CONDA_LOCK = "conda-lock==4.0.3"
VENDORED = "conda_lock/_vendor/conda/"
ENVIRONMENTS = ROOT / "workflow" / "envs"
CHANNELS = ("conda-forge", "bioconda")
SETTINGS = """
channel_priority: strict
solver: classic
notify_outdated_conda: false
auto_update_conda: false
always_yes: true
add_pip_as_python_dependency: false
local_repodata_ttl: 0
"""
PROGRAM = """#!/bin/sh
export CONDA_EXE={base}/bin/conda CONDA_PYTHON_EXE={base}/bin/python
exec {base}/bin/python -I -m conda "$@"
"""
# What `source .../bin/activate PREFIX` does; Snakemake calls exactly that.
ACTIVATE = 'eval "$({base}/bin/conda shell.posix activate "$1")"\n'
# Each start of an environment's Python leaves a line in its folder.
TRACE = 'import sys; open(sys.prefix + "/started", "a").write("started\\n")\n'


@dataclass(frozen=True)
class Conda:
    """A conda whose program, and no other, is in ``binaries``; ``channel`` says what its packages are."""

    binaries: Path
    channel: str

    def path(self, others: str) -> str:
        """``PATH`` with this conda before ``others``."""
        return f"{self.binaries}{os.pathsep}{others}"


def reachable() -> bool:
    """Whether the real channel is."""
    try:
        socket.create_connection(("conda.anaconda.org", 443), timeout=5).close()
    except OSError:
        return False
    return True


def conda_in(folder: Path) -> Conda:
    """The machine's conda where there is one and the real channel too; else one made in ``folder``."""
    binaries = folder / "program"
    binaries.mkdir()
    if (program := shutil.which("conda")) and reachable():
        (binaries / "conda").symlink_to(program)
        return Conda(binaries, "the real conda-forge")
    base = folder / "conda"
    subprocess.run([sys.executable, "-m", "venv", base], check=True)
    pip = [str(base / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    commands = [
        [*pip, "install", "--no-deps", *pinned()],
        [*pip, "download", "--no-deps", "--dest", str(folder / "wheel"), CONDA_LOCK],
    ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            if os.environ.get("PRM_TEST_SERVICES"):
                pytest.fail(f"{command}: {done.stderr}")
            pytest.skip(f"conda cannot be installed from PyPI: {done.stderr[-300:]}")
    unpack(next((folder / "wheel").glob("conda_lock-*.whl")), base)
    channel = folder / "channel"
    make_channel(channel)
    lines = "".join(f"  {name}: {channel.parent.as_uri()}\n" for name in CHANNELS)
    for name in CHANNELS:
        (channel.parent / name).symlink_to(channel)
    (base / ".condarc").write_text(f"{SETTINGS}custom_channels:\n{lines}")
    (binaries / "conda").symlink_to(base / "bin" / "conda")
    return Conda(binaries, "a local channel in place of conda-forge")


def pinned() -> list[str]:
    """conda's requirements, and what they require."""
    lines = (Path(__file__).parent / "conda-requirements.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def unpack(wheel: Path, base: Path) -> None:
    """Make a virtual environment a conda: conda's package into its libraries, and its programs."""
    libraries = Path(sysconfig.get_path("purelib", vars={"base": str(base)}))
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.startswith(VENDORED) and not name.endswith("/"):
                content = archive.read(name)
                for own in (b"conda_lock._vendor.conda", b"conda_lock.vendor.conda"):
                    content = content.replace(own, b"conda") if name.endswith(".py") else content
                target = libraries / "conda" / name.removeprefix(VENDORED)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
    (base / "conda-meta").mkdir()
    (base / "conda-meta" / "history").touch()
    for name, text in (("conda", PROGRAM), ("activate", ACTIVATE)):
        (base / "bin" / name).write_text(text.format(base=base))
        (base / "bin" / name).chmod(0o755)


def make_channel(folder: Path) -> None:
    """A channel with the packages that the environment files name."""
    wanted = {}
    for file in ENVIRONMENTS.glob("*.yaml"):
        named = [d for d in yaml.safe_load(file.read_text())["dependencies"] if isinstance(d, str)]
        wanted |= {name: version or "1.0" for name, _, version in (d.partition("=") for d in named)}
    version = "{}.{}".format(*sys.version_info)
    assert wanted["python"] == version, f"the environments are of Python {wanted['python']}, the tests of {version}"
    packages: dict[str, dict[str, dict]] = {"noarch": {}, "linux-64": {}}
    for name, version in wanted.items():
        place = "linux-64" if name == "python" else "noarch"
        files = python_files() if name == "python" else {f"share/{name}": b""}
        full = ".".join(map(str, sys.version_info[:3])) if name == "python" else version.lstrip("=")
        file, entry = package(folder / place, name, full, files)
        packages[place][file] = entry
    for place, entries in packages.items():
        index = {"info": {"subdir": place}, "packages": entries, "packages.conda": {}, "repodata_version": 1}
        (folder / place / "repodata.json").write_text(json.dumps(index))


def python_files() -> dict[str, bytes]:
    """A Python that is this one: its program, and where its own and the tests' libraries are."""
    program = Path(sys.base_prefix, "bin", "python{}.{}".format(*sys.version_info)).read_bytes()
    libraries = "lib/python{}.{}/site-packages".format(*sys.version_info)
    return {
        "bin/python": program,
        "bin/python{}.{}".format(*sys.version_info): program,
        "pyvenv.cfg": f"home = {sys.base_prefix}/bin\ninclude-system-site-packages = false\n".encode(),
        f"{libraries}/tests.pth": f"{sysconfig.get_path('purelib')}\n{TRACE}".encode(),
    }


def package(folder: Path, name: str, version: str, files: dict[str, bytes]) -> tuple[str, dict]:
    """Write a conda package; its file name, and its entry in the channel's index."""
    own = {"noarch": "generic"} if folder.name == "noarch" else {"arch": "x86_64", "platform": "linux"}
    entry = {"name": name, "version": version, "build": "0", "build_number": 0, "depends": [], "subdir": folder.name}
    entry |= own
    paths = [
        {"_path": path, "path_type": "hardlink", "sha256": digest("sha256", body), "size_in_bytes": len(body)}
        for path, body in files.items()
    ]
    meta = {
        "info/index.json": json.dumps(entry),
        "info/files": "\n".join(files) + "\n",
        "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:bz2", compresslevel=1) as archive:
        for path, body in {**{k: v.encode() for k, v in meta.items()}, **files}.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(body), 0o755 if path.startswith("bin/") else 0o644
            archive.addfile(member, io.BytesIO(body))
    raw = buffer.getvalue()
    folder.mkdir(parents=True, exist_ok=True)
    file = f"{name}-{version}-0.tar.bz2"
    (folder / file).write_bytes(raw)
    return file, entry | {"md5": digest("md5", raw), "sha256": digest("sha256", raw), "size": len(raw)}


def digest(algorithm: str, data: bytes) -> str:
    """A hash of bytes, in hexadecimal digits."""
    return hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()


def starts(checkout: Path) -> dict[str, int]:
    """By the name of its file, how often the Python of each environment that Snakemake made in a checkout began."""
    found = {}
    for made in (checkout / ".snakemake" / "conda").glob("*.yaml"):
        trace = made.with_suffix("") / "started"
        same = [f.stem for f in (checkout / "workflow" / "envs").glob("*.yaml") if f.read_text() == made.read_text()]
        found[re.sub(r"\W+", " ", " ".join(same))] = len(trace.read_text().splitlines()) if trace.exists() else 0
    return found
