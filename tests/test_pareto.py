"""Accuracy over FLOPs, and the Pareto front over policies."""

import numpy as np
import pytest
from analysing import world
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.pareto import on_front, pareto, policy_of_pool
from prm_scaling.search.record import Cost, ScoringCost

INTERVALS = Intervals(resamples=100, confidence=0.95, seed=0)
POINTS = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=30)


def cost(problem: str, flops: float) -> Cost:
    values = dict.fromkeys(Cost.__dataclass_fields__, 0)
    return Cost(**{**values, "strategy": "sampling", "budget": 4, "problem": problem, "policy_flops": flops})


def scoring(pool: str, chains: int, flops: float) -> ScoringCost:
    values = dict.fromkeys(ScoringCost.__dataclass_fields__, 0)
    return ScoringCost(**{**values, "pool": pool, "chains": chains, "prm_flops": flops})


@given(POINTS)
def test_a_point_is_on_the_front_if_none_is_as_cheap_and_better(points):
    costs, values = np.array([float(c) for c, _ in points]), np.array([float(v) for _, v in points])
    front = on_front(costs, values)
    assert front.any()
    for i, (c, v) in enumerate(points):
        beaten = any(a <= c and b > v for a, b in points) or any(a < c and b >= v for a, b in points)
        assert not (front[i] and beaten)
        if not beaten:
            assert any(front[j] for j, point in enumerate(points) if point == (c, v))


def test_a_samples_cost_is_that_of_the_pool_by_its_samples_and_chains():
    """Wrong behaviour: what rating another pool cost is counted, or the whole pool's cost is that of one sample."""
    rated = [scoring("a-math", 10, 50.0), scoring("a-math", 10, 70.0), scoring("b-math", 10, 1e9)]
    policy = policy_of_pool("a", 7, "a-math", [cost("p", 40.0), cost("q", 80.0)], rated)
    assert (policy.policy_flops, policy.prm_flops) == (15.0, 6.0)
    with pytest.raises(ValueError, match="c-math"):
        policy_of_pool("c", 7, "c-math", [cost("p", 1.0)], rated)


def test_votes_cost_no_prm_and_each_way_has_its_points():
    levels = {}
    for pool, base in (("a-math", 0.2), ("b-math", 0.5)):
        for n in (1, 2):
            levels["majority", "", 0, pool, n] = base
            levels["best_of_n", "aslaf-1k", 0, pool, n] = base + 0.1 * n
            levels["weighted", "aslaf-1k", 0, pool, n] = base + 0.1
    policies = [
        policy_of_pool(name, size, f"{name}-math", [cost("p", 4.0 * size)], [scoring(f"{name}-math", 1, 5.0)])
        for name, size in (("a", 10), ("b", 100))
    ]
    table = pareto(world(levels), policies, "aslaf-1k", INTERVALS).set_index(["policy", "strategy", "n"])
    assert len(table) == 12
    assert table.loc[("a", "majority", 2), "flops"] == table.loc[("a", "majority", 2), "policy_flops"] == 20.0
    assert table.loc[("a", "best_of_n", 2), "flops"] == 30.0
    assert table.loc[("b", "best_of_n", 2), "accuracy"] == pytest.approx(0.7)
    # The dearest point is the best one; the small policy's majority at 2 is no better than at 1.
    assert table.loc[("b", "best_of_n", 2), "flops_front"] and not table.loc[("a", "majority", 2), "flops_front"]
    with pytest.raises(ValueError, match="best_of_n"):
        pareto(world(levels), policies, "other", INTERVALS)
