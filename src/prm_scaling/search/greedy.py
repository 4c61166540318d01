"""Greedy decoding: the one solution that the policy holds likeliest, token by token."""

from prm_scaling.search.path import ROOT, Rate, Searching, Solve


def greedy(budget: int, params, max_steps: int) -> Searching:
    """One whole solution at temperature 0, whatever the budget (paper A, Table 1, "none"; Zhang et al.)."""
    paths = yield Solve((ROOT,), (0,), temperature=0.0)
    return (yield Rate(tuple(paths)))
