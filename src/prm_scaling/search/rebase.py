"""REBASE: reward-balanced search, which shares a budget of samples among the nodes of a level."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from prm_scaling.search.path import ROOT, Path, Rate, Searching, children, distinct
from prm_scaling.search.strategy import Parameters


class Rebase(Parameters):
    """REBASE (Wu et al.: T_b = 0.1 in the paper, 0.2 in the released configuration).

    Attributes:
        temperature: T_b, of the softmax over rewards.
        rounding: from a node's share of the budget to its number of children, see :data:`ROUNDINGS`.
    """

    temperature: Annotated[float, Field(gt=0)]
    rounding: Literal["paper", "released"]


def rebase(budget: int, params, max_steps: int, root: Path = ROOT) -> Searching:
    """Sample N = ``budget`` first steps, then at each depth share what is left among the nodes by their rewards.

    Source: Wu et al. (arXiv 2408.00724), section 3.1: B_0 = N; a completed path takes its place out of the budget,
    B_i = B_(i-1) - C_i; node j has W_j = Round(B_i softmax(R / T_b)_j) children. Every sampled path that ends counts
    in C_i, also a clone, a path that was cut and one that the PRM cannot score; clones are one node.
    """
    temperature, share = params.rebase.temperature, ROUNDINGS[params.rebase.rounding]
    left, growing, counts = budget, [root], [budget]
    completed: list[Path] = []
    for _ in range(max_steps):
        grown = yield children(growing, counts)
        left -= sum(p.finished for p in grown)
        nodes = [p for p in (yield Rate(tuple(distinct(grown)))) if p.scored]
        completed += [p for p in nodes if p.finished]
        growing = [p for p in nodes if not p.finished]
        if left <= 0 or not growing:
            break
        counts = share(left, softmax([p.reward / temperature for p in growing]))
    return distinct(completed)


def softmax(values: Sequence[float]) -> list[float]:
    """Weights that add up to 1."""
    greatest = max(values)
    weights = [math.exp(v - greatest) for v in values]
    return [w / sum(weights) for w in weights]


def paper(budget: int, weights: Sequence[float]) -> list[int]:
    """Round(B w) for each node, halves upwards; the sum may differ from the budget.

    Where that leaves no child at all (many nodes of nearly equal weight), the released rounding takes its place.

    >>> paper(8, [0.55, 0.30, 0.15]), paper(2, [0.25] * 4), paper(1, [0.4, 0.3, 0.3])
    ([4, 2, 1], [1, 1, 1, 1], [1, 0, 0])
    """
    counts = [math.floor(budget * w + 0.5) for w in weights]
    return counts if any(counts) else released(budget, weights)


def released(budget: int, weights: Sequence[float]) -> list[int]:
    """As the authors' code does: from the greatest weight on, ceil(budget left * weight / weights left).

    The sum is the budget. Equal weights go by order.

    >>> released(8, [0.55, 0.30, 0.15]), released(2, [0.25] * 4), released(5, [0.1, 0.9])
    ([5, 2, 1], [1, 1, 0, 0], [0, 5])
    """
    counts = [0] * len(weights)
    order = sorted(range(len(weights)), key=lambda i: -weights[i])
    for place, i in enumerate(order):
        if budget == 0:
            break
        rest = sum(weights[j] for j in order[place:])
        # A share that is whole but for rounding errors stays whole.
        counts[i] = math.ceil(budget * (weights[i] / rest) - 1e-9)
        budget -= counts[i]
    return counts


ROUNDINGS = {"paper": paper, "released": released}
