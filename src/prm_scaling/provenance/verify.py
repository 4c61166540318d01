"""Rebuilds one node in a folder of its own, from its recorded inputs, and compares it with the recorded one."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from prm_scaling.config import load_params
from prm_scaling.job import read_json
from prm_scaling.provenance.compare import DIFFERENT, Comparison, compare, stated_noise, worst
from prm_scaling.provenance.graph import Job, data_of, makers
from prm_scaling.provenance.record import checksums, path_of
from prm_scaling.provenance.recorded import NotRecorded, Recorded, recorded

# What a job can read besides its inputs: the workflow and its parameters.
CODE = ("Snakefile", "params.yaml", "config", "profiles", "src", "workflow")


def job_of(node: str, graph: list[Job]) -> Job:
    """The one job that makes a file or folder; :class:`NotRecorded` where there is none, or more."""
    makes = [job for job in graph if any(path == node or path.startswith(f"{node}/") for path in job.output)]
    if not makes:
        raise NotRecorded(f"no job of the active scale makes `{node}`; name a file or a folder of the results")
    if len(makes) > 1:
        some = ", ".join(sorted(job.output[0] for job in makes)[:5])
        raise NotRecorded(f"{len(makes)} jobs make `{node}`; name one of their files, such as {some}")
    return makes[0]


def refuse_other_inputs(job: Job, made: dict[str, Job], known: Recorded) -> None:
    """:class:`NotRecorded` unless inputs and outputs here are the recorded ones."""
    wrong = {path: known.check(path) for path in [*data_of(job, made), *job.output]}
    told = [f"  {path} {text}" for path, text in wrong.items() if text]
    if told:
        raise NotRecorded(
            "it can be verified only from its recorded inputs, against its recorded self:\n" + "\n".join(told)
        )


def lay_out(job: Job, made: dict[str, Job], folder: Path) -> None:
    """Copies of the code, and links to the job's inputs and what lies beside them, such as a model's tokenizer."""
    for name in CODE:
        if Path(name).is_dir():
            shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(name, folder / name)
    for place in sorted({Path(path).parent for path in data_of(job, made)}):
        for file in place.iterdir():
            if file.is_file() and str(file) not in job.output:
                (folder / place).mkdir(parents=True, exist_ok=True)
                (folder / file).symlink_to(file.resolve())


def rebuild(job: Job, folder: Path, cores: str) -> None:
    """Run this job, and no other, in ``folder``; :class:`NotRecorded` with its last words if it fails."""
    command = [sys.executable, "-m", "snakemake", "--cores", cores, "--quiet", "all", "--nolock", "--force"]
    command += ["--allowed-rules", job.rule, "--", *job.output]
    environment = {**os.environ, "PYTHONPATH": str((folder / "src").resolve())}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        logs = [folder / path for path in job.log if (folder / path).is_file()]
        words = "\n".join([done.stderr, *(log.read_text(errors="replace") for log in logs)]).strip()
        raise NotRecorded(f"the job failed; in {folder} lies what it left. Its last words:\n{words[-3000:]}")


def differing_surroundings(job: Job, known: Recorded) -> Iterator[str]:
    """What is not as in the recorded run: of the job's inputs where it ran here, else of its phase."""
    differing = known.stale.get(job.phase, {})
    if all(map(known.is_as_made, job.output)):
        before = read_json(path_of(job.log[0]))["inputs"]
        now = checksums(before)
        differing = {path: "modified" for path, digest in before.items() if now.get(path) != digest}
    for path, what in differing.items():
        yield f"  {path}: {what} since the recorded run"


def report(job: Job, found: list[Comparison], seconds: float, noted: list[str]) -> str:
    """What `verify` prints."""
    lines = [f"{job.name}, made again in {seconds:.0f} s from {len(set(job.input))} inputs"]
    for comparison in found:
        lines.append(f"  {comparison.path}: {comparison.verdict}")
        lines += [f"    {text}" for text in comparison.where[:12]]
        if len(comparison.where) > 12:
            lines.append(f"    and {len(comparison.where) - 12} more")
    if noted:
        lines += ["Not as in the recorded run:", *noted]
    verdict = worst(c.verdict for c in found)
    noise = stated_noise()
    stated = f" (values to {noise['floats']['relative']:g}, weights to {noise['tensors']['relative']:g}: noise.yaml)"
    return "\n".join([*lines, f"{verdict}{'' if verdict == 'identical' else stated}"])


def verify(node: str, graph: list[Job], cores: str, keep: bool) -> int:
    """Rebuild and compare one node of the checkout in the current folder; the exit status, 1 where it differs."""
    made, job = makers(graph), job_of(node, graph)
    params = load_params(Path.cwd())
    known = recorded(params.results, Path("logs", params.scale))
    refuse_other_inputs(job, made, known)
    # Beside the checkout's own checkpoints: on a cluster that is a folder which all machines see.
    folder = Path("work", "verify", f"{Path(job.output[0]).parent.name}-{Path(job.output[0]).stem}-{os.getpid()}")
    folder.mkdir(parents=True)
    lay_out(job, made, folder)
    began = time.monotonic()
    rebuild(job, folder, cores)
    found = [compare(path, Path(path), folder / path) for path in job.output]
    print(report(job, found, time.monotonic() - began, list(differing_surroundings(job, known))))
    differs = any(c.verdict == DIFFERENT for c in found)
    if differs or keep:
        print(f"The rebuilt files lie in {folder}")
    else:
        shutil.rmtree(folder)
    return int(differs)
