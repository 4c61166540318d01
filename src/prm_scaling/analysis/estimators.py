"""Expectations over subsets of a pool, exact where that is feasible, and intervals over problems and seeds.

From a pool of M samples a problem, every budget n <= M is estimated without sampling anew: pass@n is not
best-of-n, and the first n samples would be a single draw.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from scipy.linalg import toeplitz
from scipy.special import gammaln
from scipy.stats import norm

from prm_scaling.seeds import stream

# The weighted vote has no closed form over subsets: all are taken where they are no more than EXACT, else so many
# seeded ones.
EXACT, SUBSETS = 1000, 100
# Above this, binomial coefficients of the pool leave the range of a double.
LARGEST_POOL = 1000


def log_choose(n: np.ndarray | int, k: int) -> np.ndarray:
    """log C(n, k); -inf where n < k."""
    n = np.asarray(n, dtype=float)
    with np.errstate(invalid="ignore"):
        value = gammaln(n + 1) - gammaln(k + 1) - gammaln(np.maximum(n - k, 0) + 1)
    return np.where(n >= k, value, -np.inf)


def pass_at(right: np.ndarray, n: int) -> float:
    """Probability that a random subset of ``n`` of the samples holds a right one (Chen et al., 2021)."""
    m = len(right)
    return float(1.0 - np.exp(log_choose(m - int(right.sum()), n) - log_choose(m, n)))


def best_of(right: np.ndarray, scores: np.ndarray, n: int) -> float:
    """Expected correctness of the best-scored of a random subset of ``n``; ties are broken at random.

    Args:
        right: (M,) whether each sample is right.
        scores: (M,) its score; ``-inf`` for a sample that is never chosen: it has no answer, or the PRM could not
            score it. A subset of such samples alone gives no answer, which is wrong.
    """
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    hits = np.where(ranked == -np.inf, 0.0, right[order].astype(float))
    # P(the best is among the i lowest) = C(i, n) / C(M, n).
    below = np.exp(log_choose(np.arange(len(ranked) + 1), n) - log_choose(len(ranked), n))
    _, starts, counts = np.unique(ranked, return_index=True, return_counts=True)
    mass = below[starts + counts] - below[starts]
    mean = np.add.reduceat(hits, starts) / counts
    return float(mass @ mean)


def majority(right: np.ndarray, classes: Sequence[str | None]) -> np.ndarray:
    """(M,) the exact expected correctness of the majority vote of a random subset of n = 1, ..., M of the samples.

    Samples without a class do not vote; where nobody votes the answer is wrong. Among the largest classes of a
    subset, and among the voters of a class, the mean is taken: programs of one class may differ on the hidden tests.

    The subsets are counted by dynamic programming over class sizes. For each number k of votes that might win, the
    classes larger than k - 1 have j < k or j = k of their members in the subset, in C(m, j) ways, and all others, the
    non-voters among them, fill it up freely. A class has in expectation the share of right voters that it has in the
    pool, whatever its number in the subset.

    Args:
        right: (M,) whether each sample is right.
        classes: the equivalence class of each sample's answer, ``None`` for no answer.

    Raises:
        ValueError: for a pool of more than :data:`LARGEST_POOL` samples.
    """
    size = len(classes)
    if size > LARGEST_POOL:
        raise ValueError(f"a pool of {size} samples: the majority vote is exact up to {LARGEST_POOL}")
    members = Counter(c for c in classes if c is not None)
    share = {c: float(np.mean([r for r, own in zip(right, classes, strict=True) if own == c])) for c in members}
    value = np.zeros(size + 1)
    for k in range(1, max(members.values(), default=0) + 1):
        large = [c for c in members if members[c] >= k]
        ties = min(len(large), size // k)
        # ways[s, t]: ways to draw s samples of the classes seen so far with t of them at k; hits: the same, each way
        # weighted by the sum of the right shares of its t classes.
        ways, hits = np.zeros((size + 1, ties + 1)), np.zeros((size + 1, ties + 1))
        ways[0, 0] = 1.0
        for c in large:
            fewer = _drawing([comb(members[c], j) for j in range(k)], size)
            equal = float(comb(members[c], k))
            more_ways, more_hits = fewer @ ways, fewer @ hits
            more_ways[k:, 1:] += equal * ways[:-k, :-1]
            more_hits[k:, 1:] += equal * (hits[:-k, :-1] + share[c] * ways[:-k, :-1])
            ways, hits = more_ways, more_hits
        rest = size - sum(members[c] for c in large)
        winning = hits[:, 1:] @ (1.0 / np.arange(1, ties + 1))
        value += _drawing([comb(rest, j) for j in range(rest + 1)], size) @ winning
    return value[1:] / np.array([float(comb(size, n)) for n in range(1, size + 1)])


def _drawing(ways: Sequence[int], size: int) -> np.ndarray:
    """The matrix that adds a class to a count by subset size: ``ways[j]`` ways to draw j of it."""
    column = np.zeros(size + 1)
    column[: len(ways)] = ways
    return toeplitz(column, np.zeros(size + 1))


@dataclass(frozen=True)
class Estimate:
    """A value and the standard error of its Monte Carlo estimate; 0 where it is exact."""

    value: float
    error: float


def weighted_vote(right: np.ndarray, classes: Sequence[str | None], weights: np.ndarray, n: int, seed: int) -> Estimate:
    """Expected correctness of the weighted vote (Wu et al.) of a random subset of ``n``.

    Samples without a class, or of weight -inf (the PRM could not score them), do not vote. Over subsets the mean is
    taken, and over tied classes and over the voters of a class too, as in :func:`majority`. Sums of weights have no
    few values over which subsets could be counted, so :data:`SUBSETS` seeded ones are drawn; where there are no more
    than :data:`EXACT`, each is taken once and the value is exact. As each problem has subsets of its own, an interval
    over problems holds this error already.

    Args:
        right: (M,) whether each sample is right.
        classes: the equivalence class of each sample's answer, ``None`` for no answer.
        weights: (M,) what each vote counts, at least 0.
    """
    size = len(classes)
    voting = [c if w > -np.inf else None for c, w in zip(classes, weights, strict=True)]
    names = sorted({c for c in voting if c is not None})
    if not names:
        return Estimate(0.0, 0.0)
    member = np.array([[c == name for name in names] for c in voting])
    exact = comb(size, n) <= EXACT
    if exact:
        chosen = np.zeros((comb(size, n), size))
        np.put_along_axis(chosen, np.array(list(combinations(range(size), n))), 1.0, axis=1)
    else:
        ranks = stream("subsets", seed, n).random((SUBSETS, size)).argsort(axis=1)
        chosen = (ranks < n).astype(float)
    voters = chosen @ member
    hits = (chosen @ (member & np.asarray(right, dtype=bool)[:, None])) / np.maximum(voters, 1)
    # Who votes is told by the voters, not by their weights: a small weight may be 0.
    totals = np.where(voters > 0, chosen @ np.where(member, weights[:, None], 0.0), -np.inf)
    top = totals.max(axis=1, keepdims=True)
    leading = (voters > 0) & (totals >= top * (1.0 - 1e-12))
    values = (leading * hits).sum(axis=1) / np.maximum(leading.sum(axis=1), 1)
    error = 0.0 if exact else float(values.std(ddof=1) / np.sqrt(SUBSETS))
    return Estimate(float(values.mean()), error)


def mean_error(estimates: Sequence[Estimate]) -> float:
    """The standard error, by Monte Carlo alone, of the mean of independent estimates."""
    return float(np.sqrt(sum(e.error**2 for e in estimates)) / len(estimates))


@dataclass(frozen=True)
class Interval:
    """A mean with its percentile bootstrap interval."""

    value: float
    low: float
    high: float


def bootstrap(values: np.ndarray, resamples: int, confidence: float, seed: int) -> Interval:
    """The mean of ``values`` with an interval over problems and seeds, both resampled.

    Args:
        values: (seeds, problems) or (problems,); differences of two methods on the same problems give a
            paired interval.
    """
    table = np.atleast_2d(np.asarray(values, dtype=float))
    rng = stream("bootstrap", seed)
    seeds = rng.integers(table.shape[0], size=(resamples, table.shape[0]))
    problems = rng.integers(table.shape[1], size=(resamples, table.shape[1]))
    # Resampling problems is reweighting them: a matrix product instead of a large gather.
    weights = np.stack([np.bincount(row, minlength=table.shape[1]) for row in problems]) / table.shape[1]
    by_seed = np.stack([np.bincount(row, minlength=table.shape[0]) for row in seeds]) / table.shape[0]
    means = np.einsum("rs,sp,rp->r", by_seed, table, weights, optimize=True)
    tail = (1.0 - confidence) / 2.0
    low, high = np.quantile(means, [tail, 1.0 - tail])
    return Interval(float(table.mean()), float(low), float(high))


def weights(problems: int, resamples: int, seed: int) -> np.ndarray:
    """(resamples, problems) how often each problem is in each bootstrap sample; every row has the sum ``problems``."""
    return (
        stream("weights", seed).multinomial(problems, np.full(problems, 1.0 / problems), size=resamples).astype(float)
    )


def percentiles(value: float, resampled: np.ndarray, confidence: float) -> Interval:
    """``value`` with the percentile interval of its resampled ones; those that are NaN could not be measured."""
    tail = (1.0 - confidence) / 2.0
    known = resampled[~np.isnan(resampled)]
    low, high = np.quantile(known, [tail, 1.0 - tail], method="closest_observation") if len(known) else (np.nan, np.nan)
    return Interval(float(value), float(low), float(high))


def ratios(top: np.ndarray, bottom: np.ndarray, resamples: int, confidence: float, seed: int) -> list[Interval]:
    """sum(top) / sum(bottom) of each column with an interval over problems: shares of things that problems have
    unequally many of.

    Args:
        top: (problems, columns) sums of each problem.
        bottom: the same; a column of zeros has a share of NaN.
    """
    drawn = weights(len(top), resamples, seed)
    with np.errstate(invalid="ignore"):
        shares, resampled = top.sum(axis=0) / bottom.sum(axis=0), (drawn @ top) / (drawn @ bottom)
    return [percentiles(share, column, confidence) for share, column in zip(shares, resampled.T, strict=True)]


def detectable(low: float, high: float, confidence: float, power: float = 0.8) -> float:
    """The least true effect that would have been told from none with probability ``power``, by an interval's width.

    The interval is taken for a normal one: (z of its confidence + z of the power) standard errors. NaN where it has no
    width: what never varied says nothing of what could have been seen.

    >>> round(detectable(-1.96, 1.96, 0.95), 2)
    2.8
    """
    if high <= low:
        return float("nan")
    z = norm.ppf((1.0 + confidence) / 2.0)
    return float((high - low) / (2.0 * z) * (z + norm.ppf(power)))
