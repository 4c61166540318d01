"""`./run`: scales, locks, kills and failures are told in words, on a workflow of a few shell commands."""

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml
from checkout import BINARIES
from conftest import ROOT

sys.path.append(str(ROOT / "workflow" / "progress"))
from snakemake_logger_plugin_phases import _last_words, phases_of_rules
from snakemake_logger_plugin_phases.board import Board

SNAKEFILE = """
include: "workflow/rules/first.smk"
include: "workflow/rules/second.smk"
rule all:
    default_target: True
    input: expand("out/{n}.txt", n=[1, 2]), "out/broken.txt"
"""
FIRST = """
rule make:
    output: "out/{n}.txt"
    wildcard_constraints: n="[0-9]"
    log: "logs/{n}.log"
    shell: "echo {wildcards.n} > {output} 2> {log}"
"""
SECOND = """
rule broken:
    output: "out/broken.txt"
    log: "logs/broken.log"
    shell: "(echo going well; echo '  a detail'; echo the cause of it) > {log}; exit 3"
rule patient:
    output: "out/patient.txt"
    log: "logs/patient.log"
    shell: "echo $$ > started; [ -e go ] || sleep 60; echo done > {output}"
"""

# `./run intact` of the toy: whether a result is as it was made is tested in test_records.py.
INTACT = """
import sys
from pathlib import Path
assert sys.argv[1:] == ["intact"]
sys.exit("out/1.txt was edited" if Path("edited").exists() else 0)
"""


