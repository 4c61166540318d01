"""Which aggregation of step rewards chooses best, found on validation problems."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from prm_scaling.analysis.estimators import best_of
from prm_scaling.search.choose import AGGREGATIONS, aggregate


@dataclass(frozen=True)
class Sampled:
    """A validation problem's samples.

    Attributes:
        right: whether each sample is right.
        answered: whether it has an answer.
        rewards: the rewards of its steps.
    """

    right: tuple[bool, ...]
    answered: tuple[bool, ...]
    rewards: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Aggregated:
    """The aggregation chosen, and the best-of-n accuracy of each on the validation problems."""

    chosen: str
    accuracy: dict[str, float]


def choose_aggregation(problems: Sequence[Sampled], n: int) -> Aggregated:
    """The aggregation with the greatest mean best-of-n over validation problems (Zhang et al., figure 9, compare them).

    Equal ones go by the order of :data:`prm_scaling.search.choose.AGGREGATIONS`.

    Args:
        problems: held-out ones, never those that the choice is used on.
        n: samples to choose among; all of a problem's where it has fewer.

    Raises:
        ValueError: without problems.
    """
    if not problems:
        raise ValueError("search.aggregation `validation` needs scored chains of validation problems; name one instead")
    accuracy = {how: float(np.mean([_best(p, how, n) for p in problems])) for how in AGGREGATIONS}
    return Aggregated(max(accuracy, key=lambda how: accuracy[how]), accuracy)


def _best(problem: Sampled, how: str, n: int) -> float:
    pairs = zip(problem.rewards, problem.answered, strict=True)
    scores = [aggregate(rewards, how) if answered else -np.inf for rewards, answered in pairs]
    return best_of(np.array(problem.right), np.array(scores), min(n, len(scores)))
