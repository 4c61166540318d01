"""Self-corrections: how frequent they are, whether they go with right answers, what a PRM gives them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.graded import Graded


def pattern_table(graded: Sequence[Graded], scores: np.ndarray, chosen_of: int, intervals: Intervals) -> pd.DataFrame:
    """Rate of chains with a self-correction among all, PRM-selected and right chains, by problem.

    Args:
        graded: chains of one pool.
        scores: (chains,) the PRM's score of each.
        chosen_of: the PRM selects the best of this many first samples.

    Returns:
        Columns group, rate, low, high; the groups ``right_with`` and ``right_without`` hold instead the
        rate of right answers among chains with and without a self-correction.
    """
    table = _table(graded, scores)
    selected = _best(table[table["sample"] < chosen_of])
    groups = {
        "all": (table, "corrects"),
        "prm_selected": (selected, "corrects"),
        "right": (table[table.right], "corrects"),
        "right_with": (table[table.corrects], "right"),
        "right_without": (table[~table.corrects], "right"),
    }
    rows = []
    for name, (part, column) in groups.items():
        if not part.empty:
            interval = intervals.of(part.groupby("problem")[column].mean().to_numpy(float))
            rows.append({"group": name, "rate": interval["accuracy"], "low": interval["low"], "high": interval["high"]})
    return pd.DataFrame(rows, columns=["group", "rate", "low", "high"])


def selection_effect(graded: Sequence[Graded], scores: np.ndarray, chosen_of: int) -> np.ndarray:
    """Per problem: does the selected chain self-correct, less the rate among the samples it is chosen from."""
    table = _table(graded, scores)
    table = table[table["sample"] < chosen_of]
    selected = _best(table).groupby("problem")["corrects"].mean()
    return (selected - table.groupby("problem")["corrects"].mean()).to_numpy(float)


def correctness_effect(graded: Sequence[Graded]) -> np.ndarray:
    """Per problem that has both: rate of right answers with a self-correction less that without."""
    table = _table(graded, np.zeros(len(graded)))
    rates = table.pivot_table(index="problem", columns="corrects", values="right", aggfunc="mean")
    if not {True, False} <= set(rates.columns):
        return np.array([])
    return (rates[True] - rates[False]).dropna().to_numpy()


def _best(table: pd.DataFrame) -> pd.DataFrame:
    """The best-scored chain of each problem; of chains that tie all, which count in equal shares."""
    return table[table["score"] == table.groupby("problem")["score"].transform("max")]


def _table(graded: Sequence[Graded], scores: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "problem": [g.problem for g in graded],
            "sample": [g.sample for g in graded],
            "right": [g.right for g in graded],
            "corrects": [any(g.corrections) for g in graded],
            "score": scores,
        }
    )


def rewards_by_kind(graded: Sequence[Graded], rewards: Sequence[Sequence[float]], intervals: Intervals) -> pd.DataFrame:
    """Mean reward of self-correcting, ordinary right, and wrong steps (paper A, figure 6), by problem."""
    rows = []
    for g, values in zip(graded, rewards, strict=True):
        for right, corrects, value in zip(g.on_track, g.corrections, values, strict=True):
            group = "wrong" if not right else "correction" if corrects else "ordinary"
            rows.append((g.problem, group, value))
    table = pd.DataFrame(rows, columns=["problem", "group", "reward"])
    result = []
    for group, part in table.groupby("group"):
        interval = intervals.of(part.groupby("problem")["reward"].mean().to_numpy())
        result.append(
            {"group": group, "reward": interval["accuracy"], "low": interval["low"], "high": interval["high"]}
        )
    return pd.DataFrame(result)


def correction_preference(graded: Sequence[Graded], rewards: Sequence[Sequence[float]]) -> np.ndarray:
    """Per chain with a right self-correction: its mean reward less that of the chain's ordinary right steps."""
    effects = []
    for g, values in zip(graded, rewards, strict=True):
        kinds = list(zip(g.on_track, g.corrections, values, strict=True))
        correcting = [v for right, corrects, v in kinds if right and corrects]
        ordinary = [v for right, corrects, v in kinds if right and not corrects]
        if correcting and ordinary:
            effects.append(np.mean(correcting) - np.mean(ordinary))
    return np.array(effects)


def cases(graded: Sequence[Graded], count: int) -> list[int]:
    """The first chains, one a problem, that are whole, err and correct themselves: what figure 6 shows."""
    found: dict[str, int] = {}
    wanted = [
        lambda g: any(g.corrections) and g.right,
        lambda g: any(g.corrections) and not g.right,
        lambda g: not any(g.corrections) and not g.right,
        lambda g: not any(g.corrections) and g.right,
    ]
    chosen = []
    for want in wanted[:count]:
        index = next(
            (
                i
                for i, g in enumerate(graded)
                if g.finished and want(g) and g.problem not in found and len(g.on_track) > 3
            ),
            None,
        )
        if index is not None:
            found[graded[index].problem] = index
            chosen.append(index)
    return chosen
