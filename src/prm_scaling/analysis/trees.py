"""From the candidates of a search to the correctness of its answer, at its end and at any time before."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from prm_scaling.analysis.estimators import best_of, weighted_vote
from prm_scaling.search.choose import aggregate, vote_weight
from prm_scaling.search.record import Candidate

# A candidate, whether it is right, and the class of its answer, ``None`` where it has none.
Graded = tuple[Candidate, bool, str | None]


def correctness(graded: Sequence[Graded], rule: str, how: str) -> float:
    """Expected correctness of the answer that a search chooses among its candidates; ties are broken at random.

    A search without candidates, and one whose candidates have no answer or no score, has none: that is wrong.

    Args:
        graded: the candidates of one search.
        rule: ``best_leaf``, the candidate of the greatest score; ``weighted_vote``, the class with the greatest sum
            of scores (Wu et al.); ``visits``, the class whose leaves the search visited most.
        how: the aggregation of step rewards to a score.
    """
    if not graded:
        return 0.0
    right, answers = np.array([hit for _, hit, _ in graded]), [answer for _, _, answer in graded]
    if rule == "best_leaf":
        scores = [aggregate(c.rewards, how) if a is not None else -np.inf for c, _, a in graded]
        return best_of(right, np.array(scores), len(graded))
    if rule == "weighted_vote":
        weights = [vote_weight(c.rewards, how) for c, _, _ in graded]
    elif rule == "visits":
        weights = [float(len(c.visits)) if c.visits else -np.inf for c, _, _ in graded]
    else:
        raise ValueError(f"no rule `{rule}` to choose an answer: best_leaf, weighted_vote or visits")
    # All candidates are one subset: the value is exact, and no seed plays a part.
    return weighted_vote(right, answers, np.array(weights), len(graded), seed=0).value


def by_then(graded: Sequence[Graded], tokens: int) -> list[Graded]:
    """What the search had once it had generated ``tokens`` tokens: candidates, and visits of them, until then."""
    return [
        (replace(c, visits=tuple(v for v in c.visits if v <= tokens)), hit, answer)
        for c, hit, answer in graded
        if c.spent <= tokens
    ]


def anytime(graded: Sequence[Graded], rule: str, how: str, tokens: Sequence[int]) -> list[float]:
    """The correctness of the answer after each number of ``tokens``: one search gives the whole curve.

    Before the first candidate is finished there is no answer, which counts as wrong.
    """
    return [correctness(by_then(graded, t), rule, how) for t in tokens]
