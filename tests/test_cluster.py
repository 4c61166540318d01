"""On a real SLURM: jobs cancelled, out of memory, past their time; a node that goes down; Snakemake killed."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from services import end_all_in, wait_until
from slurm import Cluster, cluster, on_cluster, with_profile

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]

SNAKEFILE = """
rule all:
    input: "out/quick.txt", "out/slow.txt"
rule quick:
    output: "out/quick.txt"
    shell: "echo $TMPDIR >> quick.started; echo done > {output}"
rule slow:
    output: "out/slow.txt"
    shell: "echo started >> slow.started; while [ ! -e go ]; do sleep 0.2; done; echo done > {output}"
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> Iterator[Cluster]:
    """A cluster."""
    with cluster(tmp_path_factory.mktemp("slurm")) as running:
        yield running


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
    status = process.wait(timeout=600)
    assert status == 0, (folder / "words.txt").read_text()[-3000:] + slurm.logs()
    assert (folder / "out" / "slow.txt").read_text() == "done\n"


@pytest.fixture
def toy(tmp_path, slurm) -> Iterator[tuple[Path, subprocess.Popen]]:
    """Two jobs of which one is done and one runs on a node, and the Snakemake that waits for them."""
    folder = with_profile(tmp_path / "toy")
    (folder / "Snakefile").write_text(SNAKEFILE)
    process = start(folder, slurm)
    try:
        wait_until(lambda: lines(folder / "slow.started") == 1, (folder / "words.txt").read_text())
        wait_until((folder / "out" / "quick.txt").exists, "the quick job")
        yield folder, process
    finally:
        process.kill()
        process.wait()
        subprocess.run(["scancel", "--user=root"], env=on_cluster(folder, slurm), check=True)
        wait_until(lambda: not slurm.jobs(), "the end of all jobs")
        end_all_in(folder)


def slow_job(slurm: Cluster) -> str:
    """The id of the one job that runs."""
    wait_until(lambda: len(slurm.jobs()) == 1, "that only the slow job is left")
    return next(iter(slurm.jobs()))


def test_what_is_temporary_is_on_the_disk_of_the_node(toy, slurm):
    """Wrong behaviour: TMPDIR of the login node, or a folder that all nodes share."""
    folder, process = toy
    assert (folder / "quick.started").read_text().split() == [f"{slurm.folder}/scratch/{slurm.nodes[0]}"]
    finish(folder, slurm, process)


def test_a_cancelled_job_comes_back(toy, slurm):
    """Wrong behaviour: one `scancel` by an administrator ends the whole run."""
    folder, process = toy
    slurm.ask("scancel", slow_job(slurm))
    wait_until(lambda: lines(folder / "slow.started") == 2, "a second try")
    finish(folder, slurm, process)
    assert lines(folder / "quick.started") == 1


def test_a_run_outlives_a_node_that_goes_down_and_comes_up(toy, slurm):
    """Wrong behaviour: the run fails with the node, or waits for ever for a job that is no more."""
    folder, process = toy
    job = slow_job(slurm)
    slurm.set_node("down")
    wait_until(lambda: slurm.jobs() == {job: "PENDING"}, "the job back in the queue")
    # Were it up before the old try has ended there, SLURM would take it out of service for a job that it has twice.
    wait_until(lambda: not slurm.steps_of(job), "the end of the first try")
    slurm.set_node("resume")
    # SLURM would let it wait for two minutes.
    slurm.ask("scontrol", "update", f"JobId={job}", "StartTime=now")
    wait_until(lambda: lines(folder / "slow.started") >= 2, "a second try")
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
    wait_until(lambda: not slurm.jobs(), "the end of the job")
    subprocess.run(["snakemake", "--unlock"], cwd=folder, env=on_cluster(folder, slurm), check=True)
    process = start(folder, slurm)
    wait_until(lambda: lines(folder / "slow.started") == 2, "the job that was in flight")
    finish(folder, slurm, process)
    assert lines(folder / "quick.started") == 1


# --- limits ---

# What these jobs ask for at first is too little: of memory the one, of time the other, a minute being SLURM's least.
LIMITED = """
rule all:
    input: "out/hungry.txt", "out/long.txt", expand("out/short{i}.txt", i=range(4))
rule short:
    output: "out/short{i}.txt"
    group: "short"
    resources: mem_mb=300, runtime=2
    shell: "echo $SLURM_JOB_ID > {output}"
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
from pathlib import Path
held = bytearray(700 << 20)
held[::4096] = b"x" * len(held[::4096])
if Path("hungry.started").read_text() == "started\\n":
    time.sleep(240)  # until it is ended, as usage is looked at every second
"""
# 40 steps of the project's own training; the first time that it comes to the 12th it stays there until its time is up.
LONG = """
import time
from pathlib import Path
import torch
from prm_scaling.models.example import Example
from prm_scaling.models.ladder import new_model, next_token_loss
from prm_scaling.models.training import Settings, fit
torch.set_num_threads(1)
told = Path("steps.txt")
again = told.exists() and "12" in told.read_text().split()
def report(step, steps, loss):
    with told.open("a") as file:
        print(step, file=file)
    if step == 12 and not again:
        time.sleep(3600)
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
        ["snakemake", "--group-components", "short=4"],
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


def test_a_group_asks_for_the_minutes_of_its_jobs_one_after_another(limited, slurm):
    """Wrong behaviour: the cores of many and the minutes of one, while the executor runs one job at a time."""
    (job,) = {path.read_text().strip() for path in (limited / "out").glob("short*.txt")}
    (ended,) = [line for line in slurm.completed().splitlines() if line.startswith(f"JobId={job} ")]
    assert "TimeLimit=8 " in ended and "ProcCnt=1 " in ended and "mem=300M" in ended


def test_a_training_past_its_time_goes_on_from_its_checkpoint(limited, slurm):
    """Wrong behaviour: it begins at step 0 each time, and is never done."""
    # On a slow machine the first minute may not do for twelve steps.
    assert slurm.finished().count("TIMEOUT") >= 1
    steps = [int(line) for line in (limited / "steps.txt").read_text().split()]
    # The checkpoints are those of every eighth step.
    assert steps[steps.index(12) :] == [12, *range(9, 41)]
