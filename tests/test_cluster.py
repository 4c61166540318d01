"""The workflow on a real SLURM: jobs that are cancelled, a node that goes down, a scheduler that is killed."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from checkout import BINARIES, choose_scale, copy_to, environment
from clones import provenance
from conftest import ROOT
from real_conda import starts
from services import end_all_in, wait_until
from slurm import Cluster, cluster

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]

# What profiles/slurm says of clusters without accounting; and asked after often, for tests.
NO_ACCOUNTING = "slurm-status-command: squeue\n"
IMPATIENT = "slurm-init-seconds-before-status-checks: 1\nseconds-between-status-checks: 2\n"
SNAKEFILE = """
rule all:
    input: "out/quick.txt", "out/slow.txt"
rule quick:
    output: "out/quick.txt"
    shell: "echo $SLURM_JOB_ID >> quick.started; echo done > {output}"
rule slow:
    output: "out/slow.txt"
    shell: "echo started >> slow.started; while [ ! -e go ]; do sleep 0.2; done; echo done > {output}"
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> Iterator[Cluster]:
    """A cluster."""
    with cluster(tmp_path_factory.mktemp("slurm")) as running:
        yield running


def on_cluster(folder: Path, slurm: Cluster) -> dict[str, str]:
    """The environment of a login node."""
    path = f"{slurm.folder / 'bin'}{os.pathsep}{BINARIES}{os.pathsep}{slurm.environment['PATH']}"
    return {**environment(folder), **slurm.environment, "PATH": path, "SNAKEMAKE_PROFILE": "profiles/slurm"}


def with_profile(folder: Path) -> Path:
    """Give a folder this checkout's profile of clusters, set for one without accounting."""
    text = (ROOT / "profiles" / "slurm" / "config.yaml").read_text()
    assert "# Where the cluster has no accounting (no sacct): slurm-status-command: squeue" in text
    (folder / "profiles" / "slurm").mkdir(parents=True, exist_ok=True)
    (folder / "profiles" / "slurm" / "config.yaml").write_text(text + NO_ACCOUNTING + IMPATIENT)
    return folder


def start(folder: Path, slurm: Cluster) -> subprocess.Popen:
    """Snakemake, under way on the login node; its words go to a file."""
    with (folder / "words.txt").open("a") as words:
        return subprocess.Popen(
            ["snakemake", "--rerun-incomplete"],
            cwd=folder,
            env=on_cluster(folder, slurm),
            stdout=words,
            stderr=words,
        )


def lines(path: Path) -> int:
    """How many lines a file has; none where there is no file."""
    return len(path.read_text().splitlines()) if path.exists() else 0


def finish(folder: Path, slurm: Cluster, process: subprocess.Popen) -> None:
    """Let the slow job end and the run with it, well."""
    (folder / "go").touch()
    status = process.wait(timeout=150)
    assert status == 0, (folder / "words.txt").read_text()[-3000:] + slurm.logs()
    assert (folder / "out" / "slow.txt").read_text() == "done\n"


@pytest.fixture
def toy(tmp_path, slurm) -> Iterator[tuple[Path, subprocess.Popen]]:
    """Two jobs of which one is done and one runs on a node, and the Snakemake that waits for them."""
    folder = with_profile(tmp_path / "toy")
    (folder / "Snakefile").write_text(SNAKEFILE)
    process = start(folder, slurm)
    try:
        wait_until(lambda: lines(folder / "slow.started") == 1, (folder / "words.txt").read_text(), 90)
        wait_until((folder / "out" / "quick.txt").exists, "the quick job", 60)
        yield folder, process
    finally:
        process.kill()
        process.wait()
        subprocess.run(["scancel", "--user=root"], env=on_cluster(folder, slurm), check=True)
        wait_until(lambda: not slurm.jobs(), "the end of all jobs", 60)
        end_all_in(folder)


def slow_job(slurm: Cluster) -> str:
    """The id of the one job that runs."""
    wait_until(lambda: len(slurm.jobs()) == 1, "that only the slow job is left", 60)
    return next(iter(slurm.jobs()))


def test_a_cancelled_job_comes_back(toy, slurm):
    """Wrong behaviour: one `scancel` by an administrator ends the whole run."""
    folder, process = toy
    slurm.ask("scancel", slow_job(slurm))
    wait_until(lambda: lines(folder / "slow.started") == 2, "a second try", 90)
    finish(folder, slurm, process)
    assert lines(folder / "quick.started") == 1


