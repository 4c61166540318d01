"""Sampling: N whole solutions, each rated; best-of-N, majority and weighted vote choose among them."""

from prm_scaling.search.path import ROOT, Rate, Searching, Solve


def sampling(budget: int, params, max_steps: int) -> Searching:
    """``budget`` independent samples (papers A, B: the pool behind prm@N, maj@N and pass@N)."""
    paths = yield Solve((ROOT,) * budget, tuple(range(budget)))
    return (yield Rate(tuple(paths)))
