"""Ways to break a run. Each takes a :class:`Ground` and gives a :class:`Break`: what was done, and how to go on."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ground import RESULTS, Ground, Made, NotPossible, Unhealed

COSTLY = ("pretrain", "annotate_monte_carlo", "train_prm", "search_tree")


@dataclass
class Break:
    """What was done; the targets of the run that was broken; what an error must say; what it tells to do.

    ``must_say``: if the next run stops, words of which each has to be in its error; ``way_out`` does what it tells to.
    ``must_stop``: the next run may not end well at once. ``clean_up``: when all is over.
    """

    told: str
    targets: tuple[Path, ...] = ()
    must_say: tuple[str, ...] = ()
    way_out: Callable[[], None] | None = None
    must_stop: bool = False
    clean_up: Callable[[], None] = lambda: None


def begun(ground: Ground, *command: str, **environment: str) -> tuple[Made, subprocess.Popen]:
    """A costly job that is at work, and the `./run`, or another command, that runs it."""
    job = ground.pick(*COSTLY)
    ground.undo(job)
    target = str(job.outputs[0])
    process = ground.start(*command, target, **environment) if command else ground.started(job.outputs[0])
    ground.wait_for(lambda: ground.processes(job.script), process)
    return job, process


def kill_worker(ground: Ground) -> Break:
    """Kill -9 of a job."""
    job, process = begun(ground)
    ground.after(process, 3)
    ground.kill(job.script)
    ground.ended(process)
    return Break(f"worker of {job.rule} killed", (job.outputs[0],))


def kill_scheduler(ground: Ground) -> Break:
    """Kill -9 of Snakemake, whose job lives on."""
    job, process = begun(ground)
    ground.after(process, 3)
    ground.kill("bin/snakemake")
    ground.ended(process)
    return Break(f"Snakemake killed during {job.rule}", (job.outputs[0],))


def kill_run(ground: Ground) -> Break:
    """Kill -9 of `./run` itself; Snakemake and its job live on."""
    job, process = begun(ground)
    ground.after(process, 2)
    process.kill()
    process.wait()
    return Break(f"./run killed during {job.rule}", (job.outputs[0],))


def kill_dvc(ground: Ground) -> Break:
    """Kill -9 of DVC; the Snakemake that it started lives on, or its lock does."""
    process = ground.start(sys.executable, "-m", "dvc", "repro", "--force", "--single-item", "figures", **on_path())
    ground.wait_for(lambda: ground.processes(".snakemake/scripts"), process)
    ground.after(process, 2)
    process.kill()
    process.wait()
    return Break(
        "DVC killed in figures",
        must_say=("another Snakemake is at work in this folder: process",),
        way_out=lambda: ground.kill("snakemake"),
    )


def on_path() -> dict[str, str]:
    """The programs beside this Python first."""
    return {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def small_disk(ground: Ground, spare: int) -> Path:
    """The results on a disk of their own with so many bytes to spare."""
    place = ground.folder / RESULTS
    kept = place.with_name("kept")
    place.rename(kept)
    place.mkdir()
    used = sum(-(-path.stat().st_size // 4096) * 4096 for path in kept.rglob("*") if path.is_file())
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={used + spare}", "tmpfs", place], capture_output=True, text=True
    )
    if done.returncode:
        place.rmdir()
        kept.rename(place)
        raise NotPossible(f"a disk of its own cannot be mounted here: {done.stderr.strip()}")
    shutil.copytree(kept, place, dirs_exist_ok=True)
    shutil.rmtree(kept)
    return place


def unmount(place: Path) -> None:
    """Give a small disk up, with what is on it."""
    subprocess.run(["umount", place], check=True)


def remount(place: Path, options: str) -> None:
    """Other options for a mounted disk."""
    subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)


def full_disk(ground: Ground) -> Break:
    """The results' disk is full while a job writes."""
    job = ground.pick("pretrain", "train_prm", "make_documents")
    ground.undo(job)
    place = small_disk(ground, 4096 * ground.random.randint(0, 4))
    return Break(
        f"disk full during {job.rule}",
        (job.outputs[0],),
        ("No space left on device",),
        lambda: remount(place, "size=1g"),
        must_stop=True,
        clean_up=lambda: unmount(place),
    )


def read_only(ground: Ground) -> Break:
    """The results' disk can only be read."""
    job = ground.pick("draw_figure", "train_prm", "grade_pool")
    ground.undo(job)
    place = small_disk(ground, 1 << 26)
    remount(place, "ro")
    return Break(
        f"results read-only during {job.rule}",
        (job.outputs[0],),
        ("Read-only file system",),
        lambda: remount(place, "rw"),
        must_stop=True,
        clean_up=lambda: unmount(place),
    )


def damage(ground: Ground, path: Path, data: bytes, told: str) -> Break:
    """Other content in a result; the error must name it, and deleting it is the way out."""
    name, before = path.relative_to(ground.folder), path.stat()
    path.write_bytes(data)
    same_time = ground.random.random() < 0.5
    if same_time:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return Break(
        f"{told}: {name}{', its time as before' if same_time else ''}",
        (name,),
        (str(name), "edited or damaged", "Delete such a file"),
        path.unlink,
        must_stop=True,
    )