def test_a_run_outlives_a_node_that_goes_down_and_comes_up(toy, slurm):
    """Wrong behaviour: the run fails with the node, or waits for ever for a job that is no more."""
    folder, process = toy
    job = slow_job(slurm)
    slurm.set_node("down")
    wait_until(lambda: slurm.jobs() == {job: "PENDING"}, "the job back in the queue")
    # Were it up before the old try has ended there, SLURM would take it out of service for a job that it has twice.
    wait_until(
        lambda: f"[{job}.0] done with job" in (slurm.folder / "slurmd.log").read_text(), "the end of the first try"
    )
    slurm.set_node("resume")
    # SLURM would let it wait for two minutes.
    slurm.ask("scontrol", "update", f"JobId={job}", "StartTime=now")
    wait_until(lambda: lines(folder / "slow.started") >= 2, "a second try", 120)
    finish(folder, slurm, process)
    assert lines(folder / "quick.started") == 1


def test_after_a_kill_of_snakemake_the_documented_way_leads_back(toy, slurm):
    """Wrong behaviour: two jobs that write one file, and what was done is done again."""
    folder, process = toy
    slow_job(slurm)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(slurm.jobs()) == 1, "its job does not end with it"
    # As profiles/slurm and the README say: end its jobs, take back the lock, go on.
    slurm.ask("scancel", "--user=root")
    wait_until(lambda: not slurm.jobs(), "the end of the job", 60)
    subprocess.run(["snakemake", "--unlock"], cwd=folder, env=on_cluster(folder, slurm), check=True)
    process = start(folder, slurm)
    wait_until(lambda: lines(folder / "slow.started") == 2, "the job that was in flight", 90)
    finish(folder, slurm, process)
    assert lines(folder / "quick.started") == 1


# --- limits ---

# What these jobs ask for at first is too little: of memory the one, of time the other, a minute being SLURM's least.
LIMITED = """
rule all:
    input: "out/hungry.txt", "out/long.txt"
rule hungry:
    output: "out/hungry.txt"
    resources: mem_mb=lambda w, attempt: 600 * attempt, runtime=5
    shell: "echo started >> hungry.started; {PYTHON} hungry.py; echo done > {output}"
rule long:
    output: "out/long.txt"
    resources: mem_mb=4000, runtime=lambda w, attempt: attempt
    shell: "{PYTHON} long.py; echo done > {output}"
"""
HUNGRY = """
import time
held = bytearray(700 << 20)
held[::4096] = b"x" * len(held[::4096])
time.sleep(10)  # usage is looked at every second
"""
# 40 steps of the project's own training that take 2.6 seconds each: between one time limit and two.
LONG = """
import time
from pathlib import Path
import torch
from prm_scaling.models.example import Example
from prm_scaling.models.ladder import new_model, next_token_loss
from prm_scaling.models.training import Settings, fit
torch.set_num_threads(1)
def report(step, steps, loss):
    with open("steps.txt", "a") as file:
        print(step, file=file)
    time.sleep(2.6)
counting = [Example(tuple(range(i, i + 6)), tuple(map(float, range(i + 1, i + 7)))) for i in range(12)]
fit(new_model(1, 16, 2, 40, 5), counting, next_token_loss, Settings(40, 4, 0.01, 0), Path("work"), {}, report)
"""


@pytest.fixture(scope="module")
def limited(tmp_path_factory, slurm) -> Path:
    """A run whose jobs ask for too little at first."""
    folder = with_profile(tmp_path_factory.mktemp("limited"))
    (folder / "Snakefile").write_text(LIMITED.replace("{PYTHON}", sys.executable))
    (folder / "hungry.py").write_text(HUNGRY)
    (folder / "long.py").write_text(LONG)
    done = subprocess.run(
        ["snakemake"],
        cwd=folder,
        env=on_cluster(folder, slurm) | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:] + slurm.logs()
    return folder


def test_a_job_out_of_memory_comes_back_with_more(limited, slurm):
    """Wrong behaviour: it comes back with as little as before, until its tries are used up."""
    said = "".join(path.read_text(errors="replace") for path in (limited / "logs" / "slurm").rglob("*hungry*/*.log"))
    assert "exceeded memory limit" in said
    assert lines(limited / "hungry.started") == 2
    asked = [memory for memory in re.findall(r"Tres=\S*mem=(\w+)", slurm.completed()) if memory in ("600M", "1200M")]
    assert asked == ["600M", "1200M"]


