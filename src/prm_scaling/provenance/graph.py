"""Snakemake's graph of jobs at the active scale, read without running anything.

Snakemake has no public way to see the jobs' files and parameters as data: this is the one place that reaches into it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
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
    benchmark: str
    params: dict[str, Any]
    threads: int
    resources: dict[str, Any]

    @property
    def name(self) -> str:
        """The rule with its wildcards, as people tell jobs apart."""
        return " ".join([self.rule, *self.wildcards.values()])


def jobs() -> list[Job]:
    """All jobs of the checkout in the current folder, those of targets left out; nothing is locked or written."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import DAGSettings, OutputSettings, Quietness, ResourceSettings

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        loaded = api.workflow(ResourceSettings(cores=1), snakefile=Path("Snakefile").absolute())
        loaded.dag(DAGSettings(forceall=True))
        workflow = loaded._workflow
        workflow._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True, nolock=True)
        workflow.async_run(workflow.dag.init())
        return [
            Job(
                rule=job.rule.name,
                phase=Path(job.rule.snakefile).stem,
                wildcards=dict(job.wildcards_dict or {}),
                input=tuple(map(str, job.input)),
                output=tuple(map(str, job.output)),
                log=tuple(map(str, job.log)),
                benchmark=str(job.benchmark or ""),
                params=dict(job.params.items()),
                threads=job.threads,
                resources={name: value for name, value in job.resources.items() if not name.startswith("_")},
            )
            for job in workflow.dag.jobs
            if not job.rule.norun
        ]


def makers(graph: Iterable[Job]) -> dict[str, Job]:
    """The job that makes each file."""
    return {path: job for job in graph for path in job.output}


def code_of(job: Job, made: dict[str, Job]) -> list[str]:
    """Those inputs of a job that no job makes: the package's modules."""
    return sorted({path for path in job.input if path not in made})


def data_of(job: Job, made: dict[str, Job]) -> list[str]:
    """Those inputs of a job that another job makes."""
    return sorted({path for path in job.input if path in made})