def truncated(ground: Ground) -> Break:
    """A Parquet file without its end."""
    path = ground.pick_file(".parquet")
    data = path.read_bytes()
    return damage(ground, path, data[: ground.random.randrange(len(data))], "truncated")


def flipped(ground: Ground) -> Break:
    """One bit of a checkpoint is another."""
    path = ground.pick_file(".safetensors")
    return damage(ground, path, with_flip(ground, path.read_bytes()), "a bit flipped")


def with_flip(ground: Ground, data: bytes) -> bytes:
    """The same but for one bit."""
    changed = bytearray(data)
    changed[ground.random.randrange(len(changed))] ^= 1 << ground.random.randrange(8)
    return bytes(changed)


def edited(ground: Ground) -> Break:
    """A digit of a table, or of a model's description, is another."""
    path = ground.pick_file(".csv", ".md", ".json")
    text = path.read_text()
    place = ground.random.choice([i for i, letter in enumerate(text) if letter.isdigit()] or [len(text)])
    digit = str((int(text[place]) + 1) % 10) if place < len(text) else "1"
    return damage(ground, path, f"{text[:place]}{digit}{text[place + 1 :]}".encode(), "edited")


def flipped_at_work(ground: Ground) -> Break:
    """A training is killed, and one byte of what it would go on from is another."""
    job = ground.pick("pretrain")
    ground.undo(job)
    process = ground.started(job.outputs[0])
    work = ground.folder / "work"
    ground.wait_for(lambda: list(work.rglob("checkpoint-*/sums.json")), process)
    ground.kill(job.script)
    ground.ended(process)
    whole = sorted(path.parent for path in work.rglob("checkpoint-*/sums.json"))
    if not whole:
        raise NotPossible("the training ended before it could be killed")
    folder = ground.random.choice(whole)
    path = ground.random.choice([folder / name for name in ("model.safetensors", "optimizer.pt", "trainer_state.json")])
    path.write_bytes(with_flip(ground, path.read_bytes()))
    return Break(f"{job.rule} killed, a bit of its {folder.name}/{path.name} flipped", (job.outputs[0],))


def deleted(ground: Ground) -> Break:
    """An intermediate file is gone."""
    path = ground.pick_file(".parquet", ".safetensors", ".json")
    path.unlink()
    name = path.relative_to(ground.folder)
    return Break(f"deleted: {name}", (name,))


def clock(ground: Ground) -> Break:
    """A run whose clock is days before or behind."""
    if shutil.which("faketime") is None:
        raise NotPossible("faketime is not installed")
    job = ground.pick("draw_figure", "grade_pool", "train_prm")
    ground.undo(job)
    jump = ground.random.choice(["-400d", "-2d", "+2d", "+400d"])
    command = ("faketime", "-f", jump, sys.executable, "run", "--cores", "1", str(job.outputs[0]))
    ground.ended(ground.start(*command, FAKETIME_DONT_FAKE_MONOTONIC="1", NO_FAKE_STAT="1"))
    return Break(f"clock {jump} during {job.rule}", (job.outputs[0],))


def wrong_times(ground: Ground) -> Break:
    """Files as a machine left them whose clock was wrong: a job's outputs of long ago, or of a year to come."""
    job = ground.pick()
    days = ground.random.choice([-400, 400])
    for path in job.outputs:
        told = (ground.folder / path).stat()
        os.utime(ground.folder / path, (told.st_atime, told.st_mtime + days * 86400))
    return Break(f"times of what {job.rule} made {days:+} days", (job.outputs[0],))


def refused(ground: Ground, first: str, refusal: str, *command: str, **environment: str) -> Break:
    """A `./run` beside one that is at work, or beside another command: it must be refused, and do no harm."""
    job, process = begun(ground, *command, **environment)
    status, words = ground.run()
    if status == 0 or refusal not in words:
        raise Unhealed(f"the second run was not refused: {words[-800:]}")
    if ground.ended(process):
        raise Unhealed("the first run did not end well")
    return Break(f"./run beside {first} during {job.rule}: refused", (job.outputs[0],))


def two_runs(ground: Ground) -> Break:
    """A second run is started beside a first one."""
    return refused(ground, "another", "another ./run is under way here (process")


def beside_snakemake(ground: Ground) -> Break:
    """`./run` beside a Snakemake that was started by hand."""
    command = (sys.executable, "-m", "snakemake", "--cores", "1")
    return refused(ground, "snakemake", "another Snakemake is at work in this folder", *command, **on_path())


def moved(ground: Ground) -> Break:
    """A run is killed whole, and goes on in another folder."""
    job, process = begun(ground)
    ground.after(process, 2)
    ground.kill("")
    process.wait()
    place = ground.folder.with_name(f"{ground.folder.name} moved")
    ground.folder.rename(place)
    ground.folder = place
    return Break(f"killed whole during {job.rule}, and moved", (job.outputs[0],))


KINDS = (
    kill_worker,
    truncated,
    kill_scheduler,
    flipped,
    kill_run,
    edited,
    kill_dvc,
    deleted,
    full_disk,
    flipped_at_work,
    read_only,
    clock,
    wrong_times,
    two_runs,
    moved,
    beside_snakemake,
)
