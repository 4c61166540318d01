"""Beam search as paper A states it: the top K partial solutions by cumulative reward."""

from typing import ClassVar

from prm_scaling.search.path import ROOT, Path, Rate, Searching, children, distinct
from prm_scaling.search.strategy import Parameters
from prm_scaling.strict import Count


class Beam(Parameters):
    """Beam search (paper A).

    Attributes:
        width: K, the paths kept a level.
    """

    bound: ClassVar[str] = "width"
    width: Count


def beam(budget: int, params, max_steps: int, root: Path = ROOT) -> Searching:
    """Keep the K paths with the greatest sum of step rewards; ``budget`` steps are sampled per level.

    Source: paper A, section on search strategies ("Top-K of the cumulative score"). K is ``beam.width``; finished
    paths keep their sum and compete with the others, level by level; at the end the run's aggregation compares
    finished paths of different lengths.
    """
    width = params.beam.width
    kept: list[Path] = [root]
    for _ in range(max_steps):
        growing = [p for p in kept if not p.finished]
        if not growing:
            break
        each, extra = divmod(budget, len(growing))
        grown = yield children(growing, [each + (i < extra) for i in range(len(growing))])
        rated = yield Rate(tuple(distinct(grown)))
        candidates = distinct([p for p in kept if p.finished] + [p for p in rated if p.scored])
        kept = sorted(candidates, key=lambda p: (-sum(p.rewards), p.name))[:width]
    return kept
