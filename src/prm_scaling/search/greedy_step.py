"""Greedy step search: the best of N next steps, over and over."""

from prm_scaling.search.path import ROOT, Rate, Searching, children, distinct


def greedy_step(budget: int, params, max_steps: int) -> Searching:
    """At each step sample ``budget`` candidates and keep the one whose new step has the greatest reward.

    Source: Zhang et al. (arXiv 2501.07301), section on PRM-guided greedy search, N = 8. Equal rewards go to the
    candidate that was sampled first; where the PRM can score no candidate the search ends without an answer.
    """
    path = ROOT
    while not path.finished and path.depth < max_steps:
        grown = yield children([path], [budget])
        rated = [p for p in (yield Rate(tuple(distinct(grown)))) if p.scored]
        if not rated:
            return []
        path = min(rated, key=lambda p: (-p.reward, p.name))
    return [path]
