"""Studies with PRMs of their own: across domains, labels, and pre-training against reward training."""

import numpy as np
import pytest
from analysing import graded, world
from hypothesis import given, settings
from hypothesis import strategies as st

from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.grid import Point, reward_share, shares, table
from prm_scaling.analysis.labels import effects
from prm_scaling.analysis.transfer import gaps, step_auc
from prm_scaling.prm.metrics import step_auc as plain_auc
from prm_scaling.search.record import Rewards
from prm_scaling.seeds import stream

INTERVALS = Intervals(200, 0.95, 0)
SEEDS = np.ones((50, 2))


def points(value, sizes=(1e3, 1e4), early=(1e6, 4e6), late=(1e4, 1e5), metric="auc", spread=0.0) -> list[Point]:
    """A grid with ``value(N, P, R)`` at each point, the same for both seeds, with noise over the resamples."""
    found = []
    for size in sizes:
        for pretraining in early:
            for training in late:
                flops = (size * pretraining, size * training)
                level = value(size, *flops)
                noise = spread * stream(size, pretraining, training).normal(size=(2, len(SEEDS)))
                told = (f"{size:g}", int(size), int(pretraining), int(training), *flops, metric)
                found.append(Point(*told, np.full(2, level), level + noise))
    return found


# --- pre-training against reward training -----------------------------------------------------------------------


@given(st.floats(0.01, 1), st.floats(0.01, 1), st.floats(-1, 1), st.sampled_from(["auc", "loss"]))
@settings(deadline=None)
def test_the_best_share_is_that_of_the_law_that_made_the_points(by_pretraining, by_reward, by_size, metric):
    sign = -1 if metric == "loss" else 1

    def law(size, pretraining, training):
        logs = by_size * np.log(size) + by_pretraining * np.log(pretraining) + by_reward * np.log(training)
        return sign * (0.3 + logs)

    found, (p, r, explained) = reward_share(points(law, metric=metric), SEEDS, 0.95)
    # Of a compute C, p ln(P) + r ln(C - P) is greatest where P : R = p : r.
    assert found.value == pytest.approx(by_reward / (by_pretraining + by_reward), abs=1e-6)
    assert (p, r, explained) == pytest.approx((by_pretraining, by_reward, 1.0), rel=1e-5)
    assert found.low <= found.value + 1e-9 and found.value - 1e-9 <= found.high


def test_what_does_not_help_gets_nothing():
    found, _ = reward_share(points(lambda n, p, r: np.log(p) - 0.1 * np.log(r)), SEEDS, 0.95)
    assert found.value == 0.0


@pytest.mark.parametrize("grid", [{"early": (1e6,), "sizes": (1e3,)}, {"late": (1e4,)}, {"early": (1e6,)}])
def test_a_grid_that_cannot_tell_the_two_apart_has_no_share(grid):
    """Wrong behaviour: a share from a matrix without full rank."""
    found, intervals = shares(points(lambda n, p, r: np.log(p) + np.log(r), **grid), SEEDS, INTERVALS)
    assert found.empty and not intervals


def test_the_front_has_no_point_that_a_cheaper_one_surpasses():
    found = table(points(lambda n, p, r: np.log(p) + 0.5 * np.log(r) - 3 * np.log(n), spread=0.1), SEEDS, INTERVALS)
    for row in found.itertuples():
        cheaper = found[(found.total_flops <= row.total_flops) & (found.index != row.Index)]
        assert row.front == bool((cheaper["value"] < row.value).all())
    assert found.front.any() and not found.front.all()
    assert ((found.low <= found["value"]) & (found["value"] <= found.high)).mean() > 0.9
    assert found.share.to_numpy() == pytest.approx((found.training_flops / found.total_flops).to_numpy())


# --- across domains ---------------------------------------------------------------------------------------------


def test_a_prm_is_held_against_the_own_one_of_each_other_domain():
    levels = {("math", "math"): 0.8, ("math", "code"): 0.5, ("code", "math"): 0.4, ("code", "code"): 0.7}
    levels |= {("all", "math"): 0.75, ("all", "code"): 0.75}
    entries = {
        ("best_of_n", prm, 0, f"{policy}-{domain}", 8): level + (0.1 if policy == "big" else 0.0)
        for (prm, domain), level in levels.items()
        for policy in ("small", "big")
    }
    prms = {name: name for name in ("math", "code", "all")}
    found = gaps(world(entries), prms, {"math": "math", "code": "code", "all": ""}, ["small", "big"], 8)
    means = {name: values.mean() for name, values in found.items()}
    assert means == pytest.approx({"math_code": -0.2, "code_math": -0.4, "all_math": -0.05, "all_code": 0.05})
    # Seeds stay apart, and the problems of all policies stand side by side.
    assert {values.shape for values in found.values()} == {(2, 14)}


def test_a_pool_that_was_not_rated_is_named():
    entries = {("best_of_n", "math", 0, "small-math", 8): 0.5, ("best_of_n", "code", 0, "small-code", 8): 0.5}
    with pytest.raises(ValueError, match="best-of-8 by `math` in small-code"):
        gaps(world(entries), {"math": "math", "code": "code"}, {"math": "math", "code": "code"}, ["small"], 8)


def test_the_auc_of_a_pool_is_the_mean_over_seeds():
    rng = stream("auc")
    rows = [
        graded(f"p{i}", k, on_track=tuple(rng.random(3) < 0.5), corrections=(False,) * 3)
        for i in range(12)
        for k in range(3)
    ]
    known = {g.chain: g for g in rows}
    seeds = [
        [Rewards(1, "m-math", g.chain, tuple(0.4 * np.array(g.on_track) + rng.random(3))) for g in rows]
        for _ in range(2)
    ]
    found = step_auc(seeds, known, INTERVALS)
    wanted = np.mean([plain_auc([r.rewards for r in own], [known[r.chain].on_track for r in own]) for own in seeds])
    assert found["auc"] == pytest.approx(wanted)
    assert found["auc_low"] <= found["auc"] <= found["auc_high"]


def test_without_the_truth_of_steps_there_is_no_auc():
    assert np.isnan(step_auc([[]], {}, INTERVALS)["auc"])


# --- labels -----------------------------------------------------------------------------------------------------


def test_labels_are_compared_within_and_across_the_filter():
    sets, values = {}, {}
    for filtered, gain in ((False, 0.0), (True, 0.1)):
        for kind, threshold, level in (("soft", None, 0.5), ("hard", 0.5, 0.3), ("hard", 0.0, 0.6)):
            name = f"{kind} {threshold} {filtered}"
            sets[name] = {"labels": kind, "threshold": threshold, "filtered": filtered}
            values[name] = np.full((2, 3), level + (gain if kind == "hard" else 0.0))
    means = {name: found.mean() for name, found in effects(sets, values).items()}
    assert means == pytest.approx(
        {
            "hard_soft_all": 0.1,
            "hard_soft_filtered": 0.2,
            "threshold_all": 0.3,
            "threshold_filtered": 0.3,
            "filtering_hard": 0.1,
            "filtering_soft": 0.0,
        }
    )


def test_what_has_no_counterpart_is_not_compared():
    sets = {"hard": {"labels": "hard", "threshold": 0.0, "filtered": False}}
    assert effects(sets, {"hard": np.zeros((1, 2))}) == {}
