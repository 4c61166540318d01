"""Time and memory of every job, and the longest chain of jobs that wait for one another."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import pandas as pd

COLUMNS = ["phase", "job", "seconds", "cpu_seconds", "megabytes", "threads", "critical"]


@dataclass(frozen=True)
class JobTime:
    """What the record of a job (`provenance/record.py`) says of its cost, and of whom it waited for.

    ``seconds``: wall time; ``cpu_seconds``: of all processors; ``megabytes``: the most that one process held.
    """

    phase: str
    job: str
    started: str
    seconds: float
    cpu_seconds: float
    megabytes: float
    threads: int
    inputs: frozenset[str]
    outputs: tuple[str, ...]


def read_times(folder: Path) -> list[JobTime]:
    """The jobs whose records lie below ``folder``, a folder a phase, and whose outputs are still there.

    Raises:
        ValueError: a record is not what a job writes; the message names it.
    """
    found = []
    for path in sorted(folder.glob("*/*.json")):
        try:
            record = json.loads(path.read_text())
            time = JobTime(
                path.parent.name,
                " ".join([record["rule"], *record["wildcards"].values()]),
                record["started"],
                float(record["seconds"]),
                float(record["cpu_seconds"]),
                float(record["megabytes"]),
                record["threads"],
                frozenset(record["inputs"]),
                tuple(record["outputs"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: not the record of a job ({error!r}); delete it") from error
        if all(Path(output).exists() for output in time.outputs):
            found.append(time)
    return sorted(found, key=lambda time: (time.started, time.job))


def critical_path(times: Sequence[JobTime]) -> list[int]:
    """The places in ``times`` of the longest chain, in seconds, of jobs of which each reads what the one before made.

    No number of machines makes the run shorter than that.
    """
    makers = {output: i for i, time in enumerate(times) for output in time.outputs}
    waits = {i: {makers[path] for path in time.inputs if path in makers} for i, time in enumerate(times)}
    total: dict[int, float] = {}
    chains: dict[int, list[int]] = {}
    for i in TopologicalSorter(waits).static_order():
        last = max(waits[i], key=lambda j: (total[j], j), default=None)
        chains[i] = [*(chains[last] if last is not None else ()), i]
        total[i] = sum(times[j].seconds for j in chains[i])
    return max(chains.values(), key=lambda chain: (total[chain[-1]], chain), default=[])


def table(times: Sequence[JobTime]) -> pd.DataFrame:
    """One row a job, in the order in which they began; ``critical``: whether it lies on the longest chain."""
    chain = set(critical_path(times))
    rows: Iterable = (
        (t.phase, t.job, t.seconds, t.cpu_seconds, t.megabytes, t.threads, i in chain) for i, t in enumerate(times)
    )
    return pd.DataFrame(rows, columns=COLUMNS)
