"""The graph of jobs that Snakemake makes of parameters, as JSON: `python tests/graph.py CHECKOUT < variants.json`.

``variants.json`` holds a list of contents of params.yaml. Nothing is run, but the params.yaml of the checkout is
replaced, so it should be a copy. Snakemake has no public way to see a job's parameters: this is the one place that
reaches into it.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

import yaml
from snakemake.api import SnakemakeApi
from snakemake.settings.types import DAGSettings, OutputSettings, Quietness, ResourceSettings


def graph() -> dict:
    """Rules and jobs of the checkout in the current folder."""
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
        loaded = api.workflow(ResourceSettings(cores=1), snakefile=Path("Snakefile").absolute())
        phases = {path.stem for path in Path("workflow/rules").glob("*.smk")} - {"common"}
        loaded.dag(DAGSettings(targets=phases, forceall=True))
        workflow = loaded._workflow
        workflow._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True, nolock=True)
        workflow.async_run(workflow.dag.init())
        rules = {
            rule.name: {
                "phase": Path(rule.snakefile).stem,
                "target": rule.norun,
                "script": rule.script,
                "log": list(map(str, rule.log)),
                "conda": rule.conda_env,
                "message": rule.message,
            }
            for rule in workflow.rules
        }
        jobs = [
            {
                "rule": job.rule.name,
                "wildcards": sorted(job.wildcards_dict.items()),
                "input": list(map(str, job.input)),
                "output": list(map(str, job.output)),
                "params": dict(job.params.items()),
            }
            for job in workflow.dag.jobs
        ]
    return {"rules": rules, "jobs": jobs}


def main() -> None:
    """Print one graph a variant."""
    os.chdir(sys.argv[1])
    graphs = []
    for variant in json.load(sys.stdin):
        Path("params.yaml").write_text(yaml.safe_dump(variant, sort_keys=False))
        with contextlib.redirect_stdout(sys.stderr):
            graphs.append(graph())
    json.dump(graphs, sys.stdout, default=str)


if __name__ == "__main__":
    main()
