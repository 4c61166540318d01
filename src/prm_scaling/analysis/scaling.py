"""Curves over the size or the training of PRMs: saturating power laws, and where a curve climbs.

Paper A states no formula; the law is ours: y = ceiling - scale * (x / unit) ** -exponent, with ``unit`` the geometric
mean of the x measured. A loss is fitted with its sign turned, so that every metric climbs. All PRMs of the size study
read the same chains, so their reward-training FLOPs are proportional to their parameters, and the law over either has
the same exponent and ceiling; the training axis has the checkpoints of one PRM.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import curve_fit

from prm_scaling.analysis.estimators import Interval, percentiles

# Exponents are looked for in between: a smaller one is a logarithm, a larger one a step.
EXPONENTS = (0.01, 10.0)
# Each resampled curve is fitted anew: fewer than elsewhere.
RESAMPLES = 200
# Three parameters go through any three points; a jump is told from a climb by two climbs.
LEAST_TO_FIT, LEAST_TO_JUMP = 4, 3


@dataclass(frozen=True)
class Curve:
    """A metric over x, and resampled over problems and seeds.

    Attributes:
        x: (points,) ascending, above 0.
        y: (points,) the greater the better.
        resampled: (resamples, points).
        top: the greatest value that the metric can have.
    """

    x: np.ndarray
    y: np.ndarray
    resampled: np.ndarray
    top: float

    @classmethod
    def over_seeds(
        cls, x: Sequence[float], y: np.ndarray, resampled: np.ndarray, seeds: np.ndarray, top: float
    ) -> "Curve":
        """The mean over seeds.

        Args:
            y: (points, seeds).
            resampled: (points, seeds, resamples) over problems.
            seeds: (resamples, seeds) how often each seed counts in a resample.
        """
        share = seeds / seeds.sum(axis=1, keepdims=True)
        return cls(np.array(x, dtype=float), y.mean(axis=1), np.einsum("ksr,rs->rk", resampled, share), top)

    def intervals(self, confidence: float) -> list[Interval]:
        """The value at each x with its interval."""
        return [percentiles(y, r, confidence) for y, r in zip(self.y, self.resampled.T, strict=True)]


@dataclass(frozen=True)
class Law:
    """A saturating power law, x in its own units."""

    ceiling: float
    scale: float
    exponent: float
    unit: float

    def at(self, x: np.ndarray | float) -> np.ndarray:
        """The value at x."""
        return self.ceiling - self.scale * (np.asarray(x, dtype=float) / self.unit) ** -self.exponent

    def beyond(self, margin: float) -> float:
        """The x from which on doubling it gains less than ``margin``; infinite where that lies beyond all numbers.

        >>> law = Law(1.0, 0.5, 1.0, 100.0)
        >>> x = law.beyond(0.01); round(x), round(float(law.at(2 * x) - law.at(x)), 6)
        (2500, 0.01)
        """
        with np.errstate(over="ignore", divide="ignore"):
            size = np.log(self.scale * (1.0 - 2.0**-self.exponent) / margin) / self.exponent
            return float(self.unit * np.exp(size))


def fit(x: np.ndarray, y: np.ndarray, errors: np.ndarray, top: float) -> Law | None:
    """The law that fits best, weighted by the points' standard ``errors``; ``None`` where the search does not converge.

    Raises:
        ValueError: fewer than :data:`LEAST_TO_FIT` points, or an x that is not above 0.
    """
    if len(x) < LEAST_TO_FIT or np.min(x) <= 0:
        raise ValueError(f"a law of three parameters needs {LEAST_TO_FIT} points at an x above 0, not {list(x)}")
    unit = float(np.exp(np.log(x).mean()))
    bounds = ([-np.inf, 0.0, EXPONENTS[0]], [top, np.inf, EXPONENTS[1]])
    start = [min(float(y.max()), top - 1e-6), max(float(np.ptp(y)), 1e-3) / 2, 0.5]
    try:
        found, _ = curve_fit(_climb, np.asarray(x) / unit, y, start, errors, bounds=bounds, jac=_gradient)
    except RuntimeError:  # what scipy raises where the number of evaluations runs out
        return None
    ceiling, scale, exponent = map(float, found)
    return Law(ceiling, scale, exponent, unit)


def _climb(u: np.ndarray, ceiling: float, scale: float, exponent: float) -> np.ndarray:
    return ceiling - scale * u**-exponent


def _gradient(u: np.ndarray, ceiling: float, scale: float, exponent: float) -> np.ndarray:
    power = u**-exponent
    return np.column_stack([np.ones_like(u), -power, scale * power * np.log(u)])


@dataclass(frozen=True)
class Fitted:
    """A law with its intervals.

    Attributes:
        ceiling: the value that the law tends to.
        exponent: of the law.
        beyond: the x from which on doubling it gains less than a margin.
        left: the ceiling less the law's value at the largest x.
        misfit: the distance of the point furthest from the law, in that point's standard errors.
        failed: resampled curves whose search did not converge; they are left out of the intervals.
    """

    law: Law
    ceiling: Interval
    exponent: Interval
    beyond: Interval
    left: Interval
    misfit: float
    failed: int


def fit_curve(curve: Curve, margin: float, confidence: float) -> Fitted | None:
    """The law of a curve, and of each of its resampled ones; ``None`` for fewer than :data:`LEAST_TO_FIT` points.

    Raises:
        ValueError: no law goes through the curve itself.
    """
    if len(curve.x) < LEAST_TO_FIT:
        return None
    errors = np.maximum(curve.resampled.std(axis=0), 1e-6)
    law = fit(curve.x, curve.y, errors, curve.top)
    if law is None:
        raise ValueError(f"no saturating power law goes through {curve.y.round(4).tolist()} at {curve.x.tolist()}")
    again = [found for y in curve.resampled if (found := fit(curve.x, y, errors, curve.top)) is not None]

    def interval(value: float, values: list[float]) -> Interval:
        return percentiles(value, np.array(values), confidence)

    last = curve.x[-1]
    return Fitted(
        law,
        interval(law.ceiling, [a.ceiling for a in again]),
        interval(law.exponent, [a.exponent for a in again]),
        interval(law.beyond(margin), [a.beyond(margin) for a in again]),
        interval(law.ceiling - float(law.at(last)), [a.ceiling - float(a.at(last)) for a in again]),
        float(np.max(np.abs(curve.y - law.at(curve.x)) / errors)),
        len(curve.resampled) - len(again),
    )


@dataclass(frozen=True)
class Jump:
    """Where a curve climbs most between neighbouring points.

    Attributes:
        before, after: the x on either side.
        share: of the whole climb from the first point to the last.
        excess: the climb there less all the other climbs together.
    """

    before: float
    after: float
    share: Interval
    excess: Interval


def jump(curve: Curve, confidence: float) -> Jump | None:
    """The largest climb of a curve; its place is fixed on the whole data, before the resampling.

    ``None`` for fewer than :data:`LEAST_TO_JUMP` points.
    """
    if len(curve.x) < LEAST_TO_JUMP:
        return None
    place = int(np.argmax(np.diff(curve.y)))

    def climbs(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        there, whole = y[..., place + 1] - y[..., place], y[..., -1] - y[..., 0]
        return there, whole

    (there, whole), (there_again, whole_again) = climbs(curve.y), climbs(curve.resampled)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = percentiles(there / whole, there_again / whole_again, confidence)
    excess = percentiles(2 * there - whole, 2 * there_again - whole_again, confidence)
    return Jump(float(curve.x[place]), float(curve.x[place + 1]), share, excess)
