"""Response level against step level (Zhang et al.): what best-of-N hides of a PRM."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from prm_scaling.analysis.accuracy import Pool
from prm_scaling.analysis.estimators import Interval, best_of, detectable, percentiles, ratios, weights
from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.graded import Graded
from prm_scaling.search.choose import aggregate
from prm_scaling.search.record import Rewards

# Zhang et al., figure 9, compare them.
AGGREGATIONS = ("last", "product", "min")


def wrong_process(
    domain: str, graded: Sequence[Graded], difficulty: Mapping[str, int], intervals: Intervals
) -> pd.DataFrame:
    """Of the right answers, the share that a chain with an error gives, by the problem's difficulty (figure 6 there).

    Returns:
        Columns domain, difficulty, right (answers), share, low, high, detectable.
    """
    rows = []
    for level in sorted({difficulty[g.problem] for g in graded}):
        counts = process_counts([g for g in graded if difficulty[g.problem] == level and g.first_error is not None])
        if not counts[:, 1].any():
            continue
        (share,) = ratios(counts[:, :1], counts[:, 1:], intervals.resamples, intervals.confidence, intervals.seed)
        least = detectable(share.low, share.high, intervals.confidence)
        rows.append((domain, level, int(counts[:, 1].sum()), share.value, share.low, share.high, least))
    return pd.DataFrame(rows, columns=["domain", "difficulty", "right", "share", "low", "high", "detectable"])


def process_gap(graded: Sequence[Graded], difficulty: Mapping[str, int], intervals: Intervals) -> Interval:
    """That share among the hardest problems less that among the easiest; NaN where all are equally hard."""
    levels = {difficulty[g.problem] for g in graded}
    easiest, hardest = (
        process_counts([g for g in graded if difficulty[g.problem] == level and g.first_error is not None])
        for level in (min(levels), max(levels))
    )

    def share(counts: np.ndarray, seed: int) -> tuple[float, np.ndarray]:
        drawn = weights(len(counts), intervals.resamples, seed) @ counts
        with np.errstate(invalid="ignore"):
            return counts[:, 0].sum() / counts[:, 1].sum(), drawn[:, 0] / drawn[:, 1]

    if len(levels) == 1 or not easiest[:, 1].any() or not hardest[:, 1].any():
        return Interval(np.nan, np.nan, np.nan)
    # Other problems are hard than easy: they are resampled apart.
    (low, low_again), (high, high_again) = share(easiest, intervals.seed), share(hardest, intervals.seed + 1)
    return percentiles(high - low, high_again - low_again, intervals.confidence)


def process_counts(graded: Sequence[Graded]) -> np.ndarray:
    """(problems, 2) right answers by a wrong process, and right answers, of each problem."""
    problems = {name: i for i, name in enumerate(dict.fromkeys(g.problem for g in graded))}
    found = np.zeros((len(problems), 2))
    for g in graded:
        found[problems[g.problem]] += (g.right and g.first_error != -1, g.right)
    return found


def lowest_last(rewards: Sequence[Rewards], graded: Mapping[str, Graded]) -> dict[str, float]:
    """By problem, the share of its chains whose lowest reward is their last step's (figure 8 there).

    Of equally low steps all count, in equal shares. A problem of whose chains the PRM could score none is left out.
    """
    by_problem: dict[str, list[float]] = {}
    for r in rewards:
        if r.rewards and r.scored:
            lowest = np.array(r.rewards) == min(r.rewards)
            by_problem.setdefault(graded[r.chain].problem, []).append(float(lowest[-1] / lowest.sum()))
    return {name: float(np.mean(values)) for name, values in by_problem.items()}


def stacked(seeds: Sequence[Mapping[str, float]]) -> np.ndarray:
    """(seeds, problems) values of the problems that all seeds have."""
    shared = sorted(set.intersection(*map(set, seeds)))
    return np.array([[values[name] for name in shared] for values in seeds])


def by_aggregation(pools: Sequence[Pool], rewards: Sequence[Rewards], n: int) -> dict[str, np.ndarray]:
    """(problems,) best-of-n accuracy for each of :data:`AGGREGATIONS`; problems stand in the order of their names."""
    of_chain = {r.chain: r.rewards for r in rewards}
    found: dict[str, list[float]] = {how: [] for how in AGGREGATIONS}
    for pool in sorted(pools, key=lambda p: p.problem):
        answered = np.array([a is not None for a in pool.answers])
        for how, values in found.items():
            scores = np.array([aggregate(of_chain[chain], how) for chain in pool.chains])
            values.append(best_of(pool.right, np.where(answered, scores, -np.inf), n))
    return {how: np.array(values) for how, values in found.items()}