def test_a_training_past_its_time_goes_on_from_its_checkpoint(limited, slurm):
    """Wrong behaviour: it begins at step 0 each time, and is never done."""
    assert slurm.finished().count("TIMEOUT") == 1
    steps = [int(line) for line in (limited / "steps.txt").read_text().split()]
    again = next(i for i, (a, b) in enumerate(pairwise(steps), 1) if b != a + 1)
    assert steps[:again] == list(range(1, again + 1))
    # The checkpoints are those of every eighth step.
    began = steps[again]
    assert began > 1 and began % 8 == 1 and began <= again + 1
    assert steps[again:] == list(range(began, 41))


# --- the smoke scale, in conda's environments ---

# Half of its jobs, which takes some minutes, or all of them.
WHOLE = bool(os.environ.get("PRM_TEST_WHOLE"))


@pytest.fixture(scope="module")
def smoke(tmp_path_factory, slurm, conda) -> Path:
    """The smoke scale on the cluster, by `dvc repro` on the login node (conda wants a path without a space)."""
    folder = with_profile(copy_to(tmp_path_factory.mktemp("smoke") / "folder"))
    choose_scale(folder, "smoke")
    with (folder / "profiles" / "slurm" / "config.yaml").open("a") as profile:
        profile.write("software-deployment-method: conda\n")
    login = on_cluster(folder, slurm)
    done = subprocess.run(
        ["dvc", "repro", *([] if WHOLE else ["train"])],
        cwd=folder,
        env=login | {"PATH": conda.path(login["PATH"])},
        capture_output=True,
        text=True,
        timeout=2400,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:] + slurm.logs()
    return folder


def test_the_smoke_scale_runs_on_the_cluster_by_dvc(smoke, slurm):
    last = "report.html" if WHOLE else "train/aslaf-12k-s0/prm.json"
    assert (smoke / "results" / "smoke" / last).is_file()
    ended = slurm.finished()
    assert ended.count("COMPLETED") >= (40 if WHOLE else 20), "the jobs ran elsewhere"
    stages = yaml.safe_load((smoke / "dvc.lock").read_text())["stages"]
    assert {"problems", "models", "chains", "annotate", "filter", "train"} <= set(stages)
    assert not any("slurm" in stage["cmd"] or "cores" in stage["cmd"] for stage in stages.values())


def test_short_jobs_are_submitted_together(smoke, slurm):
    """Wrong behaviour: a job of SLURM for each of a thousand figures."""
    ended = [line for line in slurm.completed().splitlines() if f"WorkDir={smoke} " in line]
    # All jobs of one Snakemake bear one name, and the first of DVC's stages makes the problems.
    runs = [re.search(r" Name=(\S+)", line)[1] for line in ended]
    made = len(list((smoke / "results" / "smoke" / "problems").glob("*.parquet")))
    assert 0 < runs.count(runs[0]) < made / 3


def test_the_jobs_ran_in_environments_of_conda(smoke, conda):
    """Wrong behaviour: environments that are made, and not activated."""
    began = starts(smoke)
    assert set(began) == {"analysis", "model"}
    assert began["model"] >= 20 and began["analysis"] >= 1


def test_after_the_cluster_the_local_executor_goes_on_in_the_same_environments(smoke, conda):
    here = environment(smoke)
    here["PATH"] = conda.path(here["PATH"])
    began = starts(smoke)
    rules = ["filter_consensus", "make_tokenizer"]
    forced = ["--forcerun", *rules, "--allowed-rules", *rules]
    targets = ["results/smoke/filter/aslaf.parquet", "results/smoke/models/tokenizer/tokenizer.json"]
    command = ["snakemake", "--cores", "2", "--use-conda", *forced, "--", *targets]
    done = subprocess.run(command, cwd=smoke, env=here, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert all(count > began[name] for name, count in starts(smoke).items())


def test_a_node_made_on_the_cluster_is_made_the_same_here(smoke):
    status, told = provenance(smoke, "verify", "results/smoke/problems/math_train.parquet", "--cores", "1")
    assert status == 0, told
    assert told.splitlines()[-1] == "identical"
