"""Runs model-written programs in a process of their own, with limits on time, memory and files.

Programs never run in this process. One runner process, isolated (``python -I -S``), forks a child a
program; the child is confined, runs, and writes its outputs to a pipe that the program does not know.
Expected outputs never enter it.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal


@dataclass(frozen=True)
class Limits:
    """Per program: seconds of processor and wall time, megabytes of address space."""

    seconds: float
    megabytes: int


@dataclass(frozen=True)
class Program:
    """Source that defines a function ``f``, and JSON lists of its arguments, one a call."""

    source: str
    calls: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """What came of a program: its outputs as JSON, one a call, if it ``ran``."""

    verdict: Literal["ran", "error", "timeout", "memory"]
    outputs: tuple[str, ...]


def run_programs(programs: Sequence[Program], limits: Limits) -> list[Result]:
    """One result a program, in order; equal programs run once.

    Raises:
        RuntimeError: the runner itself failed; no verdict is made up for a program that did not run.
    """
    if not programs:
        return []
    unique = list(dict.fromkeys(programs))
    work = [{"source": p.source, "calls": p.calls} for p in unique]
    source = files("prm_scaling.verify").joinpath("runner.py").read_text()
    with tempfile.TemporaryDirectory() as folder:
        # An empty environment: no token of the caller's can be read from it.
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-B", "-c", source, str(limits.seconds), str(limits.megabytes)],
            input=json.dumps(work),
            capture_output=True,
            text=True,
            cwd=folder,
            env={},
            timeout=60 + 2 * limits.seconds * len(unique),
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"the sandbox's runner ended with {done.returncode}: {done.stderr[-500:]}")
    results = [Result(verdict, tuple(outputs)) for verdict, outputs in json.loads(done.stdout)]
    place = dict(zip(unique, results, strict=True))
    return [place[p] for p in programs]
