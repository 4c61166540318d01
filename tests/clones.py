"""Clones of this checkout as a reviewer has them: what git has, and nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import call
from conftest import ROOT

AUTHOR = ("-c", "user.name=a reviewer", "-c", "user.email=reviewer@localhost")


def clone_to(folder: Path) -> Path:
    """A clone of the checkout in ``folder``; what is not committed yet is laid over it and committed there."""
    if not (ROOT / ".git").exists():
        pytest.skip("this checkout is not a git repository")
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    changed = call(ROOT, "git", "ls-files", "-z", "-m", "-o", "--exclude-standard", check=True).stdout
    for name in filter(None, changed.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy2(ROOT / name, folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    """Commit whatever there is to commit."""
    call(folder, "git", "add", "--all", check=True)
    call(folder, "git", *AUTHOR, "commit", "--quiet", "--allow-empty", "-m", "as it stands", check=True)


def well(folder: Path, *command: str, **options) -> str:
    """What a command says, which must succeed."""
    done = call(folder, *command, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def provenance(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit status and words of `./run why` or `./run verify` in the environment of the tests."""
    done = call(folder, sys.executable, "tools/provenance.py", *arguments)
    return done.returncode, done.stdout + done.stderr
