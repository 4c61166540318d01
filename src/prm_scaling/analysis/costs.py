"""Mean cost a question of every strategy and budget, from the ledgers."""

from collections.abc import Sequence

import pandas as pd

from prm_scaling.search.record import Cost, ScoringCost

COLUMNS = ["strategy", "dataset", "budget", "tokens", "seconds"]


def pool_costs(
    costs: Sequence[Cost], scoring: Sequence[ScoringCost], dataset_of: dict[str, str], budgets: Sequence[int]
) -> pd.DataFrame:
    """The strategies that choose from a pool: n of M samples cost n/M of the pool, and so does rating them.

    Args:
        scoring: what rating the pool cost, one entry a seed of the PRM.
    """
    table = pd.DataFrame([vars(c) for c in costs])
    table["dataset"] = table["problem"].map(dataset_of)
    means = table.groupby("dataset")[["generated", "generate_seconds"]].mean()
    size = int(table["budget"].iloc[0])
    rating = pd.Series([c.seconds / c.chains for c in scoring]).mean()
    rows = []
    for dataset, mean in means.iterrows():
        for n in budgets:
            share = n / size
            generating = mean["generate_seconds"] * share
            for strategy, extra in (("majority", 0.0), ("best_of_n", rating * n), ("weighted", rating * n)):
                rows.append((strategy, dataset, n, mean["generated"] * share, generating + extra))
    return pd.DataFrame(rows, columns=COLUMNS)


def tree_costs(costs: Sequence[Cost], dataset_of: dict[str, str]) -> pd.DataFrame:
    """The tree strategies: what their searches cost, mean over questions and seeds."""
    table = pd.DataFrame([vars(c) for c in costs])
    table["dataset"] = table["problem"].map(dataset_of)
    table["seconds"] = table["generate_seconds"] + table["score_seconds"]
    means = table.groupby(["strategy", "dataset", "budget"], as_index=False)[["generated", "seconds"]].mean()
    return means.rename(columns={"generated": "tokens"})[COLUMNS]
