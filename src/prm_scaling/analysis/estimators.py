"""Exact expectations over subsets of a pool, and intervals over problems and seeds.

From a pool of M samples a problem, every budget n <= M is estimated without sampling anew: pass@n is not
best-of-n, and the first n samples would be a single draw.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from prm_scaling.seeds import stream

# Voting has no closed form over subsets: so many seeded ones are drawn.
SUBSETS = 100


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
        scores: (M,) its score; ``-inf`` for a sample without an answer.
    """
    order = np.argsort(scores, kind="stable")
    ranked, hits = scores[order], right[order].astype(float)
    # P(the best is among the i lowest) = C(i, n) / C(M, n).
    below = np.exp(log_choose(np.arange(len(ranked) + 1), n) - log_choose(len(ranked), n))
    _, starts, counts = np.unique(ranked, return_index=True, return_counts=True)
    mass = below[starts + counts] - below[starts]
    mean = np.add.reduceat(hits, starts) / counts
    return float(mass @ mean)


def vote(right: np.ndarray, classes: Sequence[str | None], weights: np.ndarray, n: int, seed: int) -> float:
    """Expected correctness of the (weighted) vote of a random subset of ``n``.

    Samples without a class do not vote. Over the seeded subsets the mean is taken, and over tied
    classes and over the voters of a class too: programs of one class may differ on the hidden tests.
    With n = M there is one subset, and the value is exact.

    Args:
        right: (M,) whether each sample is right.
        classes: the equivalence class of each sample's answer, ``None`` for no answer.
        weights: (M,) what each vote counts, at least 0; ones for the majority vote.
    """
    names = sorted({c for c in classes if c is not None})
    if not names:
        return 0.0
    member = np.array([[c == name for name in names] for c in classes])
    if n == len(classes):
        chosen = np.ones((1, n))
    else:
        ranks = stream("subsets", seed, n).random((SUBSETS, len(classes))).argsort(axis=1)
        chosen = (ranks < n).astype(float)
    voters = chosen @ member
    hits = (chosen @ (member & np.asarray(right, dtype=bool)[:, None])) / np.maximum(voters, 1)
    # Who votes is told by the voters, not by their weights: a small weight may be 0.
    totals = np.where(voters > 0, chosen @ np.where(member, weights[:, None], 0.0), -np.inf)
    top = totals.max(axis=1, keepdims=True)
    leading = (voters > 0) & (totals >= top * (1.0 - 1e-12))
    return float(np.mean((leading * hits).sum(axis=1) / np.maximum(leading.sum(axis=1), 1)))


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
