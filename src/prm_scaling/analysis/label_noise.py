"""How wrong each annotator is, measured against the truth of every chain."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from prm_scaling.analysis.estimators import bootstrap
from prm_scaling.annotate.consensus import consensus
from prm_scaling.annotate.record import Annotation


def filters(annotations: dict[str, Sequence[Annotation]]) -> dict[str, list[Annotation]]:
    """The annotators and the filters made of them: who keeps which chain with which first error.

    ``consensus`` is ASLAF (Monte Carlo and all judges), ``mc_and_judge`` Zhang et al.'s (Monte Carlo and the
    first judge), ``majority`` keeps a location that more than half of the annotators give.
    """
    names = list(annotations)
    lists = list(annotations.values())
    kept = {name: [a for a in rows if a.first_error is not None] for name, rows in annotations.items()}
    kept["consensus"] = consensus(lists)
    kept["mc_and_judge"] = consensus(lists[: min(2, len(names))])
    kept["majority"] = [chosen for row in zip(*lists, strict=True) if (chosen := _majority(row)) is not None]
    return kept


def _majority(row: Sequence[Annotation]) -> Annotation | None:
    votes = [a.first_error for a in row if a.first_error is not None]
    for a in row:
        if a.first_error is not None and 2 * votes.count(a.first_error) > len(row):
            return a
    return None


def wrongness(kept: Sequence[Annotation], truth: dict[str, int]) -> np.ndarray:
    """Per kept chain, whether its first error is not the true one."""
    return np.array([a.first_error != truth[a.chain] for a in kept], dtype=float)


def noise_table(
    domain: str, kept: dict[str, list[Annotation]], truth: dict[str, int], resamples: int, confidence: float, seed: int
) -> pd.DataFrame:
    """Noise (share of kept chains with a wrong first error) and retention of each annotator and filter."""
    rows = []
    for name, annotations in kept.items():
        row = {"domain": domain, "annotator": name, "chains": len(annotations)}
        row["retention"] = len(annotations) / len(truth)
        if annotations:
            interval = bootstrap(wrongness(annotations, truth), resamples, confidence, seed)
            rows.append({**row, "noise": interval.value, "low": interval.low, "high": interval.high})
    return pd.DataFrame(rows)


def monotonicity_failures(on_track: Sequence[Sequence[float]]) -> float:
    """Share of chains in which a wrong step is followed by a right one: where binary search may err."""
    broken = [any(a < b for a, b in pairwise(labels)) for labels in on_track]
    return float(np.mean(broken))
