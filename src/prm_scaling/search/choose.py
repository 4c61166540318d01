"""From the rewards of a solution's steps to one score, and to the weight of its vote."""

import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np

Aggregation = Literal["last", "min", "product", "mean", "logits"]

# A probability that a half-precision PRM rounds to 0 or 1 has a finite logit all the same.
EDGE = 1e-6


def logit(p: float) -> float:
    """log(p / (1 - p)), with p kept :data:`EDGE` away from 0 and 1.

    >>> logit(0.5), round(logit(0.9), 3), round(logit(1.0), 3)
    (0.0, 2.197, 13.816)
    """
    p = min(max(p, EDGE), 1 - EDGE)
    return math.log(p / (1 - p))


AGGREGATIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "last": lambda rewards: rewards[-1],
    "min": min,
    "product": lambda rewards: float(np.prod(rewards)),
    "mean": lambda rewards: float(np.mean(rewards)),
    "logits": lambda rewards: sum(map(logit, rewards)),
}
assert tuple(AGGREGATIONS) == get_args(Aggregation)


def aggregate(rewards: Sequence[float], how: str) -> float:
    """The score of a solution (Zhang et al., figure 9, compare the ways; ``logits`` is the sum of the logits).

    A solution without steps, or with a step that the PRM could not score (NaN), has -inf and is never chosen.
    """
    combine = AGGREGATIONS[how]
    if not len(rewards) or any(map(math.isnan, rewards)):
        return -math.inf
    return float(combine(rewards))


def vote_weight(rewards: Sequence[float], how: str) -> float:
    """What a solution's vote weighs (Wu et al.): its score, at least 0; -inf for one that does not vote.

    A sum of logits is brought back to a probability first, which keeps its order.
    """
    score = aggregate(rewards, how)
    if how != "logits" or score == -math.inf:
        return score
    return math.exp(min(score, 0.0)) / (1.0 + math.exp(-abs(score)))
