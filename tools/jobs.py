"""Snakemake's graph of jobs at the active scale, read without running anything.

Snakemake has no public way to see the jobs' files and parameters as data: this is the one place that reaches into it.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.types import DAGSettings, OutputSettings, Quietness, ResourceSettings
from snakemake.workflow import Workflow

from prm_scaling.provenance.graph import Job


@contextmanager
def workflow_of(targets: Collection[str] = ()) -> Iterator[Workflow]:
    """Snakemake's workflow of the checkout in the current folder, with its graph; nothing is locked or written."""
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        loaded = api.workflow(ResourceSettings(cores=1), snakefile=Path("Snakefile").absolute())
        loaded.dag(DAGSettings(targets=set(targets), forceall=True))
        workflow = loaded._workflow
        workflow._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True, nolock=True)
        workflow.async_run(workflow.dag.init())
        yield workflow


def phase_of(snakefile: str | Path) -> str:
    """The phase of the rules in a file: ``rules/PHASE.smk``, or ``rules/PHASE/PART.smk``."""
    path = Path(snakefile)
    return path.stem if path.parent.name == "rules" else path.parent.name


def jobs() -> list[Job]:
    """All jobs of the checkout in the current folder, those of targets left out."""
    with workflow_of() as workflow:
        return [
            Job(
                rule=job.rule.name,
                phase=phase_of(job.rule.snakefile),
                wildcards=dict(job.wildcards_dict or {}),
                input=tuple(map(str, job.input)),
                output=tuple(map(str, job.output)),
                log=tuple(map(str, job.log)),
                params=dict(job.params.items()),
                threads=job.threads,
                resources={name: value for name, value in job.resources.items() if not name.startswith("_")},
            )
            for job in workflow.dag.jobs
            if not job.rule.norun
        ]
