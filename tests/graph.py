"""The graph of jobs that Snakemake makes of parameters, as JSON: `python tests/graph.py CHECKOUT < variants.json`.

``variants.json`` holds a list of contents of params.yaml. Nothing is run, but the params.yaml of the checkout is
replaced, so it should be a copy.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

from jobs import phase_of, workflow_of


def graph() -> dict:
    """Rules and jobs of the checkout in the current folder."""
    phases = {path.stem for path in Path("workflow/rules").glob("*.smk")} - {"common", "docs"}
    with workflow_of(phases) as workflow:
        rules = {
            rule.name: {
                "phase": phase_of(rule.snakefile),
                "target": rule.norun,
                "script": rule.script,
                "log": list(map(str, rule.log)),
                "conda": rule.conda_env and str(Path(rule.snakefile).parent / rule.conda_env),
                "message": rule.message,
                "benchmark": str(rule.benchmark or ""),
                "resources": [name for name in rule.resources if not name.startswith("_")],
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
