"""`why` and `verify`: where a result comes from, what no longer fits, and what they refuse."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from checkout import environment
from clones import commit, well

from prm_scaling.provenance.compare import DIFFERENT, IDENTICAL, NOISE, Comparison
from prm_scaling.provenance.graph import Job, makers
from prm_scaling.provenance.record import sha256
from prm_scaling.provenance.recorded import NotRecorded, Recorded, md5, recorded, stale_phases
from prm_scaling.provenance.verify import differing_surroundings, job_of, lay_out, refuse_other_inputs, report
from prm_scaling.provenance.why import Walk, standing


def job(rule: str, output: list[str], inputs: list[str], phase: str = "train") -> Job:
    return Job(rule, phase, {}, tuple(inputs), tuple(output), (), {}, 1, {})


CODE = "src/prm_scaling/fit.py"
PROBLEMS, CHAINS, PRM = "results/problems/p.parquet", "results/chains/c.parquet", "results/train/m/prm.json"
WEIGHTS = "results/train/m/model.safetensors"
GRAPH = [
    job("make_problems", [PROBLEMS], [], "problems"),
    job("sample_chains", [CHAINS], [PROBLEMS], "chains"),
    job("train_prm", [PRM, WEIGHTS], [CHAINS, CODE]),
]


@pytest.fixture
def run(tmp_path, monkeypatch) -> Recorded:
    """A run of the three jobs, whole and recorded; the current folder is where it lies, and its name has a space."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for path in (PROBLEMS, CHAINS, CODE, WEIGHTS):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(path)
    record = {
        "inputs": {path: sha256(Path(path)) for path in (CHAINS, CODE)},
        "parameters": {"batch": 32},
        "seed": 7,
        "versions": {"python": "3.11"},
        "machine": {"system": "Linux", "processor": "x86_64"},
    }
    Path(PRM).write_text(json.dumps({"provenance": record}))
    return Recorded({path: md5(Path(path)) for path in (PROBLEMS, CHAINS, PRM, WEIGHTS)}, {}, {}, "abc of today")


def walked(known: Recorded) -> tuple[str, list[str]]:
    """What `why` tells of the PRM, and what it finds wrong."""
    walk = Walk(makers(GRAPH), known)
    return "\n".join(walk.job(GRAPH[-1])), walk.wrong


def test_a_walk_ends_at_the_raw_problems(run):
    told, wrong = walked(run)
    places = [told.index(path) for path in (PRM, CHAINS, PROBLEMS)]
    assert places == sorted(places)
    assert "seed 7; batch 32" in told
    assert wrong == []


@pytest.mark.parametrize("path", [CHAINS, CODE])
def test_a_walk_names_the_input_whose_hash_no_longer_fits(run, path):
    """Wrong behaviour: a model that was trained on other chains looks like one that was trained on these."""
    Path(path).write_text("something else")
    told, wrong = walked(run)
    assert any(line.startswith(f"{PRM} was made from another input: {path} (recorded sha256") for line in wrong)
    assert all(line in told for line in wrong)
    assert any("dvc.lock" in line and line.startswith(path) for line in wrong) == (path == CHAINS)


def test_a_walk_names_what_is_not_here(run):
    Path(CHAINS).unlink()
    _, wrong = walked(run)
    assert f"{CHAINS} is not here: `dvc pull {CHAINS}` fetches it" in wrong


def test_a_walk_names_an_input_that_the_model_never_saw(run):
    record = json.loads(Path(PRM).read_text())
    del record["provenance"]["inputs"][CHAINS]
    Path(PRM).write_text(json.dumps(record))
    _, wrong = walked(run)
    assert any(f"was made without {CHAINS}" in line for line in wrong)


