"""Estimates over subsets of a pool, and their intervals."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prm_scaling.analysis import estimators
from prm_scaling.analysis.estimators import Estimate, best_of, bootstrap, majority, mean_error, pass_at, weighted_vote
from prm_scaling.seeds import stream

# --- estimators ---


@st.composite
def pools(draw, least: int = 1):
    """(right, classes, scores) of a small pool: answers may be absent, classes impure, scores tied."""
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from([None, "a", "b", "c"]), st.booleans(), st.integers(0, 3)),
            min_size=least,
            max_size=7,
        )
    )
    classes = [name for name, _, _ in rows]
    right = np.array([name is not None and hit for name, hit, _ in rows])
    scores = np.array([s / 2 if name is not None else -np.inf for name, _, s in rows])
    return right, classes, scores


def over_subsets(count: int, n: int, value) -> float:
    return float(np.mean([value(list(subset)) for subset in combinations(range(count), n)]))


def best_in(right, scores, subset) -> float:
    top = max(scores[i] for i in subset)
    return float(np.mean([right[i] for i in subset if scores[i] == top])) if top > -np.inf else 0.0


def elected(right, classes, weights, subset) -> float:
    """The expected rightness of a random voter of a random one of the leading classes."""
    totals: dict = {}
    for i in subset:
        if classes[i] is not None:
            totals[classes[i]] = totals.get(classes[i], 0.0) + weights[i]
    if not totals:
        return 0.0
    leading = [name for name, total in totals.items() if total == max(totals.values())]
    return float(np.mean([np.mean([right[i] for i in subset if classes[i] == name]) for name in leading]))


@given(pools(), st.data())
def test_pass_and_best_of_are_the_means_over_all_subsets(pool, data):
    right, _, scores = pool
    n = data.draw(st.integers(1, len(right)))
    assert pass_at(right, n) == pytest.approx(over_subsets(len(right), n, lambda s: float(right[s].any())))
    assert best_of(right, scores, n) == pytest.approx(over_subsets(len(right), n, lambda s: best_in(right, scores, s)))


@given(pools(), st.data())
def test_the_majority_is_the_mean_over_all_subsets(pool, data):
    right, classes, _ = pool
    n, ones = data.draw(st.integers(1, len(right))), np.ones(len(right))
    exact = over_subsets(len(right), n, lambda s: elected(right, classes, ones, s))
    assert majority(right, classes)[n - 1] == pytest.approx(exact)


def test_the_majority_of_two_and_of_three_by_hand():
    """Two right votes and one wrong: of the pairs, aa is right and both ab are a tie; all three are right."""
    right, classes = np.array([True, True, False]), ["a", "a", "b"]
    assert majority(right, classes) == pytest.approx([2 / 3, (1 + 0.5 + 0.5) / 3, 1.0])


def test_the_majority_of_a_pool_of_64_is_exact():
    """Wrong behaviour: subsets sampled, or binomials that overflow. Two classes: a hypergeometric tail."""
    right = np.array([True] * 36 + [False] * 28)
    found = majority(right, ["a"] * 36 + ["b"] * 28)
    for n in (1, 2, 7, 32, 63, 64):
        ways = [
            comb(36, k) * comb(28, n - k) * (1.0 if 2 * k > n else 0.5 if 2 * k == n else 0.0) for k in range(n + 1)
        ]
        assert found[n - 1] == pytest.approx(sum(ways) / comb(64, n), rel=1e-9)
    alone = majority(np.arange(64) < 16, [str(i) for i in range(64)])  # all differ: whichever is drawn, a tie
    assert alone == pytest.approx(np.full(64, 0.25))


def test_pools_whose_subsets_cannot_be_counted_are_refused():
    with pytest.raises(ValueError, match="1001 samples: the majority vote is exact up to 1000"):
        majority(np.ones(1001), ["a"] * 1001)
    large = majority(np.arange(120) < 60, [str(i // 60) for i in range(120)])
    assert large == pytest.approx([0.5] * 120)


@given(pools(), st.data())
def test_the_weighted_vote_of_a_small_pool_is_exact(pool, data):
    right, classes, scores = pool
    n, seed = data.draw(st.integers(1, len(right))), data.draw(st.integers(0, 5))
    weights = np.where(np.isfinite(scores), scores, 7.0)  # whoever has no answer does not vote, whatever its weight
    for w in (weights, np.ones(len(right))):
        exact = over_subsets(len(right), n, lambda s, w=w: elected(right, classes, w, s))
        assert weighted_vote(right, classes, w, n, seed) == Estimate(pytest.approx(exact), 0.0)


@given(pools(least=2), st.data())
@settings(max_examples=25)
def test_the_weighted_vote_of_sampled_subsets_is_within_its_error(pool, data):
    right, classes, _ = pool
    n = data.draw(st.integers(1, len(right) - 1))
    weights = np.ones(len(right))
    exact = over_subsets(len(right), n, lambda s: elected(right, classes, weights, s))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimators, "EXACT", 0)
        patch.setattr(estimators, "SUBSETS", 4000)
        found = weighted_vote(right, classes, weights, n, seed=3)
        assert found.value == pytest.approx(exact, abs=0.04)  # five standard errors at the most
        assert found.error <= 0.5 / np.sqrt(4000) + 1e-4
        assert abs(found.value - exact) <= 5 * found.error + 1e-9
        assert found == weighted_vote(right, classes, weights, n, 3)
        assert mean_error([found] * 4) == pytest.approx(found.error / 2)


def test_equal_weights_are_the_majority_vote():
    rng = stream("weights")
    classes = [str(c) for c in rng.integers(4, size=20)]
    right = np.array([c == "0" for c in classes])
    exact = majority(right, classes)
    for n in (1, 2, 19, 20):  # few subsets: both are exact
        assert weighted_vote(right, classes, np.full(20, 0.3), n, 0).value == pytest.approx(exact[n - 1])
    near = [weighted_vote(right, classes, np.full(20, 0.3), 9, seed) for seed in range(40)]
    assert np.mean([e.value for e in near]) == pytest.approx(exact[8], abs=5 * mean_error(near))


def test_what_could_not_be_scored_is_never_chosen():
    """Wrong behaviour: a chain whose score is missing wins where all are, or votes with weight -inf."""
    nothing = np.full(2, -np.inf)
    assert best_of(np.array([True, True]), nothing, 1) == 0.0
    assert weighted_vote(np.array([True, True]), ["a", "a"], nothing, 2, 0) == Estimate(0.0, 0.0)
    assert weighted_vote(np.array([True, False]), ["a", "b"], np.array([-np.inf, 0.1]), 2, 0).value == 0.0


def test_an_estimate_does_not_depend_on_which_samples_came_first():
    """Wrong behaviour: the first n samples taken for the expectation over n samples."""
    right, scores = np.array([True, False, False, False]), np.array([1.0, 2.0, 3.0, 4.0])
    assert pass_at(right, 1) == pass_at(right[::-1], 1) == pytest.approx(0.25)
    assert best_of(right, scores, 2) == best_of(right[::-1], scores[::-1], 2) == pytest.approx(0.0)
    assert best_of(right, -scores, 2) == best_of(right[::-1], -scores[::-1], 2) == pytest.approx(0.5)


def test_pass_is_not_best_of():
    """Wrong behaviour: pass@k reported as best-of-n. An uninformed PRM gains nothing from more samples."""
    right = np.array([True, False, False, False])
    assert best_of(right, np.zeros(4), 4) == pytest.approx(0.25)
    assert pass_at(right, 4) == 1.0


@given(pools())
def test_best_of_lies_between_the_worst_and_pass(pool):
    right, classes, scores = pool
    for n in range(1, len(right) + 1):
        assert best_of(right, scores, n) <= pass_at(right, n) + 1e-12
        assert best_of(right, np.where(right, 1.0, 0.0), n) == pytest.approx(pass_at(right, n))
    if None not in classes:
        assert best_of(right, scores, 1) == pytest.approx(right.mean())


def test_no_answer_never_votes_and_never_wins():
    """Wrong behaviour: unfinished chains as one more class, which outvotes the others."""
    right = np.array([False, False, False, True])
    assert weighted_vote(right, [None, None, None, "a"], np.ones(4), 4, 0).value == 1.0
    assert weighted_vote(right[:3], [None] * 3, np.ones(3), 3, 0).value == 0.0
    assert majority(right, [None, None, None, "a"]) == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert majority(right[:3], [None] * 3) == pytest.approx([0.0] * 3)
    assert best_of(right, np.array([-np.inf, -np.inf, -np.inf, 0.0]), 4) == 1.0


def test_votes_of_weight_zero_are_votes():
    """Wrong behaviour: rewards that underflow to 0 masked by ``!= 0``, and all small totals taken for a tie."""
    assert weighted_vote(np.array([True, True]), ["a", "a"], np.zeros(2), 2, 0).value == 1.0
    assert weighted_vote(np.array([True, False]), ["a", "b"], np.array([2e-20, 1e-20]), 2, 0).value == 1.0


def test_a_class_of_programs_is_as_right_as_its_voters():
    """Wrong behaviour: a class counted right if any sample of the pool in it passes the hidden tests."""
    right = np.array([True, False, False, False])
    assert weighted_vote(right, ["a"] * 4, np.ones(4), 4, 0).value == pytest.approx(0.25)
    assert majority(right, ["a"] * 4) == pytest.approx([0.25] * 4)


# --- intervals ---


def test_intervals_cover_the_mean_as_often_as_they_say():
    covered = []
    for i in range(200):
        values = stream("coverage", i).normal(0.3, 0.2, size=60)
        interval = bootstrap(values, 200, 0.9, i)
        covered.append(interval.low <= 0.3 <= interval.high)
    assert 0.83 <= np.mean(covered) <= 0.96


def test_differences_on_the_same_problems_are_paired():
    base = stream("paired").random(100)
    apart, paired = bootstrap(base, 200, 0.95, 0), bootstrap((base + 0.02) - base, 200, 0.95, 0)
    assert paired.high - paired.low < 1e-9 < apart.high - apart.low
    assert paired.low > 0 > apart.low - base.mean()


@given(st.integers(1, 4), st.integers(1, 8), st.integers(0, 99))
def test_an_interval_is_a_function_of_values_and_seed(seeds, count, seed):
    values = stream("shape", seeds, count).random((seeds, count))
    interval = bootstrap(values, 50, 0.9, seed)
    assert interval == bootstrap(values, 50, 0.9, seed)
    assert interval.value == pytest.approx(values.mean())
    assert values.min() - 1e-9 <= interval.low <= interval.high <= values.max() + 1e-9
    if seeds == 1:
        assert interval == bootstrap(values[0], 50, 0.9, seed)


def test_seeds_and_problems_are_both_resampled():
    """Wrong behaviour: seeds averaged first, so that a PRM that is right by luck looks certain."""
    by_seed, by_problem = np.tile([[0.0], [1.0]], (1, 50)), np.tile([0.0, 1.0], (50, 1))
    for values in (by_seed, by_problem):
        interval = bootstrap(values, 300, 0.9, 0)
        assert (interval.low, interval.high) == pytest.approx((0.0, 1.0))
