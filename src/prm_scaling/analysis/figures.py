"""The tables behind the paper's figures and Table 1, from the per-problem accuracies and the costs."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from prm_scaling.analysis.accuracy import matrix
from prm_scaling.analysis.estimators import bootstrap


@dataclass(frozen=True)
class Intervals:
    """How intervals are made."""

    resamples: int
    confidence: float
    seed: int

    def of(self, values: np.ndarray) -> dict[str, float]:
        """``accuracy``, ``low`` and ``high`` of (seeds, problems) or (problems,) values."""
        interval = bootstrap(values, self.resamples, self.confidence, self.seed)
        return {"accuracy": interval.value, "low": interval.low, "high": interval.high}


def curve(table: pd.DataFrame, keys: list[str], intervals: Intervals) -> pd.DataFrame:
    """One row with an interval for each combination of ``keys``."""
    rows = [
        {**dict(zip(keys, values, strict=True)), **intervals.of(matrix(group))}
        for values, group in table.groupby(keys, sort=True)
    ]
    return pd.DataFrame(rows)


def figure1(table: pd.DataFrame, sizes: dict[str, int], training: str, n: int, intervals: Intervals) -> pd.DataFrame:
    """Best-of-n accuracy against PRM size, with the majority vote.

    Args:
        table: the accuracies of one pool.
        sizes: size name -> parameters of the PRM.
        training: the training set of the size study.
        n: samples.
    """
    parts = []
    for size, parameters in sizes.items():
        chosen = _pick(table, "best_of_n", n, prm=f"{training}-{size}")
        parts.append(curve(chosen, ["dataset"], intervals).assign(model=size, parameters=parameters))
    majority = curve(_pick(table, "majority", n), ["dataset"], intervals)
    parts.append(majority.assign(model="majority", parameters=np.nan))
    return pd.concat(parts).assign(n=n)[["dataset", "model", "parameters", "n", "accuracy", "low", "high"]]


def figure2(table: pd.DataFrame, auc: pd.DataFrame, n: int, batch: int, intervals: Intervals) -> pd.DataFrame:
    """Best-of-n accuracy, and step AUC and loss on held-out chains, against the PRM's training steps.

    Args:
        table: accuracies of checkpoints (``step`` > 0).
        auc: columns step, seed, metric, value.
        batch: chains a step.
    """
    accuracy = curve(table[(table.method == "best_of_n") & (table.n == n)], ["dataset", "step"], intervals)
    accuracy = accuracy.rename(columns={"accuracy": "value"}).assign(metric="accuracy")
    rows = []
    for (metric, step), group in auc.groupby(["metric", "step"]):
        interval = intervals.of(group["value"].to_numpy())
        rows.append({"dataset": "validation", "step": step, "metric": metric, **_renamed(interval)})
    whole = pd.concat([accuracy, pd.DataFrame(rows)])
    return whole.assign(examples=whole["step"] * batch)[
        ["dataset", "step", "examples", "metric", "value", "low", "high"]
    ]


def _renamed(interval: dict[str, float]) -> dict[str, float]:
    return {"value": interval["accuracy"], "low": interval["low"], "high": interval["high"]}


def figure3(table: pd.DataFrame, prms: dict[str, str], intervals: Intervals) -> pd.DataFrame:
    """Best-of-n by training data, with majority and pass.

    Args:
        prms: series name -> PRM (``<training set>-<size>``).
    """
    parts = [
        curve(table[table.method == m], ["dataset", "n"], intervals).assign(series=m) for m in ("majority", "pass")
    ]
    for series, prm in prms.items():
        chosen = table[(table.method == "best_of_n") & (table.prm == prm)]
        if chosen.empty:
            raise ValueError(f"no accuracies of best_of_n with PRM `{prm}`")
        parts.append(curve(chosen, ["dataset", "n"], intervals).assign(series=series))
    return pd.concat(parts)[["dataset", "series", "n", "accuracy", "low", "high"]]


def figure4(table: pd.DataFrame, costs: pd.DataFrame, times: pd.DataFrame, intervals: Intervals) -> pd.DataFrame:
    """Accuracy by strategy and budget, with its mean cost a question.

    Args:
        table: accuracies of the strategies to compare; ``method`` names them.
        costs: columns strategy, dataset, budget, tokens (means a question).
        times: columns strategy, budget, seconds, seconds_low, seconds_high (a question).
    """
    accuracy = curve(table, ["method", "dataset", "n"], intervals).rename(columns={"method": "strategy", "n": "budget"})
    merged = accuracy.merge(costs, how="left", on=["strategy", "dataset", "budget"], validate="one_to_one")
    merged = merged.merge(times, how="left", on=["strategy", "budget"], validate="many_to_one")
    without = merged[merged[["tokens", "seconds"]].isna().any(axis=1)]
    if len(without):
        raise ValueError(f"no costs of {sorted(set(without['strategy']))} at some budgets")
    spent = ["tokens", "seconds", "seconds_low", "seconds_high"]
    return merged[["dataset", "strategy", "budget", *spent, "accuracy", "low", "high"]]


def table1(
    table: pd.DataFrame, generators: dict[str, str], prms: dict[str, str], n: int, intervals: Intervals
) -> pd.DataFrame:
    """Accuracy of each generator with no selection, majority, and each PRM choosing among n (paper A, Table 1).

    Args:
        generators: generator -> pool.
        prms: selection name -> PRM.
    """
    rows = []
    for generator, pool in generators.items():
        own = table[table.pool == pool]
        selections = {"none": _pick(own, "pass", 1), "majority": _pick(own, "majority", n)}
        selections |= {name: _pick(own, "best_of_n", n, prm=prm) for name, prm in prms.items()}
        for selection, chosen in selections.items():
            part = curve(chosen, ["dataset"], intervals)
            average = pd.DataFrame([{"dataset": "average", **intervals.of(matrix(chosen))}])
            rows.append(pd.concat([part, average]).assign(generator=generator, selection=selection))
    return pd.concat(rows)[["generator", "dataset", "selection", "accuracy", "low", "high"]]


def _pick(table: pd.DataFrame, method: str, n: int, prm: str = "") -> pd.DataFrame:
    """The rows of one method at one budget; ``ValueError`` if there are none."""
    chosen = table[(table.method == method) & (table.n == n) & (table.prm == prm) & (table.step == 0)]
    if chosen.empty:
        raise ValueError(f"no accuracies of {method} at n={n} with PRM `{prm}`")
    return chosen
