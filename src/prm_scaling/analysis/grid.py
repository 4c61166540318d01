"""Pre-training against reward training: at equal compute, which should have how much of it?

Paper A speaks of pre-training and reward-training FLOPs and gives no formula. Ours is log-linear in both,
metric = a + b ln N + p ln P + r ln R, with N parameters, P FLOPs of pre-training and R of reward training. Of a compute
C = P + R at a given size the best share of reward training is then r / (p + r).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from prm_scaling.analysis.estimators import Interval, detectable, percentiles
from prm_scaling.analysis.figures import Intervals


@dataclass(frozen=True)
class Point:
    """A metric of the PRMs, one a seed, on one checkpoint of a pre-training after so many steps of reward training.

    Attributes:
        model: size of the ladder.
        parameters: non-embedding ones.
        pretraining_step, step: of the pre-training and of the reward training.
        pretraining_flops, training_flops: up to there.
        metric: the greater the better, except a ``loss``.
        values: (seeds,).
        resampled: (seeds, resamples) over problems.
    """

    model: str
    parameters: int
    pretraining_step: int
    step: int
    pretraining_flops: float
    training_flops: float
    metric: str
    values: np.ndarray
    resampled: np.ndarray

    @property
    def total(self) -> float:
        """FLOPs of both trainings."""
        return self.pretraining_flops + self.training_flops

    def over(self, seeds: np.ndarray) -> np.ndarray:
        """(resamples,) the mean over seeds, each as often as in ``seeds`` (resamples, seeds)."""
        return np.einsum("sr,rs->r", self.resampled, seeds / seeds.sum(axis=1, keepdims=True))


COLUMNS = ["model", "parameters", "pretraining_step", "step", "pretraining_flops", "training_flops", "total_flops"]
COLUMNS += ["share", "metric", "value", "low", "high", "front"]
SHARES = ["metric", "points", "share", "low", "high", "detectable", "pretraining", "reward", "r_squared"]


def table(points: Sequence[Point], seeds: np.ndarray, intervals: Intervals) -> pd.DataFrame:
    """One row a point, :data:`COLUMNS`; ``front``: no point of the metric that is as cheap or cheaper is better."""
    rows = []
    for point in points:
        found = percentiles(float(point.values.mean()), point.over(seeds), intervals.confidence)
        told = (point.model, point.parameters, point.pretraining_step, point.step)
        flops = (point.pretraining_flops, point.training_flops, point.total, point.training_flops / point.total)
        rows.append((*told, *flops, point.metric, found.value, found.low, found.high, _leads(point, points)))
    return pd.DataFrame(rows, columns=COLUMNS)


def _leads(point: Point, points: Sequence[Point]) -> bool:
    sign = -1.0 if point.metric == "loss" else 1.0
    rivals = [q for q in points if q.metric == point.metric and q.total <= point.total and q is not point]
    return all(sign * q.values.mean() < sign * point.values.mean() for q in rivals)


def reward_share(points: Sequence[Point], seeds: np.ndarray, confidence: float) -> tuple[Interval, tuple] | None:
    """The best share of reward training by the fit, and (p, r, R squared) of it; a loss is fitted with its sign turned.

    ``None`` where one of the two amounts does not vary at a given size, so that nothing can be told apart, or where
    neither amount helps.
    """
    logs = np.log([[q.parameters, q.pretraining_flops, q.training_flops] for q in points])
    varies = [v for v in range(logs.shape[1]) if np.ptp(logs[:, v]) > 0]
    design = np.column_stack([np.ones(len(points)), logs[:, varies]])
    if not {1, 2} <= set(varies) or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    sign = -1.0 if points[0].metric == "loss" else 1.0
    solve = np.linalg.pinv(design)
    value = sign * np.array([q.values.mean() for q in points])
    again = sign * np.array([q.over(seeds) for q in points])
    fitted, resampled = solve @ value, solve @ again

    def share(coefficients: np.ndarray) -> np.ndarray:
        # What does not help should have nothing.
        by_pretraining, by_reward = np.maximum(coefficients[-2:], 0.0)
        with np.errstate(invalid="ignore"):
            return by_reward / (by_pretraining + by_reward)

    if np.isnan(found := share(fitted)):
        return None
    left = value - design @ fitted
    r_squared = 1.0 - float(left @ left) / float(((value - value.mean()) ** 2).sum())
    return percentiles(float(found), share(resampled), confidence), (*fitted[-2:], r_squared)


def shares(
    points: Sequence[Point], seeds: np.ndarray, intervals: Intervals
) -> tuple[pd.DataFrame, dict[str, Interval]]:
    """The best share by each metric, :data:`SHARES`, and the intervals by metric."""
    rows, found = [], {}
    for metric in dict.fromkeys(q.metric for q in points):
        own = [q for q in points if q.metric == metric]
        if fitted := reward_share(own, seeds, intervals.confidence):
            interval, rest = fitted
            least = detectable(interval.low, interval.high, intervals.confidence)
            rows.append((metric, len(own), interval.value, interval.low, interval.high, least, *rest))
            found[metric] = interval
    return pd.DataFrame(rows, columns=SHARES), found
