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
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from prm_scaling.provenance.committed import is_committed

PACKAGES = ("torch", "transformers", "tokenizers", "numpy", "scipy", "pandas", "matplotlib", "snakemake", "dvc", "vllm")
LARGE = 10**9  # bytes
# Whatever else git has cannot change what a job does.
CODE = ("Snakefile", "params.yaml", "config", "profiles", "src", "workflow")


def path_of(log: str | Path) -> Path:
    """Where the record of the job with this log lies."""
    return Path(log).with_suffix(".json")


class NotAsMade(Exception):
    """A result is not the file that its job made; the message says what to do."""


def keep(job: Any, script: str) -> None:
    """Write the record of ``job`` (Snakemake's, as its scripts see it) when this process has ended well.

    Raises:
        NotAsMade: what the job is to read is not what other jobs made.
    """
    path, process = path_of(job.log[0]), os.getpid()
    age, began = age_of_process(), time.monotonic()
    inputs = checksums([*job.input, "params.yaml", f"config/{job.config['scale']}.yaml", os.path.relpath(script)])
    refuse_others(inputs, path.parents[1])
    forget(job.output, path.parents[1])
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
        record.update(
            ended=now(),
            seconds=round(seconds, 3),
            **spent(),
            parameters=json.loads(parameters),
            parameters_sha256=hashlib.sha256(parameters.encode()).hexdigest(),
            inputs=inputs,
            outputs=checksums(job.output),
            versions=versions(),
            machine=machine(),
        )
        fresh = path.with_suffix(".tmp")
        fresh.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
        fresh.replace(path)

    sys.excepthook = note
    atexit.register(write)


def forget(outputs: Iterable[str], records: Path) -> None:
    """Removes what older runs, perhaps under other names, recorded of files that are made anew."""
    made = set(outputs)
    for record in sorted(records.glob("*/*.json")):
        if made & outputs_of(record).keys():
            record.unlink(missing_ok=True)


def refuse_others(found: Mapping[str, str], records: Path) -> None:
    """:class:`NotAsMade` if one of these files, by its SHA-256, is neither what its job made nor what is committed.

    ``records``: the folder of a scale's records, in folders of phases. Files that no record names pass.
    """
    _refuse(
        (path, record)
        for record in sorted(records.glob("*/*.json"))
        for path, digest in outputs_of(record).items()
        if found.get(path, digest) != digest
    )


def refuse_edited(records: Path) -> None:
    """:class:`NotAsMade` if any result that is here is neither what its job made nor what is committed."""
    _refuse(
        (path, record)
        for record in sorted(records.glob("*/*.json"))
        for path, digest in outputs_of(record).items()
        if _is_worth_reading(Path(path), record) and sha256(path) != digest
    )


def _is_worth_reading(path: Path, record: Path) -> bool:
    """Whether a file is here, and not so large that the time when it was written has to do."""
    if not path.is_file():
        return False
    told = path.stat()
    return told.st_size < LARGE or told.st_mtime > record.stat().st_mtime


def _refuse(differing: Iterable[tuple[str, Path]]) -> None:
    wrong = [f"  {path} ({record})" for path, record in differing if not is_committed(path)]
    if wrong:
        raise NotAsMade(
            "edited or damaged since their jobs made them:\n"
            + "\n".join(wrong)
            + "\nDelete such a file and run again: "
            "its job makes it anew. To go on with it as it is, delete the record that is named in brackets."
        )


def outputs_of(record: Path) -> dict[str, str]:
    """The files that a job made, with their SHA-256; none where its record is just being made anew."""
    try:
        return json.loads(record.read_text())["outputs"]
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError) as error:
        raise NotAsMade(f"{record} is not the record of a job ({error!r}); delete it and run again") from error


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
