"""How long work takes: stated rates, and over them those that earlier runs were measured at."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import yaml

from prm_scaling.analysis.times import JobTime
from prm_scaling.config import merged
from prm_scaling.provenance.graph import Job
from prm_scaling.provenance.work import Load, Work

# Written by tools/rates.py, below the checkout's root.
MEASURED = Path("logs", "rates.yaml")
# Floating-point operations per parameter and token (Kaplan et al., 2.1: forward 2 N, backward twice that).
OPERATIONS = {"train": 6, "generate": 2, "reward": 2}


def stated_rates() -> dict[str, Any]:
    """The content of rates.yaml."""
    return yaml.safe_load((Path(__file__).parent / "rates.yaml").read_text())


def rates_of(checkout: Path) -> dict[str, Any]:
    """The stated rates, with those measured in ``checkout`` laid over them."""
    found = checkout / MEASURED
    return merged(stated_rates(), yaml.safe_load(found.read_text())) if found.is_file() else stated_rates()


def place_of(load: Load, device: str) -> str:
    """Whose rates hold for a load: those of its model's ``device``, and without a model those of ``cpu``."""
    return device.partition(":")[0] if load.parameters else "cpu"


def parts_of(load: Load, rates: dict[str, Any], device: str) -> dict[str, float]:
    """Seconds that the tokens of each kind of a load take, of one core or of one GPU."""
    own = rates[place_of(load, device)]
    return {
        kind: getattr(load, kind) * (own[kind]["fixed"] + operations * load.parameters / own[kind]["flops"])
        for kind, operations in OPERATIONS.items()
    }


def besides(load: Load, rates: dict[str, Any]) -> float:
    """Seconds of a core for what a load has besides tokens, its start left out."""
    return load.rows * rates["rows"] + load.graded * rates["graded"] + load.tested * rates["tested"]


def seconds_of(load: Load, rates: dict[str, Any], device: str) -> float:
    """Seconds of one core, or of one GPU if ``device`` is not ``cpu`` and there is a model, that a load takes."""
    start = rates["start"][place_of(load, device) if load.parameters else "tables"]
    return start + besides(load, rates) + sum(parts_of(load, rates, device).values())


def measured(graph: Sequence[Job], times: Iterable[JobTime]) -> dict[str, float]:
    """By a job's name what it took: seconds of a core, or of all its GPUs together."""
    gpus = {job.name: job.resources.get("gpu", 0) for job in graph}
    return {t.job: t.seconds * gpus[t.job] if gpus[t.job] else t.cpu_seconds for t in times if t.job in gpus}


def fitted(work: Work, graph: Sequence[Job], took: dict[str, float], rates: dict[str, Any]) -> dict[str, Any]:
    """Rates, to be laid over ``rates``, at which the jobs of a graph take what they ``took``.

    The time of a job with a model is taken for a start and, for each kind of tokens, a multiple of what ``rates`` say
    of it (so what is known of small and large models holds on): least squares of relative errors. Of jobs without
    one only the start is measured.
    """
    device = work.params.engine.device
    loads = {job.name: work.load(job.rule, job.wildcards) for job in graph if job.name in took}
    with_model = {name: load for name, load in loads.items() if load.parameters}
    found: dict[str, Any] = {"start": {}}
    if plain := [took[name] for name, load in loads.items() if load == Load()]:
        found["start"]["tables"] = round(median(plain), 2)
    if not with_model:
        return found
    place = place_of(next(iter(with_model.values())), device)
    parts = {name: parts_of(load, rates, device) for name, load in with_model.items()}
    kinds = [kind for kind in OPERATIONS if any(part[kind] for part in parts.values())]
    rows = np.array([[1.0, *(part[kind] for kind in kinds)] for part in parts.values()])
    wanted = np.array([took[name] for name in parts])
    left = np.maximum(wanted - [besides(load, rates) for load in with_model.values()], 0.0)
    # Not with the others: every job on a cluster reads this module, and only measuring needs scipy, slow to import.
    from scipy.optimize import nnls

    start, *multiples = nnls(rows / wanted[:, None], left / wanted)[0]
    found["start"][place] = round(float(start), 2)
    for kind, multiple in zip(kinds, multiples, strict=True):
        if multiple > 0:  # else all that is measured of it hides in the start
            own = rates[place][kind]
            new = {"fixed": float(own["fixed"] * multiple), "flops": float(own["flops"] / multiple)}
            found.setdefault(place, {})[kind] = new
    return found
