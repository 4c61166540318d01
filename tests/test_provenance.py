"""`why` and `verify`: what they compare, what they call equal, and what they refuse."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from checkout import environment
from clones import commit, well
from safetensors.torch import save_file

from prm_scaling.provenance.compare import DIFFERENT, IDENTICAL, NOISE, Comparison, compare
from prm_scaling.provenance.graph import Job, makers
from prm_scaling.provenance.record import sha256
from prm_scaling.provenance.recorded import NotRecorded, Recorded, md5, recorded, stale_phases
from prm_scaling.provenance.verify import differing_surroundings, job_of, lay_out, refuse_other_inputs, report
from prm_scaling.provenance.why import Walk, standing

# --- files --------------------------------------------------------------------------------------------------------


def parquet(path: Path, **columns) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def compared(tmp_path: Path, first: dict, second: dict, name: str = "results/search/scores/x.parquet") -> Comparison:
    """Two Parquet files of these columns, compared."""
    return compare(name, parquet(tmp_path / "a.parquet", **first), parquet(tmp_path / "b.parquet", **second))


def test_the_same_bytes_are_identical(tmp_path):
    assert compared(tmp_path, {"x": [1.0]}, {"x": [1.0]}).verdict == IDENTICAL


def test_a_value_within_the_noise_is_told_with_its_column_and_size(tmp_path):
    found = compared(tmp_path, {"x": [1.0, 2.0], "y": [0, 0]}, {"x": [1.0, 2.0 + 2e-5], "y": [0, 0]})
    assert found.verdict == NOISE
    assert len(found.where) == 1 and "column x: 1 of 2 values differ, by 2e-05" in found.where[0]


def test_a_value_beyond_the_noise_is_different(tmp_path):
    found = compared(tmp_path, {"x": [1.0, 2.0, 3.0]}, {"x": [1.0, 2.0, 3.1]})
    assert found.verdict == DIFFERENT
    assert "(value 2: 3 recorded, 3.1 rebuilt)" in found.where[0]


def test_whole_numbers_and_texts_have_no_noise(tmp_path):
    """Wrong behaviour: a count of tokens that is off by one in a million passes as rounding."""
    assert compared(tmp_path, {"n": [1_000_000]}, {"n": [1_000_001]}).verdict == DIFFERENT
    found = compared(tmp_path, {"text": ["a", "b"]}, {"text": ["a", "c"]})
    assert found.verdict == DIFFERENT and "row 1: 'b' recorded, 'c' rebuilt" in found.where[0]


def test_missing_values_are_not_numbers(tmp_path):
    a, b = pa.array([1.0, None, 3.0]), pa.array([1.0, 2.0, None])
    assert compared(tmp_path, {"x": a}, {"x": b}).verdict == DIFFERENT
    assert compared(tmp_path, {"x": [np.nan, 1.0]}, {"x": [np.nan, 1.0 + 1e-6]}).verdict == NOISE


def test_lists_are_compared_by_length_and_then_by_value(tmp_path):
    """Wrong behaviour: [[1, 2], [3]] and [[1], [2, 3]] hold the same numbers."""
    moved = compared(tmp_path, {"r": [[1.0, 2.0], [3.0]]}, {"r": [[1.0], [2.0, 3.0]]})
    assert moved.verdict == DIFFERENT and "lists of another length" in moved.where[0]
    assert compared(tmp_path, {"r": [[1.0, 2.0]]}, {"r": [[1.0, 2.00001]]}).verdict == NOISE


def test_other_rows_columns_and_types_are_different(tmp_path):
    assert "2 rows recorded, 1 rebuilt" in compared(tmp_path, {"x": [1, 2]}, {"x": [1]}).where
    assert set(compared(tmp_path, {"x": [1]}, {"y": [1]}).where) == {"column x is missing", "column y is new"}
    assert "type int64, now double" in compared(tmp_path, {"x": [1]}, {"x": [1.0]}).where[0]


def test_measured_times_are_not_compared_where_they_are_measured(tmp_path):
    columns = {"tokens": [5], "score_seconds": [1.0]}, {"tokens": [5], "score_seconds": [9.0]}
    timed = compared(tmp_path, *columns, name="results/search/costs/x.parquet")
    assert timed.verdict == NOISE and "measured times" in timed.where[0]
    assert compared(tmp_path, *columns).verdict == DIFFERENT
    more = compared(tmp_path, columns[0], {"tokens": [6], "score_seconds": [9.0]}, "results/search/costs/x.parquet")
    assert more.verdict == DIFFERENT


def test_tables_in_text_are_compared_by_column(tmp_path):
    for name, value in (("a", "0.5"), ("b", "0.500001"), ("c", "0.6")):
        (tmp_path / f"{name}.csv").write_text(f"prm,accuracy\nx,{value}\n")
    near, far = (compare("t.csv", tmp_path / "a.csv", tmp_path / f"{name}.csv") for name in "bc")
    assert (near.verdict, far.verdict) == (NOISE, DIFFERENT)
    assert "column accuracy" in far.where[0]


def test_weights_are_compared_tensor_by_tensor(tmp_path):
    torch.manual_seed(0)
    one, other = torch.randn(8, 8), torch.randn(8, 8)
    for name, tensors in (
        ("a", {"layer": one, "head": other}),
        ("near", {"layer": one * 1.0001, "head": other}),
        ("far", {"layer": one, "head": other.flip(0)}),
        ("less", {"layer": one}),
    ):
        save_file({key: value.contiguous() for key, value in tensors.items()}, tmp_path / f"{name}.safetensors")
    near, far, less = (
        compare("m.safetensors", tmp_path / "a.safetensors", tmp_path / f"{name}.safetensors")
        for name in ("near", "far", "less")
    )
    assert near.verdict == NOISE and near.where == ("tensor layer: differs by 0.0001 of its norm",)
    assert far.verdict == DIFFERENT and far.where[0].startswith("tensor head")
    assert less.where == ("tensor head is missing",)


def test_another_machine_is_told_and_is_no_difference_of_the_model(tmp_path):
    record = {"step": 4, "provenance": {"versions": {"torch": "1"}, "inputs": {"x": "abc"}}}
    newer = {**record, "provenance": {**record["provenance"], "versions": {"torch": "2"}}}
    other = {**record, "provenance": {**record["provenance"], "inputs": {"x": "def"}}}
    for name, value in (("a", record), ("b", newer), ("c", other)):
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    told, wrong = (compare("prm.json", tmp_path / "a.json", tmp_path / f"{name}.json") for name in "bc")
    assert told.verdict == NOISE and 'provenance.versions.torch: "1" recorded, "2" rebuilt' in told.where
    assert wrong.verdict == DIFFERENT


def test_a_file_that_was_not_made_is_different(tmp_path):
    (tmp_path / "a.svg").write_text("<svg>\n<a/>")
    assert compare("a.svg", tmp_path / "a.svg", tmp_path / "none.svg").verdict == DIFFERENT
    (tmp_path / "b.svg").write_text("<svg>\n<b/>")
    assert "line 2" in compare("a.svg", tmp_path / "a.svg", tmp_path / "b.svg").where[0]


# --- a graph of three jobs ------------------------------------------------------------------------------------------


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
