"""The record that a job leaves beside its log, what is refused by it, and what a log does not say."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from prm_scaling.provenance.committed import is_committed
from prm_scaling.provenance.record import NotAsMade, refuse_edited, sha256

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
