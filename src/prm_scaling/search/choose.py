"""From the rewards of a solution's steps to one score, and from scored candidates to an answer."""

from collections.abc import Callable, Sequence

import numpy as np

AGGREGATIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "last": lambda rewards: rewards[-1],
    "min": min,
    "product": lambda rewards: float(np.prod(rewards)),
    "mean": lambda rewards: float(np.mean(rewards)),
}


def aggregate(rewards: Sequence[float], how: str) -> float:
    """The score of a solution; 0 for one without steps (Zhang et al., figure 9, compare the ways)."""
    return float(AGGREGATIONS[how](rewards)) if len(rewards) else 0.0
