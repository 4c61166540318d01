"""Graded samples and tables of accuracies, made up."""

from dataclasses import replace

import pandas as pd

from prm_scaling.analysis.graded import Graded
from prm_scaling.seeds import stream

DATASETS = {"seen": 4, "unseen": 3}


def graded(problem: str, sample: int, **changes) -> Graded:
    chain = f"{problem}/{sample}"
    known = Graded("m-math", chain, "d", problem, sample, "1", True, True, (True,), -1, (False,), None)
    return replace(known, **changes)


def world(entries: dict, seeds: int = 2, datasets: dict = DATASETS, spread: float = 0.0) -> pd.DataFrame:
    """An accuracy table: (method, prm, step, pool, n) -> mean, with noise whose mean over problems is 0."""
    rows = []
    for key, level in entries.items():
        method, prm, step, pool, n = key
        for seed in range(seeds if prm else 1):
            for dataset, count in datasets.items():
                noise = stream(key, seed, dataset).normal(size=count)
                for i, z in enumerate(noise - noise.mean()):
                    value = level + spread * z
                    rows.append((method, prm, seed, step, pool, dataset, f"{dataset}-{i}", n, value))
    columns = ["method", "prm", "seed", "step", "pool", "dataset", "problem", "n", "value"]
    return pd.DataFrame(rows, columns=columns)
