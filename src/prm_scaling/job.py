"""What every job of the workflow does first: its log, its threads; and the record beside what it makes."""

import hashlib
import io
import json
import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from prm_scaling.provenance.record import checksums, keep, versions

# Names of environment variables whose values are nobody's business; and who one is, in an address.
SECRET = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|KEY|CREDENTIALS?)$", re.IGNORECASE)
IN_ADDRESS = re.compile(r"(?<=://)[^/\s@]+:[^/\s@]*(?=@)")


class Log(io.TextIOWrapper):
    """A file of text without secrets: libraries name addresses, passwords and all, in their errors."""

    def __init__(self, path: str, environment: Mapping[str, str]) -> None:
        super().__init__(open(path, "wb"), line_buffering=True)  # noqa: SIM115 - it stays open for the job's life
        secret = {value for name, value in environment.items() if SECRET.search(name) and len(value) > 5}
        self._secret = re.compile("|".join(map(re.escape, sorted(secret, key=len, reverse=True))) or "(?!)")

    def write(self, text: str) -> int:
        """Write a text; secrets are looked for within each, as it comes."""
        return super().write(self._secret.sub("***", IN_ADDRESS.sub("***", text)))


def begin(log: str, threads: int) -> None:
    """Sends output and errors to ``log`` as they come, keeps to ``threads`` threads, and keeps a record.

    Snakemake gives a script its job as a global of the name ``snakemake``; a script run otherwise has no record.
    """
    sys.stdout = sys.stderr = Log(log, os.environ)
    os.environ.update({"HF_HUB_DISABLE_PROGRESS_BARS": "1", "TOKENIZERS_PARALLELISM": "false"})
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    script = sys.modules["__main__"]
    if job := getattr(script, "snakemake", None):
        keep(job, script.__file__ or "")


def engine_of(parameters: Mapping[str, Any], resources: Mapping[str, Any]) -> dict[str, Any]:
    """The engine's parameters with what is no parameter, as it changes no result: the GPUs that the job was given."""
    return {**parameters, "gpus": resources.get("gpu", 0)}


def progress(what: str) -> Callable[..., None]:
    """A function that prints ``what: done of all, time gone and left`` at most every five seconds."""
    began, last = time.monotonic(), 0.0

    def report(done: int, total: int, *extra: float) -> None:
        nonlocal last
        now = time.monotonic()
        if done and (now - last > 5 or done == total):
            last = now
            left = (now - began) * (total - done) / done
            note = " ".join(f"{value:.4f}" for value in extra)
            print(f"{what}: {done} of {total}, {now - began:.0f} s gone, about {left:.0f} s left {note}".rstrip())

    return report


def provenance(inputs: Iterable[str | Path], parameters: Any, seed: int) -> dict[str, Any]:
    """Where a result comes from: parameters, inputs' sums, versions, hardware; no commit and no time stamps.

    It is the same for the same run on the same machine, so that results stay equal byte for byte.
    """
    return {
        "inputs": checksums(map(str, inputs)),
        "parameters": parameters,
        "seed": seed,
        "versions": versions(),
        "machine": {"processor": platform.machine(), "system": platform.system()},
    }


def origin(inputs: Iterable[str | Path], parameters: Mapping[str, Any], seed: int) -> str:
    """A hash of what a result follows from: what a killed job has kept in its ``work`` folder holds for no other."""
    told = {name: value for name, value in parameters.items() if name != "work"}
    text = json.dumps(provenance(inputs, told, seed), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_json(path: str | Path) -> dict[str, Any]:
    """A JSON object from a file."""
    return json.loads(Path(path).read_text())
