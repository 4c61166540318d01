"""The three ways of a reviewer, each from a fresh clone in a folder whose name has a space."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import call, environment
from clones import clone_to, provenance, well

from prm_scaling.provenance.crate import CRATE, read_crate
from prm_scaling.provenance.record import sha256

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("reviewers")]

FILTER, PRM, CELL = (
    "results/filter/human.parquet",
    "results/train/aslaf-1k-s0",
    "results/search/scores/aslaf-1k-s0.parquet",
)
# What a Python that has neither says; and no path leads to the programs beside the real one.
BLOCKER = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "dvc", "transformers", "tokenizers", "datasets", "safetensors"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Blocker())
"""


@pytest.fixture
def bare_python(tmp_path) -> Path:
    """A Python with the packages of this one, but without DVC, PyTorch and what needs it."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    (packages,) = (tmp_path / "bare" / "lib").glob("python*/site-packages")
    real = next(path for path in sys.path if path.endswith("site-packages"))
    (packages / "blocker.py").write_text(BLOCKER)
    (packages / "others.pth").write_text(f"{real}\nimport blocker\n")
    return tmp_path / "bare" / "bin" / "python"


@pytest.fixture(scope="module")
def pulled(tmp_path_factory) -> Path:
    """A clone with the data of the committed run, from the remote that travels with the repository."""
    folder = clone_to(tmp_path_factory.mktemp("reviewer") / "a folder")
    well(folder, "dvc", "pull", "--quiet")
    return folder


@pytest.fixture
def changeable(pulled) -> Path:
    """The same clone, put back afterwards as it was."""
    yield pulled
    well(pulled, "git", "checkout", "--quiet", ".")
    well(pulled, "dvc", "checkout", "--quiet", "--force")


def unchanged(folder: Path) -> None:
    """`git diff --exit-code`."""
    done = call(folder, "git", "diff", "--exit-code", "--stat")
    assert done.returncode == 0, done.stdout


def test_figures_come_from_git_alone_without_dvc_and_torch_in_under_a_minute(tmp_path, bare_python):
    """Wrong behaviour: a reviewer without a GPU, a model hub or 3 GB of packages cannot draw a figure."""
    clone = clone_to(tmp_path / "a clone")
    for module in ("torch", "dvc"):
        assert subprocess.run([bare_python, "-c", f"import {module}"], capture_output=True).returncode != 0
    variables = environment(clone) | {"PATH": f"{bare_python.parent}{os.pathsep}/usr/bin{os.pathsep}/bin"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [bare_python, "-m", "snakemake", "--profile", "profiles/figures", "--cores", "2", "--forceall", "figures"],
        cwd=clone,
        env=variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "draw_figure" in done.stdout + done.stderr, "nothing was drawn"
    # Of processor time, so that a busy machine does not count.
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 60
    unchanged(clone)


def test_after_a_pull_nothing_is_stale_and_all_is_as_committed(pulled):
    """Wrong behaviour: figures in git that belong to another run than dvc.lock does."""
    assert "up to date" in well(pulled, "dvc", "status")
    unchanged(pulled)


def test_snakemake_takes_pulled_files_for_up_to_date_once_told(pulled):
    well(pulled, "snakemake", "--touch", "--forceall", "--quiet", "all", "--cores", "1", "all")
    assert "Nothing to be done" in well(pulled, "snakemake", "--dry-run")


def test_figures_from_pulled_data_are_the_same_bytes_and_nothing_is_trained(pulled):
    said = well(pulled, "dvc", "repro", "--force", "--single-item", "figures")
    assert "draw_figure" in said and "train_prm" not in said
    unchanged(pulled)


def test_a_phase_whose_input_is_missing_says_so_and_does_not_train(changeable):
    for path in ("evaluate/figure1.csv", "figures/figure1.svg"):
        (changeable / "results" / path).unlink()
    done = call(changeable, "snakemake", "--profile", "profiles/figures", "--cores", "1", "figures")
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert "MissingInputException" in said and "figure1.csv" in said


def test_why_finds_the_committed_run_whole(pulled):
    status, told = provenance(pulled, "why", f"{PRM}/prm.json")
    assert status == 0, told
    assert "results/problems/math_pretrain.parquet" in told
    assert "All fits" in told


def test_the_committed_crate_tells_of_the_committed_run(pulled):
    """Wrong behaviour: results in git, and nothing there says when, with which code and on what they were made."""
    told = read_crate(pulled / CRATE)
    assert told, "after a run that is to be committed: ./run crate"
    assert all(record["commit"] and record["seconds"] >= 0 for record in told.values())
    recorded = {path: digest for record in told.values() for path, digest in record["outputs"].items()}
    files = [path for path in (pulled / "results").rglob("*") if path.is_file() and not path.name.startswith(".")]
    here = {str(path.relative_to(pulled)): sha256(path) for path in files}
    assert {path for path in here if recorded.get(path) != here[path]} == set()


def test_why_names_what_was_tampered_with(changeable):
    path = changeable / "results" / "chains" / "math.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    status, told = provenance(changeable, "why", f"{PRM}/prm.json")
    assert status == 1
    assert "✗ results/chains/math.parquet is not the file that dvc.lock records" in told
    assert f"✗ {PRM}/prm.json was made from another input: results/chains/math.parquet" in told


@pytest.mark.parametrize("node", [FILTER, PRM, CELL])
def test_a_node_rebuilt_is_the_recorded_one(pulled, node):
    status, told = provenance(pulled, "verify", node, "--cores", "1")
    assert status == 0, told
    for path in told.splitlines()[1:-1]:
        assert "identical" in path or "noise" in path or "seconds" in path or path.startswith("    ")
    assert not list((pulled / "work" / "verify").iterdir())
    unchanged(pulled)


def test_a_node_that_comes_out_otherwise_is_told_with_the_place_and_what_changed(changeable):
    params = changeable / "params.yaml"
    params.write_text(params.read_text().replace("  chains: 3200", "  chains: 3100"))
    status, told = provenance(changeable, "verify", FILTER, "--cores", "1")
    assert status == 1
    assert "3200 rows recorded, 3100 rebuilt" in told
    assert "params.yaml: train.chains: modified since the recorded run" in told
    assert told.splitlines()[-2].startswith("different")
    rebuilt = Path(told.splitlines()[-1].removeprefix("The rebuilt files lie in "))
    assert (changeable / rebuilt / FILTER).is_file()


def test_a_node_is_not_verified_against_an_edited_one(changeable):
    (changeable / FILTER).write_bytes(b"edited")
    status, told = provenance(changeable, "verify", FILTER)
    assert status == 2
    assert f"{FILTER} is not the file that dvc.lock records: `dvc checkout {FILTER}`" in told