def ran_here(known: Recorded) -> tuple[Walk, Job]:
    """A walk where the job of the chains has left a record; and that job."""
    log = Path("logs/chains/c.log")
    log.parent.mkdir(parents=True)
    told = {"ended": "2026-01-01", "seconds": 3.2, "commit": "abc", "dirty": True, "changed": ["params.yaml"]}
    told |= {"inputs": {path: sha256(path) for path in (PROBLEMS, CODE)}, "parameters": {"samples": 4}}
    told["outputs"] = {CHAINS: sha256(CHAINS)}
    log.with_suffix(".json").write_text(json.dumps(told))
    walk = Walk(makers(GRAPH), replace(known, made=told["outputs"]))
    return walk, replace(GRAPH[1], log=(str(log),), params={"samples": 4})


def test_a_walk_names_a_result_that_is_not_what_its_job_made(run):
    """Wrong behaviour: at a scale that dvc.lock does not have, an edited result passes for the job's."""
    walk, chains = ran_here(Recorded({}, {}, {}, ""))
    assert "made at 2026-01-01, in 3 s, commit abc with changed params.yaml" in "\n".join(walk.job(chains))
    assert walk.wrong == []
    Path(CHAINS).write_text("edited")
    assert any(f"✗ {CHAINS} is not what its job made" in line for line in walk.facts(chains))


def test_a_run_of_ones_own_is_not_called_a_damaged_one(run):
    """Wrong behaviour: of a new run `why` says file by file that it is not the committed one, as of edited files."""
    Path(CHAINS).write_text("made anew")
    walk, chains = ran_here(run)
    list(walk.job(chains))
    assert walk.wrong == []
    assert "1 of these 2 jobs ran here, and 1 of their files are not those of the committed run" in standing(walk)
    refuse_other_inputs(replace(GRAPH[1], output=(CHAINS,)), makers(GRAPH), walk.known)


@pytest.mark.parametrize(
    ("problems", "samples", "said"),
    [
        ("others", 4, f"{CHAINS} was made from another input: {PROBLEMS}"),
        (PROBLEMS, 8, f"{CHAINS} was made with samples 4, now 8"),
    ],
)
def test_a_walk_names_what_has_changed_since_a_job_ran(run, problems, samples, said):
    walk, chains = ran_here(run)
    Path(PROBLEMS).write_text(problems)
    told = "\n".join(walk.job(replace(chains, params={"samples": samples})))
    assert any(line.startswith(said) for line in walk.wrong) and said in told


def test_what_was_edited_in_a_run_of_ones_own_is_made_again_and_not_the_committed_one(run):
    """Wrong behaviour: the way out that is told brings back the results of another run."""
    Path(CHAINS).write_text("made anew")
    walk, chains = ran_here(run)
    Path(CHAINS).write_text("edited")
    list(walk.job(chains))
    assert walk.wrong == [f"{CHAINS} is not what its job made: `./run {CHAINS} --force` makes it again"]


def test_code_that_has_changed_since_a_job_ran_is_told_once(run):
    walk, chains = ran_here(run)
    Path(CODE).write_text("changed")
    list(walk.job(chains))
    assert walk.code == {CODE}


def test_without_a_record_of_the_scale_only_what_is_missing_is_told(run):
    unrecorded = Recorded({}, {}, {}, "")
    assert walked(unrecorded)[1] == []
    Path(PROBLEMS).unlink()
    assert walked(unrecorded)[1] == [f"{PROBLEMS} is not here"]


def test_a_node_is_a_file_or_a_folder_of_one_job():
    assert job_of(WEIGHTS, GRAPH).rule == "train_prm"
    assert job_of("results/train/m", GRAPH).rule == "train_prm"
    with pytest.raises(NotRecorded, match="no job of the active scale makes `results/train/n`"):
        job_of("results/train/n", GRAPH)
    with pytest.raises(NotRecorded, match="3 jobs make `results`; name one of their files"):
        job_of("results", GRAPH)


@pytest.mark.parametrize("path", [CHAINS, WEIGHTS])
def test_a_node_is_not_verified_from_or_against_what_was_not_recorded(run, path):
    """Wrong behaviour: "identical" of a file that was edited, or of a job that read an edited one."""
    refuse_other_inputs(GRAPH[-1], makers(GRAPH), run)
    Path(path).write_text("something else")
    with pytest.raises(NotRecorded, match=f"{path} is not the file that dvc.lock records: `dvc checkout"):
        refuse_other_inputs(GRAPH[-1], makers(GRAPH), run)


