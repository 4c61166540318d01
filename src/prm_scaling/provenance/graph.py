"""The graph of jobs, as plain records: which job makes which file of which others (tools/jobs.py reads them)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Job:
    """One job: its rule and phase, the files it reads and makes (from the checkout's root), and what it asks for."""

    rule: str
    phase: str
    wildcards: dict[str, str]
    input: tuple[str, ...]
    output: tuple[str, ...]
    log: tuple[str, ...]
    params: dict[str, Any]
    threads: int
    resources: dict[str, Any]

    @property
    def name(self) -> str:
        """The rule with its wildcards, in the order of their names, as records have them."""
        return " ".join([self.rule, *(self.wildcards[key] for key in sorted(self.wildcards))])


def makers(graph: Iterable[Job]) -> dict[str, Job]:
    """The job that makes each file."""
    return {path: job for job in graph for path in job.output}


def code_of(job: Job, made: dict[str, Job]) -> list[str]:
    """Those inputs of a job that no job makes: the package's modules."""
    return sorted({path for path in job.input if path not in made})


def data_of(job: Job, made: dict[str, Job]) -> list[str]:
    """Those inputs of a job that another job makes."""
    return sorted({path for path in job.input if path in made})