@pytest.fixture
def toy(tmp_path) -> Path:
    """A folder with `run`, its logger and a small workflow, and an environment that is set up already."""
    folder = tmp_path / "a toy"
    for path, text in (
        ("Snakefile", SNAKEFILE),
        ("workflow/rules/first.smk", FIRST),
        ("workflow/rules/second.smk", SECOND),
        ("params.yaml", "scale: default\nresults: results\n"),
        ("tools/provenance.py", INTACT),
        ("requirements.txt", "torch==0\n"),
        ("../venv/requirements.sha256", hashlib.sha256(b"torch==0\n").hexdigest()),
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    shutil.copy2(ROOT / "run", folder / "run")
    ignored = shutil.ignore_patterns("__pycache__", "times.json")
    shutil.copytree(ROOT / "workflow" / "progress", folder / "workflow" / "progress", ignore=ignored)
    programs = tmp_path / "venv" / "bin"
    programs.mkdir()
    for name in ("python", "snakemake"):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{BINARIES / name}" "$@"\n')
        program.chmod(0o755)
    return folder


def started(folder: Path, *arguments: str, **variables: str) -> subprocess.Popen[str]:
    """A `./run` in ``folder`` that is under way."""
    return subprocess.Popen(
        [sys.executable, "run", *arguments],
        cwd=folder,
        env=os.environ | {"RUN_VENV": str(folder.parent / "venv")} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Exit status and words of a `./run`."""
    process = started(folder, *arguments, **variables)
    words, _ = process.communicate(timeout=60)
    return process.returncode, words


def wait_for(path: Path) -> str:
    """What a file holds once there is something in it."""
    until = time.monotonic() + 60
    while not (path.exists() and path.read_text().strip()):
        assert time.monotonic() < until, f"{path} never came"
        time.sleep(0.05)
    return path.read_text().strip()


def alive(process: int) -> bool:
    """Whether a process runs still."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")  # only on Linux; elsewhere nothing is known of zombies
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


# --- the environment --------------------------------------------------------------------------------------------


def test_an_environment_whose_path_has_a_space_is_refused(toy):
    status, words = run(toy, "setup", RUN_VENV=str(toy / "venv"))
    assert status == 1 and str(toy / "venv") in words and "RUN_VENV" in words
    assert not (toy / "venv").exists()


def test_the_environment_of_a_folder_with_a_space_lies_elsewhere(toy, tmp_path):
    """Wrong behaviour: every job fails with `/bin/bash: a: No such file or directory`."""
    cache = tmp_path / "cache"
    script = "import runpy, sys; print(runpy.run_path(sys.argv[1])['VENV'])"
    told = subprocess.run(
        [sys.executable, "-c", script, str(toy / "run")],
        env=os.environ | {"RUN_VENV": "", "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(told.stdout.strip()).parent == cache / "prm-scaling"


# --- scales -----------------------------------------------------------------------------------------------------


@pytest.fixture
def scales(toy) -> Path:
    """The toy with the parameters and scales of this checkout, `default` chosen."""
    text = re.sub(r"(?m)^scale: \w+$", "scale: default", (ROOT / "params.yaml").read_text())
    (toy / "params.yaml").write_text(re.sub(r"(?m)^results: \S+$", "results: results", text))
    shutil.copytree(ROOT / "config", toy / "config")
    return toy


def test_a_scale_changes_two_lines_and_leaves_the_others(scales):
    before = (scales / "params.yaml").read_text()
    assert run(scales, "scale", "smoke") == (0, "scale: smoke, results in results/smoke/\n")
    after = (scales / "params.yaml").read_text()
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    assert [b for a, b in pairs if a != b] == ["scale: smoke", "results: results/smoke"]
    assert run(scales, "scale", "default")[0] == 0
    assert (scales / "params.yaml").read_text() == before


@pytest.mark.parametrize(
    ("arguments", "told"), [(["huge"], "there is no scale `huge`"), ([], "now: default"), (["a", "b"], "`a b`")]
)
def test_an_unknown_scale_is_refused_with_those_there_are(scales, arguments, told):
    before = (scales / "params.yaml").read_text()
    status, words = run(scales, "scale", *arguments)
    assert status == 1
    assert told in words
    assert "there are default, paper, smoke, studies. Choose with `./run scale NAME`" in words
    assert (scales / "params.yaml").read_text() == before


def test_a_params_file_without_the_line_is_refused(scales):
    (scales / "params.yaml").write_text("scale: default\n")
    status, words = run(scales, "scale", "smoke")
    assert (status, words) == (1, "./run: params.yaml: expected one line `results: ...`, found 0\n")


# --- runs -------------------------------------------------------------------------------------------------------


def test_a_failed_job_is_named_with_its_log_and_stops_no_other(toy):
    status, words = run(toy)
    assert status == 1
    assert "4 jobs to run: first 2, second 1" in words
    assert "first: done, 2 jobs in" in words
    assert "FAILED: broken\n    logs/broken.log\n      the cause of it\n" in words
    assert "2 of 4 jobs done" in words
    assert "1 failed:\n  broken: logs/broken.log\n" in words
    assert [(toy / "out" / f"{n}.txt").read_text() for n in (1, 2)] == ["1\n", "2\n"]


def test_a_run_does_not_end_well_where_a_result_was_edited(toy):
    """Wrong behaviour: "Nothing to be done", although the table that is shown is nobody's."""
    assert run(toy, "out/1.txt")[0] == 0
    (toy / "edited").touch()
    status, words = run(toy, "out/1.txt")
    assert status == 1 and "out/1.txt was edited" in words
    assert run(toy, "-n", "out/1.txt")[0] == 0


def test_a_run_that_is_complete_has_nothing_to_do(toy):
    assert run(toy, "out/1.txt")[0] == 0
    status, words = run(toy, "out/1.txt")
    assert status == 0
    assert "Nothing to be done" in words
    status, words = run(toy, "-n", "out/2.txt")
    assert status == 0
    assert "make" in words
    assert not (toy / "out" / "2.txt").exists()


def test_two_runs_in_one_folder_are_refused(toy):
    lock = toy / ".snakemake" / "run.lock"
    lock.parent.mkdir()
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write("4711")
        held.flush()
        assert run(toy) == (1, "./run: another ./run is under way here (process 4711)\n")
    assert not (toy / "out").exists()


@pytest.mark.parametrize("words", [["-m", "snakemake"], [str(BINARIES / "snakemake")]])
def test_a_snakemake_that_was_started_by_hand_keeps_its_lock(words, toy):
    """Wrong behaviour: its lock is taken for that of a killed run, and two of them write the same files."""
    command = [sys.executable, *words, "--cores", "1", "out/patient.txt"]
    with (toy / "by-hand.txt").open("w") as said:
        first = subprocess.Popen(command, cwd=toy, stdout=said, stderr=said, start_new_session=True)
    wait_for(toy / "started")
    status, told = run(toy, "out/1.txt")
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert status == 1 and f"another Snakemake is at work in this folder: process {first.pid}" in told


def test_an_interrupted_run_ends_its_jobs(toy):
    process = started(toy, "out/patient.txt")
    job = int(wait_for(toy / "started"))
    process.send_signal(signal.SIGTERM)
    words, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "Later, `./run` goes on from here" in words
    assert "FAILED" not in words, "an interrupted job is not at fault"
    assert not alive(job)


@pytest.mark.parametrize("whole", [False, True])
def test_a_run_goes_on_after_a_kill(whole, toy):
    """Wrong behaviour: two jobs that write one file, or a folder locked for ever."""
    process = started(toy, "out/patient.txt")
    job = int(wait_for(toy / "started"))
    process.kill()
    process.wait()
    process.stdout.close()
    assert alive(job)
    if whole:
        os.killpg(int((toy / ".snakemake" / "jobs.lock").read_text()), signal.SIGKILL)
    (toy / "go").touch()
    status, words = run(toy, "out/patient.txt")
    assert status == 0, words
    assert ("Taking back the lock" if whole else "Ending jobs that a killed Snakemake left behind") in words
    assert not alive(job)
    assert (toy / "out" / "patient.txt").read_text() == "done\n"


# --- where results come from ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["why", "verify", "plan"])
def test_questions_about_results_go_to_their_tool_and_keep_its_answer(toy, command):
    (toy / "tools" / "provenance.py").write_text("import sys; print(sys.argv[1:]); sys.exit(1)")
    assert run(toy, command, "out/1.txt") == (1, f"['{command}', 'out/1.txt']\n")
    assert not (toy / "out").exists()


# --- progress ---------------------------------------------------------------------------------------------------


def test_the_progress_knows_the_phase_of_every_rule():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    allowed = {phase: stage["cmd"].split(" -- ")[0].split()[2:] for phase, stage in stages.items()}
    # The pictures of the documentation are no phase of the run.
    known = {rule: phase for rule, phase in phases_of_rules().items() if phase != "docs"}
    assert known == {rule: phase for phase, rules in allowed.items() for rule in rules}


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def board_of(known: dict[str, list[float]]) -> tuple[Board, Clock]:
    """A board of two phases, with two jobs of one rule and one of another to come."""
    clock = Clock()
    board = Board({"make": "problems", "fit": "train"}, known, clock)
    board.planned(Counter(make=2, fit=1))
    return board, clock


def test_time_left_is_not_guessed_for_rules_never_timed():
    board, clock = board_of({"make": [1, 10.0]})
    board.started(1, "make", 1)
    clock.now = 10.0
    assert board.left() is None
    assert "left" not in board.line()


def test_time_left_follows_earlier_runs_and_the_cores_at_work():
    board, clock = board_of({"make": [1, 10.0], "fit": [1, 80.0]})
    board.started(1, "make", 1)
    board.started(2, "make", 1)
    clock.now = 10.0
    assert [board.finished(1), board.finished(2)] == ["problems", "problems"]
    # 80 core-seconds to come, and two cores were busy.
    assert board.left() == pytest.approx(40.0)
    assert board.is_complete("problems")
    assert not board.is_complete("train")


def test_a_job_that_failed_is_not_done_and_counts_once_when_it_is_tried_again():
    board, clock = board_of({})
    board.started(1, "make", 1)
    clock.now = 5.0
    board.stopped(1)
    assert (board.done, board.running) == (0, {})
    board.started(1, "make", 1)
    clock.now = 9.0
    board.finished(1)
    assert board.done == 1
    assert board.spent["make"] == [1, 4.0]


def test_of_a_traceback_the_error_is_told(tmp_path):
    log = tmp_path / "job.log"
    log.write_text('step 1\nTraceback (most recent call last):\n  File "x.py", line 1\nValueError: no chains\n  in x\n')
    assert _last_words(str(log)) == ["ValueError: no chains", "  in x"]
    assert "no such file" in _last_words(str(tmp_path / "none"))[0]
