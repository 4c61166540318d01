"""The few numbers by which two runs are told apart at a glance: `dvc metrics show`, `dvc metrics diff`."""

from typing import Any

import pandas as pd


def headline(
    world: pd.DataFrame, verifier: pd.DataFrame, strategies: pd.DataFrame, noise: pd.DataFrame, policy: str
) -> dict[str, Any]:
    """Accuracies and AUCs, all within 0..1; what could not be measured is left out.

    Args:
        world: pool, measure, value (evaluate/world.csv); of it only the pools of ``policy``.
        verifier: prm, model, auc (evaluate/verifier.csv).
        strategies: dataset, strategy, budget, accuracy (evaluate/figure4.csv); of it only the largest budget.
        noise: domain, annotator, noise (evaluate/noise.csv).
    """
    pools = world[world["pool"].str.rsplit("-", n=1).str[0] == policy]
    pools = pools.assign(measure=pools["measure"].str.replace(r" by .*", "", regex=True))
    largest = strategies[strategies["budget"] == strategies["budget"].max()]
    return {
        "policy": _nested(
            pools.assign(measure=pools["measure"].str.replace(r" by .*", "", regex=True)), "value", ["pool", "measure"]
        ),
        "step_auc": _nested(verifier, "auc", ["prm", "model"]),
        f"accuracy_at_{strategies['budget'].max()}": _nested(largest, "accuracy", ["dataset", "strategy"]),
        "label_noise": _nested(noise, "noise", ["domain", "annotator"]),
    }


def _nested(rows: pd.DataFrame, value: str, keys: list[str]) -> dict[str, dict[str, float]]:
    """{first key: {second key: value}}."""
    found: dict[str, dict[str, float]] = {}
    for outer, inner, number in rows[[*keys, value]].dropna().itertuples(index=False):
        found.setdefault(str(outer), {})[str(inner)] = float(number)
    return found
