"""DVC and git together: other links to the cache, another branch, an edited module, an edited comment."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from checkout import call, environment
from clones import clone_to, commit, well
from conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("versions")]

# --- a small repository with this one's settings of DVC ----------------------------------------------------------

# A phase that goes on where it stopped (persist) and writes in place, as a program with its own checkpoints may.
STAGES = {
    "train": {
        "cmd": "mkdir -p results/train && echo ${value} > results/train/model",
        "params": ["value"],
        "outs": [{"results/train": {"persist": True}}],
    },
    "figures": {
        "cmd": "mkdir -p results/figures && cp results/train/model results/figures/figure",
        "deps": ["results/train"],
        "outs": [{"results/figures": {"cache": False}}],
    },
}
FIGURE = "results/figures/figure"


@pytest.fixture
def small(tmp_path) -> Path:
    """Two phases run for value 1, committed on the branch `one`; and for value 2, on the branch `two`."""
    folder = tmp_path / "a folder"
    (folder / ".dvc").mkdir(parents=True)
    for name in ("config", ".gitignore"):
        (folder / ".dvc" / name).write_text((ROOT / ".dvc" / name).read_text())
    (folder / ".gitignore").write_text("/results/train\n")
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}))
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    for value, branch in ((1, "one"), (2, "two")):
        well(folder, "git", "checkout", "--quiet", "-b", branch)
        (folder / "params.yaml").write_text(f"value: {value}\n")
        well(folder, "dvc", "repro", "--quiet")
        commit(folder)
    return folder


def broken_objects(folder: Path) -> list[str]:
    """Files of the cache whose content is not what their name says."""
    objects = [path for path in (folder / ".dvc" / "cache" / "files" / "md5").rglob("*") if path.is_file()]
    assert objects
    return [
        path.name
        for path in objects
        if hashlib.md5(path.read_bytes()).hexdigest() != path.parent.name + path.name.removesuffix(".dir")
    ]


def test_a_phase_that_writes_in_place_leaves_the_cache_whole(small):
    """Wrong behaviour (cache.type hardlink or symlink with persist): the old result in the cache is overwritten too."""
    assert broken_objects(small) == []
    assert (small / FIGURE).read_text() == "2\n"


def test_the_danger_is_real(small):
    """The test above can fail: with symbolic links the same phase writes through to the cache."""
    well(small, "dvc", "config", "cache.type", "symlink")
    well(small, "dvc", "checkout", "--relink", "--quiet")
    (small / "results" / "train" / "model").write_text("3\n")
    assert broken_objects(small) != []


def test_another_branch_has_its_own_figure_and_runs_nothing(small):
    """Wrong behaviour: the figure of one branch beside the parameters of another, while `dvc status` is clean."""
    for branch, value in (("one", "1\n"), ("two", "2\n"), ("one", "1\n")):
        well(small, "git", "checkout", "--quiet", branch)
        well(small, "dvc", "checkout", "--quiet")
        assert (small / FIGURE).read_text() == value
        assert (small / "results" / "train" / "model").read_text() == value
        assert "up to date" in well(small, "dvc", "status")
        assert "Running stage" not in well(small, "dvc", "repro")


def test_a_branch_without_its_data_is_stale_and_not_silently_so(small):
    """Wrong behaviour: `git checkout` alone, and the other branch's model counts for this one's."""
    well(small, "git", "checkout", "--quiet", "one")
    assert "results/train" in well(small, "dvc", "status")
    well(small, "dvc", "repro")
    assert (small / FIGURE).read_text() == "1\n"
    assert call(small, "git", "diff", "--exit-code").returncode == 0


# --- the committed run ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pulled(tmp_path_factory) -> Path:
    """A clone with the data of the committed run, in which nothing is stale."""
    folder = clone_to(tmp_path_factory.mktemp("versions") / "a folder")
    well(folder, "dvc", "pull", "--quiet")
    assert "up to date" in well(folder, "dvc", "status"), "the committed run is not that of the committed code"
    return folder


@pytest.fixture
def edited(pulled) -> Iterator[Path]:
    """The same clone, put back afterwards."""
    yield pulled
    well(pulled, "git", "checkout", "--quiet", ".")
    well(pulled, "dvc", "checkout", "--quiet", "--force")


@pytest.fixture(scope="module")
def readers(pulled) -> dict[str, set[str]]:
    """The phases whose jobs have each module among their inputs."""
    script = "import json, jobs; print(json.dumps([(j.phase, j.input) for j in jobs.jobs()]))"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, 'tools'); {script}"],
        cwd=pulled,
        env=environment(pulled),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, set[str]] = {}
    for phase, inputs in json.loads(done.stdout):
        for path in inputs:
            found.setdefault(path, set()).add(phase)
    return found


def stale(folder: Path) -> set[str]:
    """The phases that DVC calls stale because of something that they depend on."""
    status = json.loads(well(folder, "dvc", "status", "--json"))
    return {phase for phase, what in status.items() if any("changed deps" in entry for entry in what)}


@pytest.mark.parametrize(
    "module", ["plots/style.py", "annotate/select.py", "search/mcts.py", "verify/inside/worker.py", "storage.py"]
)
def test_an_edited_module_makes_stale_whatever_imports_it(edited, readers, module):
    """Wrong behaviour: Snakemake sees scripts only, DVC sees declared files only, and a change between is lost."""
    path = f"src/prm_scaling/{module}"
    with (edited / path).open("a") as file:
        file.write("\n\nADDED = 1\n")
    assert readers[path] and readers[path] <= stale(edited)


def test_a_module_of_figures_makes_only_figures_stale(edited):
    with (edited / "src" / "prm_scaling" / "plots" / "style.py").open("a") as file:
        file.write("\n\nADDED = 1\n")
    assert stale(edited) == {"figures"}


def test_a_module_that_no_script_imports_makes_nothing_stale(edited):
    """Wrong behaviour: a change in the tools that look at results asks for all of them anew."""
    for path in ("src/prm_scaling/provenance/why.py", "src/prm_scaling/job.py", "tools/jobs.py", "run"):
        with (edited / path).open("a") as file:
            file.write("\n# changed\n")
    assert stale(edited) == set()


def test_a_comment_in_the_parameters_makes_nothing_stale(edited):
    params = edited / "params.yaml"
    params.write_text(f"# a comment\n{params.read_text()}")
    assert stale(edited) == set()


def test_a_comment_in_a_script_reruns_its_phase_and_no_later_one(edited):
    """Wrong behaviour: every PRM trained again because of a comment in the filter; or the comment overlooked."""
    with (edited / "workflow" / "scripts" / "filter_consensus.py").open("a") as file:
        file.write("# a comment\n")
    assert stale(edited) == {"filter"}
    said = well(edited, "dvc", "repro", "train")
    assert re.findall(r"Running stage '(\w+)'", said) == ["filter"]
    assert "train_prm" not in said
    changed = call(edited, "git", "diff", "--unified=0", "dvc.lock").stdout.splitlines()
    assert len([line for line in changed if line.startswith("+ ")]) == 2, "one file's sum and size"


def test_dvc_tells_two_runs_apart(edited):
    """`dvc metrics`, `dvc params` and `dvc plots` of the committed run, and of one with other numbers."""
    path = "results/evaluate/metrics.json"
    known = json.loads((edited / path).read_text())
    shown = json.loads(well(edited, "dvc", "metrics", "show", "--json"))
    assert shown[""]["data"][path]["data"] == known
    known["step_auc"]["aslaf"]["124k"] += 0.01
    (edited / path).write_text(json.dumps(known))
    changed = json.loads(well(edited, "dvc", "metrics", "diff", "--json"))[path]
    assert list(changed) == ["step_auc.aslaf.124k"]
    params = edited / "params.yaml"
    params.write_text(params.read_text().replace("bootstrap: 2000", "bootstrap: 1000"))
    told = json.loads(well(edited, "dvc", "params", "diff", "--json"))["params.yaml"]
    assert [(name, change["old"], change["new"]) for name, change in told.items()] == [
        ("evaluate.bootstrap", 2000, 1000)
    ]
    page = edited / "dvc_plots" / "index.html"
    well(edited, "dvc", "plots", "diff", "HEAD", "--out", str(page.parent))
    text = page.read_text()
    assert text.count("Accuracy over tokens") and "DVC_METRIC" not in text
    assert {"workspace_results_figures_figure4.png", "HEAD_results_figures_figure4.png"} <= {
        path.name for path in (page.parent / "static").iterdir()
    }
