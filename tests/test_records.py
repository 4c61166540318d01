"""The record that a job leaves beside its log, the table of times made of them, and the RO-Crate of a run."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
from rocrate.rocrate import ROCrate

from prm_scaling.analysis.headline import headline
from prm_scaling.analysis.times import critical_path, read_times, table
from prm_scaling.plots.report import render
from prm_scaling.provenance.committed import is_committed
from prm_scaling.provenance.crate import write_crate
from prm_scaling.provenance.graph import Job
from prm_scaling.provenance.record import NotAsMade, refuse_edited, sha256
from prm_scaling.provenance.recorded import NotRecorded

LOG, RECORD = Path("logs/smoke/train/m.log"), Path("logs/smoke/train/m.json")
# As Snakemake begins a script: its job is a global, and the file that it was made of is said.
SCRIPT = """
from types import SimpleNamespace
class Named(list):
    def items(self): return []
snakemake = SimpleNamespace(
    rule="train_prm", threads=1, log=["logs/smoke/train/m.log"], input=["in.txt"], output=Named(["out.txt"]),
    params={"batch": 4}, wildcards={"size": "3k"}, config={"seed": 7, "scale": "smoke"},
)
__file__ = "workflow/scripts/train_prm.py"
from prm_scaling.job import begin
begin(snakemake.log[0], 1)
from pathlib import Path
"""


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A small checkout, committed; the current folder."""
    monkeypatch.chdir(tmp_path)
    for path in (LOG.parent, Path("workflow/scripts"), Path("config")):
        path.mkdir(parents=True)
    for path in ("in.txt", "params.yaml", "config/smoke.yaml", "workflow/scripts/train_prm.py"):
        Path(path).write_text(path)
    git("init", "--quiet")
    git("add", ".")
    git("-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "--quiet", "-m", "as it stands")
    return tmp_path


def git(*words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True).stdout.strip()


def run(body: str, **environment: str) -> int:
    """Run a script of one job; its exit status."""
    return subprocess.run([sys.executable, "-c", SCRIPT + body], env={**os.environ, **environment}).returncode


def made(body: str = "Path('out.txt').write_text('made')", **environment: str) -> dict:
    """The record of a job that ends well."""
    assert run(body, **environment) == 0, LOG.read_text()
    return json.loads(RECORD.read_text())


# --- the record ---------------------------------------------------------------------------------------------------


def test_a_record_says_what_was_read_and_made_by_what_code_when_and_where(folder):
    record = made()
    assert record["commit"] == git("rev-parse", "HEAD")
    assert (record["dirty"], record["changed"]) == (False, [])
    files = ("in.txt", "params.yaml", "config/smoke.yaml", "workflow/scripts/train_prm.py")
    assert record["inputs"] == {path: sha256(path) for path in files}
    assert record["outputs"] == {"out.txt": sha256("out.txt")}
    assert record["command"] == "snakemake --force --allowed-rules train_prm -- out.txt"
    assert (record["seed"], record["wildcards"], record["parameters"]) == (7, {"size": "3k"}, {"batch": 4})
    assert record["started"] <= record["ended"] and record["started"].endswith("+00:00")
    assert record["seconds"] > 0 and record["cpu_seconds"] > 0 and record["megabytes"] > 5
    assert record["versions"]["numpy"] and record["machine"]["cores"] and record["machine"]["gigabytes"] > 0


def test_a_record_counts_what_the_job_held_and_not_what_started_it(folder):
    """Wrong behaviour (ru_maxrss): every small job is said to need what Snakemake holds."""
    large = "import subprocess, sys; held = b'x' * 400_000_000; sys.exit(subprocess.run(sys.argv[1:]).returncode)"
    body = "import time; time.sleep(0.3); Path('out.txt').touch()"
    assert subprocess.run([sys.executable, "-c", large, sys.executable, "-c", SCRIPT + body]).returncode == 0
    record = json.loads(RECORD.read_text())
    assert record["megabytes"] < 200
    assert record["seconds"] > 0.3


def test_a_record_names_the_code_that_is_not_the_commits(folder):
    Path("params.yaml").write_text("seed: 8")
    record = made()
    assert (record["dirty"], record["changed"]) == (True, ["params.yaml"])
    Path("elsewhere.txt").touch()  # cannot change what a job does
    assert made()["changed"] == ["params.yaml"]


def test_other_parameters_have_another_hash(folder):
    body = "Path('out.txt').touch()"
    assert made(body)["parameters_sha256"] == made(body)["parameters_sha256"]
    assert made(body)["parameters_sha256"] != made("snakemake.params['batch'] = 5\n" + body)["parameters_sha256"]


@pytest.mark.parametrize("end", ["raise ValueError", "raise SystemExit(3)", "import os; os._exit(9)", "pass"])
def test_a_job_that_fails_leaves_no_record_nor_an_older_ones(folder, end):
    """Wrong behaviour: beside a half-made result, the record of the whole one that was there before."""
    made()
    Path("out.txt").unlink()
    assert run(end) == {"raise ValueError": 1, "raise SystemExit(3)": 3, "import os; os._exit(9)": 9, "pass": 0}[end]
    assert not RECORD.exists()


READER = (
    SCRIPT.replace("in.txt", "out.txt").replace('Named(["out.txt"])', 'Named(["next.txt"])').replace("m.log", "n.log")
)


def reads() -> str:
    """What a job says that reads what the first one made; empty if it ends well."""
    done = subprocess.run([sys.executable, "-c", READER + "Path('next.txt').touch()"])
    return Path("logs/smoke/train/n.log").read_text() if done.returncode else ""


def test_a_job_refuses_to_read_what_was_edited_after_it_was_made(folder):
    """Wrong behaviour: Snakemake takes an edited or damaged file for a newer one, and makes everything of it anew."""
    made()
    assert reads() == ""
    Path("out.txt").write_text("edited")
    told = reads()
    assert "edited or damaged" in told and "out.txt (logs/smoke/train/m.json)" in told
    assert "Delete such a file and run" in told
    RECORD.unlink()
    assert reads() == ""


def test_an_edited_result_that_nobody_reads_is_found_at_the_end_of_a_run(folder):
    """Wrong behaviour: "Nothing to be done", and a table that no run has made."""
    made()
    refuse_edited(Path("logs/smoke"))
    Path("out.txt").write_text("edited")
    with pytest.raises(NotAsMade, match=r"out\.txt"):
        refuse_edited(Path("logs/smoke"))
    Path("out.txt").unlink()
    refuse_edited(Path("logs/smoke"))


def test_a_broken_record_is_told_by_the_job_that_meets_it(folder):
    made()
    RECORD.write_text("{")
    assert "m.json is not the record of a job" in reads()


def test_what_the_commit_has_may_differ_from_what_was_made_here(folder):
    """Wrong behaviour: after a switch to another branch and its results, every job calls them edited."""
    made()
    Path("out.txt").write_text("of another branch")
    assert "edited or damaged" in reads()
    git("add", "-f", "out.txt")
    git("-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "--quiet", "-m", "a result in git")
    assert reads() == ""


def test_what_the_commits_dvc_lock_has_may_differ_too(folder):
    made()
    Path("out.txt").write_text("of another branch")
    digest = hashlib.md5(b"of another branch").hexdigest()
    listing = Path(".dvc/cache/files/md5/ab/cd.dir")
    listing.parent.mkdir(parents=True)
    listing.write_text(json.dumps([{"relpath": "x", "md5": digest}]))
    Path("results").mkdir()
    Path("results/x").write_text("of another branch")
    outs = [{"path": "out.txt", "md5": digest}, {"path": "results", "md5": "abcd.dir"}]
    Path("dvc.lock").write_text(json.dumps({"stages": {"train": {"outs": outs}}}))
    assert not is_committed("out.txt"), (
        "a dvc.lock that is not committed vouches for nothing: a repro may have written it"
    )
    git("add", "dvc.lock")
    git("-c", "user.name=a", "-c", "user.email=a@localhost", "commit", "--quiet", "-m", "locked")
    assert is_committed("out.txt") and is_committed("results/x")
    Path("out.txt").write_text("edited")
    assert not is_committed("out.txt")


def test_a_job_that_has_another_name_now_takes_its_outputs_over(folder):
    """Wrong behaviour: the record under the old name calls what the new job makes edited."""
    made()
    RECORD.rename(RECORD.with_name("former.json"))
    made("Path('out.txt').write_text('made otherwise')")
    assert [path.name for path in RECORD.parent.glob("*.json")] == ["m.json"]
    assert reads() == ""


def test_a_child_of_a_job_writes_no_record(folder):
    """Wrong behaviour: a forked worker ends first and vouches for outputs that the job has not finished."""
    Path("out.txt").touch()
    run("import os, sys\nif os.fork() == 0: sys.exit(0)\nos.wait()\nos._exit(0)")
    assert not RECORD.exists()


def test_no_secret_of_the_environment_gets_into_a_record(folder):
    secrets = {"AWS_SECRET_ACCESS_KEY": "sesame-1", "HF_TOKEN": "sesame-2", "PIP_INDEX_URL": "https://u:sesame-3@host"}
    made(**secrets)
    assert "sesame" not in RECORD.read_text() + LOG.read_text()


class Refusing(BaseHTTPRequestHandler):
    """A server whose answer to everything is that one has no right to it."""

    def do_GET(self):
        self.send_response(401)
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, *words):
        pass


@pytest.fixture
def refusing() -> Iterator[str]:
    """Host and port of such a server."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_no_secret_gets_into_the_log_of_a_job_that_fails(folder, refusing):
    """Wrong behaviour: a library's error that names the address with its password, or a token, as it was given."""
    secrets = {"HF_ENDPOINT": f"http://me:sesame-1@{refusing}", "HF_HUB_OFFLINE": "0", "HF_TOKEN": "sesame-2"}
    assert run("from huggingface_hub import model_info\nmodel_info('a/b')", **secrets) == 1
    told = LOG.read_text()
    assert f"401 Unauthorized' for url 'http://***@{refusing}/api/models/a/b'" in told and "sesame" not in told
    assert run("import os\nraise ValueError(f'{os.environ[\"HF_TOKEN\"]} is refused')", **secrets) == 1
    assert "ValueError: *** is refused" in LOG.read_text()


def test_what_only_looks_like_a_secret_is_logged(folder):
    made("print('http://host:80/a@b', 'true', 1)\nPath('out.txt').touch()", TOKENIZERS_PARALLELISM="true", KEY="1")
    assert "http://host:80/a@b true 1" in LOG.read_text()


# --- the table of times ---------------------------------------------------------------------------------------------


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
    action = crate.get("#logs/smoke/train/d.json")
    assert action.type == "CreateAction" and action["startTime"] == "4"
    assert {entity.id for entity in action["object"] if entity.type == "File"} == {"b1", "c1"}
    assert [entity.id for entity in action["result"]] == ["d1"]
    assert crate.get("d1")["sha256"] == sha256("d1")
    assert crate.mainEntity.id == "Snakefile"
    values = {entity["name"]: entity["value"] for entity in action["additionalProperty"]}
    assert values["commit"] == '"abc"' and values["dirty"] == "false" and values["machine.cores"] == "2"


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
