"""What is made of the records of a run: the table of times, the headline numbers beside it, and the RO-Crate."""

import json
from pathlib import Path

import pandas as pd
import pytest
from rocrate.rocrate import ROCrate

from prm_scaling.analysis.headline import headline
from prm_scaling.analysis.times import critical_path, read_times, table
from prm_scaling.plots.report import render
from prm_scaling.provenance.crate import read_crate, write_crate
from prm_scaling.provenance.graph import Job, makers
from prm_scaling.provenance.record import NotAsMade, sha256
from prm_scaling.provenance.recorded import NotRecorded, Recorded
from prm_scaling.provenance.why import Walk


def record(name: str, seconds: float, inputs: list[str], outputs: list[str], started: str = "2026") -> None:
    """A record, with its outputs."""
    path = Path("logs/smoke/train", f"{name}.json")
    path.parent.mkdir(parents=True, exist_ok=True)
    for output in outputs:
        Path(output).write_text(output)
    told = {
        "rule": name,
        "wildcards": {"x": "1"},
        "started": started,
        "ended": started,
        "seconds": seconds,
        "cpu_seconds": seconds,
        "megabytes": 10.0,
        "threads": 1,
        "command": f"snakemake {name}",
        "commit": "abc",
        "dirty": False,
        "changed": [],
        "seed": 0,
        "parameters": {"batch": 4},
        "parameters_sha256": "f",
        "versions": {"python": "3.11"},
        "machine": {"cores": 2},
        "inputs": {path: sha256(path) if Path(path).exists() else "" for path in inputs},
        "outputs": {path: sha256(path) for path in outputs},
    }
    path.write_text(json.dumps(told))


@pytest.fixture
def diamond(tmp_path, monkeypatch) -> Path:
    """a is read by b and c, both by d; c takes longer than b, and e, which nobody waits for, longer than each."""
    monkeypatch.chdir(tmp_path)
    record("a", 2, [], ["a1", "a2"], "1")
    record("c", 5, ["a2"], ["c1"], "2")
    record("b", 4, ["a1"], ["b1"], "3")
    record("d", 1, ["b1", "c1"], ["d1"], "4")
    record("e", 7.5, [], ["e1"], "5")
    return Path("logs/smoke")


def test_the_longest_chain_is_the_one_that_nothing_can_shorten(diamond):
    """Wrong behaviour: the longest job alone, or the chain with the most jobs."""
    times = read_times(diamond)
    assert [times[i].job for i in critical_path(times)] == ["a 1", "c 1", "d 1"]
    rows = table(times)
    assert list(rows["job"]) == ["a 1", "c 1", "b 1", "d 1", "e 1"]
    assert list(rows[rows["critical"]]["job"]) == ["a 1", "c 1", "d 1"]
    assert set(rows["phase"]) == {"train"}


def test_a_record_whose_results_are_gone_is_not_counted(diamond):
    Path("e1").unlink()
    assert "e 1" not in [time.job for time in read_times(diamond)]


def test_a_broken_record_is_named(diamond):
    (diamond / "train" / "b.json").write_text('{"rule": "b"')
    with pytest.raises(ValueError, match=r"train/b\.json: not the record of a job .* delete it"):
        read_times(diamond)


def test_without_a_job_there_is_no_chain(tmp_path):
    assert critical_path(read_times(tmp_path)) == []
    assert table([]).empty


def test_the_page_shows_the_jobs_and_the_longest_chain(diamond):
    page = render([], [], table(read_times(diamond)), {})
    assert "5 jobs took 19.5 s in all" in page
    assert "has 3 and takes 8.0 s" in " ".join(page.split())
    assert page.count("<td>✓</td>") == 3


# --- metrics -----------------------------------------------------------------------------------------------------