def test_of_a_node_that_was_made_here_its_own_record_tells_what_has_changed(run):
    """Wrong behaviour: of a run of one's own, a list of whatever differs from the committed one."""
    walk, chains = ran_here(replace(run, stale={"chains": {"Snakefile": "modified"}}))
    assert list(differing_surroundings(chains, walk.known)) == []
    Path(CODE).write_text("changed")
    assert list(differing_surroundings(chains, walk.known)) == [f"  {CODE}: modified since the recorded run"]
    Path(CHAINS).write_text("pulled")
    assert list(differing_surroundings(chains, walk.known)) == ["  Snakefile: modified since the recorded run"]


def test_a_rebuilt_job_sees_its_inputs_and_not_what_it_made_before(run):
    for name in ("Snakefile", "params.yaml"):
        Path(name).touch()
    for name in ("config", "profiles", "workflow"):
        Path(name).mkdir()
    Path("results/chains/tokenizer.json").touch()
    folder = Path("scratch")
    folder.mkdir()
    lay_out(GRAPH[-1], makers(GRAPH), folder)
    assert (folder / CHAINS).read_text() == CHAINS
    assert (folder / "results/chains/tokenizer.json").exists()
    assert (folder / CODE).read_text() == CODE
    assert not (folder / WEIGHTS).exists() and not (folder / PRM).exists()


def test_the_verdict_on_a_node_is_the_worst_of_its_files():
    found = [Comparison("a", IDENTICAL), Comparison("b", DIFFERENT, ("column x",)), Comparison("c", NOISE)]
    told = report(GRAPH[-1], found, 1.0, [])
    assert told.splitlines()[-1].startswith("different")
    assert "  b: different\n    column x" in told
    assert report(GRAPH[-1], found[:1], 1.0, []).splitlines()[-1] == "identical"


@pytest.mark.slow
def test_a_run_is_recorded_by_dvc_before_git_has_a_commit_and_after(tmp_path, monkeypatch):
    """Wrong behaviour: `bad revision 'HEAD'`; or a table in git that was edited and passes for the recorded one."""
    stage = {"cmd": "mkdir -p results && echo 1 > results/kept && echo 2 > results/table", "params": ["results"]}
    stage["outs"] = ["results/kept", {"results/table": {"cache": False}}]
    (tmp_path / "dvc.yaml").write_text(json.dumps({"stages": {"train": stage}}))
    (tmp_path / "params.yaml").write_text("results: results\n")
    well(tmp_path, "git", "init", "--quiet")
    well(tmp_path, "dvc", "init", "--quiet")
    well(tmp_path, "dvc", "repro", "--quiet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", environment(tmp_path)["PATH"])
    before = recorded("results", Path("logs"))
    assert set(before.hashes) == {"results/kept", "results/table"}
    assert (before.in_git, before.commit, before.stale) == ({}, "", {})
    commit(tmp_path)
    Path("results/table").write_text("3\n")
    after = recorded("results", Path("logs"))
    assert after.in_git["results/table"] is False and after.commit
    assert "is not the file that dvc.lock records" in after.check("results/table")
    assert after.check("results/kept") == ""
    assert after.stale == {"train": {"results/table": "modified"}}
    assert recorded("results/smoke", Path("logs")) == Recorded({}, {}, {}, "")


def test_what_dvc_says_of_phases_becomes_one_mapping_a_phase():
    status = {
        "train": [
            {"changed deps": {"src/x.py": "modified", "params.yaml": {"train.batch": "modified"}}},
            {"changed outs": {"results/train": "deleted"}},
            "changed command",
        ]
    }
    assert stale_phases(status) == {
        "train": {
            "src/x.py": "modified",
            "params.yaml: train.batch": "modified",
            "results/train": "deleted",
            "command": "changed command",
        }
    }
