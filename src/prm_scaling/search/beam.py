"""Beam search as paper A states it: the top K partial solutions by cumulative reward."""

from prm_scaling.search.path import Path, Rate, Searching, children, distinct


def beam(budget: int, params, max_steps: int) -> Searching:
    """Keep the K paths with the greatest sum of step rewards; ``budget`` steps are sampled per level.

    Source: paper A, section on search strategies ("Top-K of the cumulative score"). K is
    ``beam.width``; finished paths keep their sum and compete with the others, level by level; the mean
    reward compares finished paths of different lengths at the end (the caller's aggregation).
    """
    width = params.beam.width
    kept: list[Path] = [Path()]
    for _ in range(max_steps):
        growing = [p for p in kept if not p.finished]
        if not growing:
            break
        each, extra = divmod(budget, len(growing))
        grown = yield children(growing, [each + (i < extra) for i in range(len(growing))])
        rated = yield Rate(tuple(distinct(grown)))
        candidates = distinct([p for p in kept if p.finished] + rated)
        kept = sorted(candidates, key=lambda p: (-sum(p.rewards), p.name))[:width]
    return kept
