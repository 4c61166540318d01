"""Pin files beside the conda environments: written by snakedeploy, used by Snakemake, and pip's packages in them."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from checkout import call, choose_scale, copy_to, environment
from conftest import ROOT

# On one worker with the tests of the cluster, which use the same conda.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]

# Of PyPI, of pure Python, requires nothing, and the tests' own environment lacks it.
PACKAGE, VERSION = "peppercorn", "0.6"
TARGET = "results/smoke/problems/math_train.parquet"


@pytest.fixture(scope="module")
def pinned(tmp_path_factory, conda) -> tuple[Path, str]:
    """A copy in which the README's command has pinned the environment of models; and the ``PATH`` with conda."""
    folder = copy_to(tmp_path_factory.mktemp("pins") / "folder")
    choose_scale(folder, "smoke")
    pins = yaml.safe_load((ROOT / "pins.yaml").read_text())
    pins["groups"]["analysis"][PACKAGE] = {"version": VERSION, "conda": "pip", "reason": "a test"}
    (folder / "pins.yaml").write_text(yaml.safe_dump(pins, sort_keys=False))
    call(folder, sys.executable, "tools/pins.py", check=True)
    path = conda.path(environment(folder)["PATH"])
    in_conda(folder, path, "snakedeploy", "pin-conda-envs", "workflow/envs/model.yaml")
    return folder, path


def in_conda(folder: Path, path: str, *command: str) -> str:
    """What a command says, which must succeed, with conda on its ``PATH``."""
    own = environment(folder) | {"PATH": path}
    done = subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_pin_file_has_the_address_and_the_sum_of_each_package(pinned):
    folder, _ = pinned
    lines = (folder / "workflow" / "envs" / "model.linux-64.pin.txt").read_text().splitlines()
    addresses = lines[lines.index("@EXPLICIT") + 1 :]
    named = yaml.safe_load((folder / "workflow" / "envs" / "model.yaml").read_text())["dependencies"]
    assert len(addresses) >= len(named)
    for wanted in (name.replace("=", "-") for name in named):
        assert any(f"/{wanted}" in address and "#" in address for address in addresses), wanted


def test_a_job_runs_in_what_is_pinned_with_the_packages_of_pip(pinned):
    """Wrong behaviour: an environment from the pin file, without what pip was to install in it."""
    folder, path = pinned
    # What cannot be solved any more can still be made from its pins.
    file = folder / "workflow" / "envs" / "model.yaml"
    file.write_text(file.read_text().replace("numpy=", "numpy=999."))
    said = in_conda(folder, path, "snakemake", "--cores", "1", "--use-conda", "--", TARGET)
    assert "Using pinnings from" in said and "Failed to install conda environment" not in said
    assert (folder / TARGET).exists()
    (made,) = (folder / ".snakemake" / "conda").glob("*.pin.txt")
    python = made.with_name(made.name.removesuffix(".pin.txt")) / "bin" / "python"
    words = in_conda(folder, path, str(python), "-c", f"import {PACKAGE}, math_verify; print({PACKAGE}.__file__)")
    assert words.startswith(str(python.parents[1]))
