"""Mean cost a question of every strategy and budget: tokens from the ledgers, seconds from runs of their own."""

from collections.abc import Sequence

import pandas as pd

from prm_scaling.search.ledger import FAULTS
from prm_scaling.search.record import Cost, Timing

COLUMNS = ["strategy", "dataset", "budget", "tokens"]
# The ways to choose from a pool, and whether a PRM rates it for them.
CHOICES = {"majority": False, "best_of_n": True, "weighted": True}


def pool_costs(costs: Sequence[Cost], dataset_of: dict[str, str], budgets: Sequence[int]) -> pd.DataFrame:
    """Tokens of the strategies that choose from a pool: n of M samples cost n/M of the pool."""
    table = pd.DataFrame([vars(c) for c in costs])
    table["dataset"] = table["problem"].map(dataset_of)
    means = table.groupby("dataset")["generated"].mean()
    size = int(table["budget"].iloc[0])
    rows = [(s, d, n, mean * n / size) for d, mean in means.items() for n in budgets for s in CHOICES]
    return pd.DataFrame(rows, columns=COLUMNS)


def tree_costs(costs: Sequence[Cost], dataset_of: dict[str, str]) -> pd.DataFrame:
    """Tokens of the tree strategies: mean over questions and seeds."""
    table = pd.DataFrame([vars(c) for c in costs])
    table["dataset"] = table["problem"].map(dataset_of)
    means = table.groupby(["strategy", "dataset", "budget"], as_index=False)["generated"].mean()
    return means.rename(columns={"generated": "tokens"})[COLUMNS]


def seconds(timings: Sequence[Timing]) -> pd.DataFrame:
    """Seconds a question of every strategy and budget: mean, least and most of the repeats.

    Sampling stands for what chooses from samples: a majority vote needs no PRM, best-of-N and a weighted vote do.

    Returns:
        Columns strategy, budget, seconds, seconds_low, seconds_high.
    """
    rows = []
    for t in timings:
        without = t.generate_seconds + t.verify_seconds + t.scheduler_seconds
        shown = CHOICES if t.strategy == "sampling" else {t.strategy: True}
        rows += [(s, t.budget, (without + t.score_seconds * rated) / t.questions) for s, rated in shown.items()]
    table = pd.DataFrame(rows, columns=["strategy", "budget", "seconds"])
    return table.groupby(["strategy", "budget"], as_index=False).agg(
        seconds=("seconds", "mean"), seconds_low=("seconds", "min"), seconds_high=("seconds", "max")
    )


def fault_counts(costs: Sequence[Cost]) -> pd.DataFrame:
    """What went wrong in the searches, summed over questions and seeds: one row a strategy and budget."""
    table = pd.DataFrame([vars(c) for c in costs])
    table["searches"] = 1
    return table.groupby(["strategy", "budget"], as_index=False)[["searches", *FAULTS]].sum()