def test_headline_numbers_are_of_the_policy_and_of_the_largest_budget():
    world = pd.DataFrame(
        [
            ("policy-math", "sampled", 0.3),
            ("policy-math", "best-of-16 by aslaf-124k", 0.6),
            ("12k-math", "sampled", 0.9),
            ("policy-code", "sampled", None),
        ],
        columns=["pool", "measure", "value"],
    )
    verifier = pd.DataFrame([("aslaf", "1k", 0.7), ("aslaf", "3k", 0.8)], columns=["prm", "model", "auc"])
    strategies = pd.DataFrame(
        [("seen", "beam", 4, 0.1), ("seen", "beam", 8, 0.2)], columns=["dataset", "strategy", "budget", "accuracy"]
    )
    noise = pd.DataFrame([("math", "judge_a", 0.14)], columns=["domain", "annotator", "noise"])
    assert headline(world, verifier, strategies, noise, "policy") == {
        "policy": {"policy-math": {"sampled": 0.3, "best-of-16": 0.6}},
        "step_auc": {"aslaf": {"1k": 0.7, "3k": 0.8}},
        "accuracy_at_8": {"seen": {"beam": 0.2}},
        "label_noise": {"math": {"judge_a": 0.14}},
    }


# --- the crate -----------------------------------------------------------------------------------------------------


def graph() -> list[Job]:
    """The jobs of the diamond."""
    edges = {"a": ([], ["a1", "a2"]), "b": (["a1"], ["b1"]), "c": (["a2"], ["c1"]), "d": (["b1", "c1"], ["d1"])}
    return [
        Job(name, "train", {}, tuple(read), tuple(made), (f"logs/smoke/train/{name}.log",), {}, 1, {})
        for name, (read, made) in edges.items()
    ]


def test_a_crate_tells_who_made_what_of_what(diamond):
    told = write_crate(graph(), "smoke")
    assert (told.jobs, told.unrecorded) == (4, ())
    crate = ROCrate(".")  # the library reads what it wrote
    assert crate.version == "1.1", "what Process Run Crate 0.5 builds on"
    action = crate.get("#logs/smoke/train/d.json")
    assert action.type == "CreateAction" and action["startTime"] == "4"
    assert {entity.id for entity in action["object"] if entity.type == "File"} == {"b1", "c1"}
    assert [entity.id for entity in action["result"]] == ["d1"]
    assert crate.get("d1")["sha256"] == sha256("d1")
    assert crate.mainEntity.id == "Snakefile"
    values = {entity["name"]: entity["value"] for entity in action["additionalProperty"]}
    assert values["commit"] == '"abc"' and values["dirty"] == "false" and values["machine.cores"] == "2"


def test_a_crate_without_the_records_tells_when_and_with_which_code_a_job_ran(diamond):
    """Wrong behaviour: a clone, which has no logs, knows nothing of how its results were made."""
    jobs = graph()
    write_crate(jobs, "smoke")
    for path in diamond.glob("*/*.json"):
        path.unlink()
    walk = Walk(makers(jobs), Recorded({}, {}, {}, ""), read_crate())
    assert "made at 4, in 1 s, commit abc" in "\n".join(walk.job(jobs[-1]))
    Path("d1").write_text("edited")
    assert "made at 4" not in "\n".join(walk.facts(jobs[-1])), "of another file"


def test_what_has_no_record_has_a_hash_and_no_job(diamond):
    Path("logs/smoke/train/a.json").unlink()
    assert write_crate(graph(), "smoke").unrecorded == ("a1", "a2")
    crate = ROCrate(".")
    assert crate.get("a1")["sha256"] == sha256("a1")
    assert crate.get("#logs/smoke/train/a.json") is None


def test_an_edited_result_is_no_part_of_a_crate(diamond):
    """Wrong behaviour: a table edited by hand, with the record of the job that made another one."""
    Path("d1").write_text("edited")
    with pytest.raises(NotAsMade, match=r"d1 \(logs/smoke/train/d\.json\)"):
        write_crate(graph(), "smoke")
    assert not Path("ro-crate-metadata.json").exists()


def test_without_records_there_is_no_crate(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotRecorded, match="no job of scale smoke left a record"):
        write_crate(graph(), "smoke")
