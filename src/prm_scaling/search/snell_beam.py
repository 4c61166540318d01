"""Beam search as Snell et al. state it, with their lookahead search."""

from collections.abc import Generator
from typing import Annotated, ClassVar

from pydantic import Field

from prm_scaling.search.path import ROOT, Path, Rate, Request, Searching, Step, children, distinct
from prm_scaling.search.strategy import Parameters
from prm_scaling.strict import Count


class SnellBeam(Parameters):
    """Beam search (Snell et al., arXiv 2408.03314: M is 4 or the root of N, k is 0, 1 or 3).

    Attributes:
        continuations: M, the samples from each kept path; N/M paths are kept.
        lookahead: k, the further steps, without branching and at temperature 0, after which a step is judged.
    """

    divisor: ClassVar[str] = "continuations"
    continuations: Count
    lookahead: Annotated[int, Field(ge=0)]


def snell_beam(budget: int, params, max_steps: int, root: Path = ROOT) -> Searching:
    """Sample N = ``budget`` first steps, keep the N/M best, sample M next steps from each, and so on.

    Source: Snell et al., section 5.2 and appendix. A step is worth its own reward, or with lookahead k the last
    reward of the rollout from it, which is then thrown away; that costs N(k + 1) steps a level. A finished path stays
    worth its last reward and competes with the others for the N/M places. The candidates are the finished paths of
    the last comparison, those too that have no place.
    """
    each, lookahead = params.snell_beam.continuations, params.snell_beam.lookahead
    compared: list[tuple[float, Path]] = []
    kept, counts = [(0.0, root)], [budget]
    for _ in range(max_steps):
        grown = yield children([p for _, p in kept if not p.finished], counts)
        judged = yield from _judged(distinct(grown), lookahead, max_steps)
        compared = _distinct([(value, p) for value, p in kept if p.finished] + judged)
        kept = compared[: budget // each]
        counts = [each for _, p in kept if not p.finished]
        if not counts:
            break
    return [p for _, p in compared if p.finished]


def _judged(
    paths: list[Path], lookahead: int, max_steps: int
) -> Generator[Request, list[Path], list[tuple[float, Path]]]:
    """Each path with what it is worth after ``lookahead`` greedy steps, but for those that the PRM cannot score."""
    ends = list(paths)
    for _ in range(lookahead):
        open_ = [i for i, p in enumerate(ends) if not p.finished and p.depth < max_steps]
        if not open_:
            break
        ahead = yield Step(tuple(ends[i] for i in open_), (0,) * len(open_), temperature=0.0)
        for i, p in zip(open_, ahead, strict=True):
            ends[i] = p
    rated = yield Rate(tuple(ends))
    if not lookahead:
        return [(e.reward, e) for e in rated if e.scored]
    # What a PRM says of a step does not depend on later ones, so the rollout's first rewards are the path's own.
    return [(e.reward, p.rated(e.rewards[: p.depth])) for p, e in zip(paths, rated, strict=True) if e.scored]


def _distinct(judged: list[tuple[float, Path]]) -> list[tuple[float, Path]]:
    """The best first, without clones; ties go by name."""
    value = {p.name: v for v, p in judged}
    unlike = distinct([p for _, p in judged])
    return [(value[p.name], p) for p in sorted(unlike, key=lambda p: (-value[p.name], p.name))]
