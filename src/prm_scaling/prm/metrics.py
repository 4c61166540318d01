"""Step-level metrics of a PRM against known truth."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import mannwhitneyu


def step_auc(rewards: Sequence[Sequence[float]], labels: Sequence[Sequence[float]]) -> float:
    """Area under the ROC over all steps (Mann-Whitney's U over the number of pairs); ``nan`` if a class is empty."""
    right = np.concatenate([np.asarray(row) for row in labels]) > 0.5
    scores = np.concatenate([np.asarray(row) for row in rewards])
    if right.all() or not right.any():
        return float("nan")
    return float(mannwhitneyu(scores[right], scores[~right]).statistic / (right.sum() * (~right).sum()))


def predicted_first_error(rewards: Sequence[float], threshold: float) -> int:
    """The first step whose reward is below ``threshold``; -1 if none is (ProcessBench's protocol)."""
    return next((i for i, reward in enumerate(rewards) if reward < threshold), -1)


def process_f1(predicted: Sequence[int], truth: Sequence[int]) -> float:
    """ProcessBench's F1: harmonic mean of the exact-match rates on erroneous and on correct chains.

    ``nan`` where there are no chains of one kind.

    >>> process_f1([1, -1, 2], [1, -1, 1])
    0.666...
    """
    hits = np.asarray(predicted) == np.asarray(truth)
    wrong = np.asarray(truth) >= 0
    if wrong.all() or not wrong.any():
        return float("nan")
    on_wrong, on_right = hits[wrong].mean(), hits[~wrong].mean()
    return float(2 * on_wrong * on_right / (on_wrong + on_right)) if on_wrong + on_right else 0.0


def tuned_threshold(rewards: Sequence[Sequence[float]], truth: Sequence[int]) -> float:
    """The threshold with the best F1 on a validation split (never the test split)."""
    grid = np.linspace(0.05, 0.95, 19)
    scores = [process_f1([predicted_first_error(r, t) for r in rewards], truth) for t in grid]
    return float(grid[int(np.nanargmax(scores))]) if not np.isnan(scores).all() else 0.5


def log_loss(rewards: Sequence[Sequence[float]], labels: Sequence[Sequence[float]]) -> float:
    """Mean binary cross-entropy over all steps, in nats."""
    truth = np.concatenate([np.asarray(row, dtype=float) for row in labels])
    values = np.clip(np.concatenate([np.asarray(row) for row in rewards]), 1e-7, 1 - 1e-7)
    return float(-np.mean(truth * np.log(values) + (1 - truth) * np.log(1 - values)))
