"""Copies of this checkout to run, break and change, and the programs that run there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import ROOT

KEPT = ("Snakefile", "config", "dvc.yaml", "params.yaml", "profiles", "run", "src", "tests", "tools", "workflow")
KEPT += (".dvc/config", ".dvcignore", ".gitignore")
BINARIES = Path(sys.executable).parent


def copy_to(folder: Path) -> Path:
    """The checkout's code and configuration in ``folder``, as a git repository without a commit and without results."""
    for name in KEPT:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, target)
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    return folder


def environment(folder: Path) -> dict[str, str]:
    """One thread, the programs beside this Python, and the modules of ``folder``."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PATH": f"{BINARIES}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{folder / 'src'}{os.pathsep}{folder / 'workflow' / 'progress'}",
    }


def call(folder: Path, *command: str, **options) -> subprocess.CompletedProcess[str]:
    """Run a command in ``folder``; its outputs as text."""
    return subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True, **options)


PLANNED = """
import json, sys
from pathlib import Path
sys.path.insert(0, "tools")
from jobs import jobs
from prm_scaling.config import load_params
from prm_scaling.provenance.plan import Plan
from prm_scaling.provenance.rates import stated_rates
costs = Plan(load_params(Path()), jobs(), stated_rates(), {}).costs.values()
json.dump({c.job.name: [c.seconds, c.job.resources["mem_mb"]] for c in costs}, sys.stdout)
"""


def planned(folder: Path) -> dict[str, tuple[float, int]]:
    """By the name of each job of the active scale its seconds by stated rates, and the megabytes that it asks for."""
    told = json.loads(call(folder, sys.executable, "-c", PLANNED, check=True).stdout)
    return {job: (seconds, megabytes) for job, (seconds, megabytes) in told.items()}


def choose_scale(folder: Path, scale: str) -> None:
    """`./run scale NAME` in a copy."""
    call(folder, sys.executable, "run", "scale", scale, check=True)
