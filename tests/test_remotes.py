"""Data kept in an S3 bucket and on a machine with sshd: real servers, a push from one clone, a pull in another."""

import getpass
import importlib.util
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from checkout import call, environment
from conftest import ROOT
from services import absent, free_port, program, server

pytestmark = pytest.mark.slow

DATA = "results/problems/set.parquet"
SECRET = "a-secret-key-of-the-bucket"
Remote = tuple[str, dict[str, str]]


@pytest.fixture(scope="module")
def bucket(tmp_path_factory) -> Iterator[Remote]:
    """A bucket of an S3-compatible server: its address, and the settings of a remote in it."""
    for package in ("moto", "dvc_s3"):
        if importlib.util.find_spec(package) is None:
            absent(package)
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with server(command, port, tmp_path_factory.mktemp("s3") / "log"):
        address = f"http://127.0.0.1:{port}"
        urllib.request.urlopen(urllib.request.Request(f"{address}/prm-data", method="PUT")).close()
        yield (
            "s3://prm-data/store",
            {"endpointurl": address, "access_key_id": "reviewer", "secret_access_key": SECRET, "region": "us-east-1"},
        )


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Iterator[Remote]:
    """A machine with sshd: the address of a folder there, and the settings of a remote in it."""
    if importlib.util.find_spec("dvc_ssh") is None:
        absent("dvc_ssh")
    folder = tmp_path_factory.mktemp("ssh")
    for key in ("host", "user"):
        subprocess.run([program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
    (folder / "authorized_keys").write_text((folder / "user.pub").read_text())
    port = free_port()
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nPasswordAuthentication no\nStrictModes no\n"
        "PermitRootLogin prohibit-password\nSubsystem sftp internal-sftp\n"
    )
    if getpass.getuser() == "root":
        Path("/run/sshd").mkdir(exist_ok=True)  # where sshd, started by root, keeps apart what has no rights
    (folder / "store").mkdir()
    with server([program("sshd"), "-D", "-e", "-f", str(config)], port, folder / "log"):
        settings = {"port": str(port), "user": getpass.getuser(), "keyfile": str(folder / "user")}
        yield f"ssh://127.0.0.1{folder}/store", settings


@pytest.fixture(params=["bucket", "machine"])
def remote(request) -> Remote:
    """Each kind of remote."""
    return request.getfixturevalue(request.param)


def dvc(folder: Path, *arguments: str) -> str:
    """What DVC says, which must succeed."""
    done = call(folder, "dvc", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def small(tmp_path) -> Path:
    """A small repository with this one's DVC settings, one phase and its result, in git."""
    folder = tmp_path / "a folder"
    (folder / ".dvc").mkdir(parents=True)
    (folder / ".dvc" / "config").write_text((ROOT / ".dvc" / "config").read_text())
    (folder / ".dvc" / ".gitignore").write_text((ROOT / ".dvc" / ".gitignore").read_text())
    (folder / ".gitignore").write_text("/results/\n")
    stage = {"cmd": f"mkdir -p results/problems && echo rows > {DATA}", "outs": ["results/problems"]}
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"problems": stage}}))
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    dvc(folder, "repro", "--quiet")
    call(folder, "git", "add", "--all", check=True)
    return folder


def use(folder: Path, remote: Remote) -> None:
    """The README's commands for another remote: its address in the repository, what is secret in config.local."""
    address, settings = remote
    dvc(folder, "remote", "add", "--default", "elsewhere", address)
    for key, value in settings.items():
        dvc(folder, "remote", "modify", "--local", "elsewhere", key, value)


def clone_of(folder: Path, to: Path) -> Path:
    """A clone with all that git has been told of."""
    identity = ("-c", "user.name=x", "-c", "user.email=x@localhost")
    call(folder, "git", "add", "--all", check=True)
    call(folder, "git", *identity, "commit", "--quiet", "-m", "all", check=True)
    subprocess.run(["git", "clone", "--quiet", folder, to], check=True)
    return to


def test_what_is_pushed_in_one_clone_is_pulled_in_another(small, remote, tmp_path):
    use(small, remote)
    dvc(small, "push")
    clone = clone_of(small, tmp_path / "another folder")
    assert not (clone / DATA).exists()
    for key, value in remote[1].items():
        dvc(clone, "remote", "modify", "--local", "elsewhere", key, value)
    dvc(clone, "pull")
    assert (clone / DATA).read_text() == "rows\n"
    assert "up to date" in dvc(clone, "status")
    assert "in sync" in dvc(clone, "status", "--cloud")


def test_what_was_never_pushed_is_missed_by_name(small, remote, tmp_path):
    """Wrong behaviour: a pull that brings a part and ends well."""
    use(small, remote)
    (small / "dvc.yaml").write_text((small / "dvc.yaml").read_text().replace("echo rows", "echo other rows"))
    dvc(small, "repro", "--quiet")
    clone = clone_of(small, tmp_path / "another folder")
    for key, value in remote[1].items():
        dvc(clone, "remote", "modify", "--local", "elsewhere", key, value)
    done = call(clone, "dvc", "pull")
    assert done.returncode != 0
    assert "results/problems" in done.stdout + done.stderr


def test_no_secret_of_a_remote_gets_into_git(small, bucket, tmp_path):
    use(small, bucket)
    dvc(small, "push")
    clone = clone_of(small, tmp_path / "clone")
    texts = [path.read_bytes() for path in clone.rglob("*") if path.is_file()]
    assert SECRET in (small / ".dvc" / "config.local").read_text()
    assert not any(SECRET.encode() in text for text in texts)


def test_a_server_that_is_not_there_is_an_error_with_its_address(small, tmp_path):
    """Wrong behaviour: a pull that hangs, or calls an unreachable remote empty."""
    if importlib.util.find_spec("dvc_s3") is None:
        absent("dvc_s3")
    port = free_port()
    use(small, ("s3://nowhere/store", {"endpointurl": f"http://127.0.0.1:{port}", "access_key_id": "x"}))
    dvc(small, "remote", "modify", "--local", "elsewhere", "secret_access_key", "x")
    done = subprocess.run(
        ["dvc", "push"], cwd=small, env=environment(small), capture_output=True, text=True, timeout=120
    )
    assert done.returncode != 0
    assert str(port) in done.stdout + done.stderr
