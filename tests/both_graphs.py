"""Both graphs, for the tests that hold them against each other: Snakemake's of jobs, and DVC's of phases."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml
from checkout import call
from conftest import ROOT

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"scale": "default", "results": "results"}
SCALES = sorted(path.stem for path in (ROOT / "config").glob("*.yaml"))
# Rules of no phase: functions, and pictures that no result depends on.
APART = {"common", "docs"}
PHASES = [p for p in re.findall(r"rules/(\w+)\.smk", (ROOT / "Snakefile").read_text()) if p not in APART]


def results_of(scale: str) -> str:
    """Where a scale's results are."""
    return "results" if scale == "default" else f"results/{scale}"


def graphs_of(checkout: Path, variants: list[dict]) -> list[dict]:
    """Snakemake's graph of each of these params.yaml; the checkout's own is put back."""
    own = (checkout / "params.yaml").read_text()
    done = call(checkout, sys.executable, "tests/graph.py", ".", input=json.dumps(variants))
    (checkout / "params.yaml").write_text(own)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def graphs_of_scales(checkout: Path) -> dict[str, dict]:
    """The graph of every scale; each job also has its ``phase``."""
    variants = [PARAMS | {"scale": scale, "results": results_of(scale)} for scale in SCALES]
    found = dict(zip(SCALES, graphs_of(checkout, variants), strict=True))
    for graph in found.values():
        for job in graph["jobs"]:
            job["phase"] = graph["rules"][job["rule"]]["phase"]
    return found


def stages_of(scale: str) -> dict[str, dict]:
    """The stages of dvc.yaml at a scale; ``outs`` maps each path to its options."""
    text = (ROOT / "dvc.yaml").read_text().replace("${results}", results_of(scale)).replace("${scale}", scale)
    stages = yaml.safe_load(text)["stages"]
    for stage in stages.values():
        outs = [{out: {}} if isinstance(out, str) else out for out in stage["outs"]]
        stage["outs"] = {path: options for out in outs for path, options in out.items()}
    return stages


STAGES = stages_of("default")


def within(path: str, folder: str) -> bool:
    """Whether ``path`` is ``folder`` or lies in it."""
    return path == folder or path.startswith(f"{folder}/")


def made(graph: dict) -> dict[str, str]:
    """Every file that the jobs of a graph make, with its phase."""
    return {path: job["phase"] for job in graph["jobs"] for path in job["output"]}


def used(graph: dict, phase: str) -> set[str]:
    """The files that the jobs of a phase read; its target only names what they make."""
    jobs = [j for j in graph["jobs"] if j["phase"] == phase and not graph["rules"][j["rule"]]["target"]]
    return {path for job in jobs for path in job["input"]}


def leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """(path, value) of every value in nested mappings that is no mapping itself, or an empty one."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


def covers(declared: str, path: tuple[str, ...]) -> bool:
    """Whether a stage that declares this key sees a change at ``path``."""
    keys = tuple(declared.split("."))
    return path[: len(keys)] == keys
