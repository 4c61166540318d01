"""The record of one run of a job: what it read, what it made, with which code, where and when.

It lies beside the job's log, because it holds times and a commit, in which two runs that make the same bytes differ.
"""

import atexit
import hashlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "scipy", "pandas", "matplotlib", "snakemake", "dvc", "vllm")
# Whatever else git has cannot change what a job does.
CODE = ("Snakefile", "params.yaml", "config", "profiles", "src", "workflow")


def path_of(log: str | Path) -> Path:
    """Where the record of the job with this log lies."""
    return Path(log).with_suffix(".json")


def keep(job: Any, script: str) -> None:
    """Write the record of ``job`` (Snakemake's, as its scripts see it) when this process has ended well."""
    path, process = path_of(job.log[0]), os.getpid()
    age, began = age_of_process(), time.monotonic()
    # An older run's record does not belong to what this one makes.
    path.unlink(missing_ok=True)
    record = {
        "rule": job.rule,
        "wildcards": dict(job.wildcards.items()),
        "command": " ".join(["snakemake", "--force", "--allowed-rules", job.rule, "--", *job.output]),
        "seed": job.config["seed"],
        "threads": job.threads,
        "started": now(age),
        **commit(),
    }
    failed = []
    last_words = sys.excepthook

    def note(*error: Any) -> None:
        failed.append(error)
        last_words(*error)

    def write() -> None:
        if os.getpid() != process or failed or not all(Path(name).exists() for name in job.output):
            return
        seconds = age + time.monotonic() - began
        parameters = json.dumps(dict(job.params.items()), sort_keys=True, default=str)
        configuration = ["params.yaml", f"config/{job.config['scale']}.yaml", os.path.relpath(script)]
        record.update(
            ended=now(),
            seconds=round(seconds, 3),
            **spent(),
            parameters=json.loads(parameters),
            parameters_sha256=hashlib.sha256(parameters.encode()).hexdigest(),
            inputs=checksums([*job.input, *configuration]),
            outputs=checksums(job.output),
            versions=versions(),
            machine=machine(),
        )
        fresh = path.with_suffix(".tmp")
        fresh.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
        fresh.replace(path)

    sys.excepthook = note
    atexit.register(write)


def now(ago: float = 0.0) -> str:
    """The time so many seconds ago, in UTC."""
    return (datetime.now(UTC) - timedelta(seconds=ago)).isoformat(timespec="seconds")


def age_of_process() -> float:
    """Seconds since this process began, which imports may have taken; 0 where the system does not tell."""
    stat, uptime = Path("/proc/self/stat"), Path("/proc/uptime")
    if not stat.exists():
        return 0.0
    ticks = int(stat.read_text().rpartition(")")[2].split()[19])
    return max(0.0, float(uptime.read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK"))


def commit() -> dict[str, Any]:
    """``commit`` of the checkout, and what of its code and parameters is ``changed`` since; empty outside of one."""
    told = [["rev-parse", "HEAD"], ["status", "--porcelain", "--", *(name for name in CODE if Path(name).exists())]]
    said = []
    for words in told:
        try:
            # git may not take its lock on the index for this: another job, or the user, may be at it.
            done = subprocess.run(["git", "--no-optional-locks", *words], capture_output=True, text=True)
        except FileNotFoundError:
            return {"commit": "", "dirty": False, "changed": []}
        said.append(done.stdout if done.returncode == 0 else "")
    changed = [line[3:] for line in said[1].splitlines()]
    return {"commit": said[0].strip(), "dirty": bool(changed), "changed": changed}


def sha256(path: str | Path) -> str:
    """SHA-256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(paths: Iterable[str]) -> dict[str, str]:
    """SHA-256 of each of these that is a file."""
    return {path: sha256(path) for path in sorted(set(map(str, paths))) if Path(path).is_file()}


def versions() -> dict[str, str]:
    """Versions of Python and of what results may depend on, as far as it is installed."""
    return {"python": platform.python_version(), **{p: v for p in PACKAGES if (v := _version(p))}}


def machine() -> dict[str, Any]:
    """The hardware; not the machine's name, nor whose it is."""
    told = _lines(Path("/proc/cpuinfo"))
    models = [line.partition(":")[2].strip() for line in told if line.startswith("model name")]
    torch = sys.modules.get("torch")
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch else []
    return {
        "system": platform.system(),
        "architecture": platform.machine(),
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "gigabytes": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpus": gpus,
    }


def spent() -> dict[str, float]:
    """Processor seconds of this process and of its children that ended, and the most memory that one of them held."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    status = Path("/proc/self/status")
    peaks = [int(line.split()[1]) for line in _lines(status) if line.startswith("VmHWM:")]
    if peaks:  # Linux counts towards ru_maxrss what Snakemake held when it started this process
        megabytes = max(peaks[0], used[1].ru_maxrss) / 2**10
    else:
        megabytes = max(u.ru_maxrss for u in used) / (2**20 if platform.system() == "Darwin" else 2**10)
    return {"cpu_seconds": round(sum(u.ru_utime + u.ru_stime for u in used), 3), "megabytes": round(megabytes, 1)}


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
