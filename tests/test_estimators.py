"""Estimates over subsets of a pool, and their intervals."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prm_scaling.analysis import estimators
from prm_scaling.analysis.estimators import best_of, bootstrap, pass_at, vote
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
    return float(np.mean([right[i] for i in subset if scores[i] == top]))


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


@given(pools(), st.integers(0, 5))
def test_the_vote_of_a_whole_pool_is_exact(pool, seed):
    right, classes, scores = pool
    everyone = range(len(right))
    weights = np.where(np.isfinite(scores), scores, 7.0)  # whoever has no answer does not vote, whatever its weight
    for w in (weights, np.ones(len(right))):
        assert vote(right, classes, w, len(right), seed) == pytest.approx(elected(right, classes, w, everyone))


@given(pools(least=2), st.data())
@settings(max_examples=25)
def test_the_vote_of_subsets_tends_to_the_mean_over_all_of_them(pool, data):
    right, classes, _ = pool
    n = data.draw(st.integers(1, len(right) - 1))
    weights = np.ones(len(right))
    exact = over_subsets(len(right), n, lambda s: elected(right, classes, weights, s))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimators, "SUBSETS", 4000)
        assert vote(right, classes, weights, n, seed=3) == pytest.approx(exact, abs=0.04)  # five standard errors
    assert vote(right, classes, weights, n, 3) == vote(right, classes, weights, n, 3)


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
    assert vote(right, [None, None, None, "a"], np.ones(4), 4, 0) == 1.0
    assert vote(right[:3], [None] * 3, np.ones(3), 3, 0) == 0.0
    assert best_of(right, np.array([-np.inf, -np.inf, -np.inf, 0.0]), 4) == 1.0


def test_votes_of_weight_zero_are_votes():
    """Wrong behaviour: rewards that underflow to 0 masked by ``!= 0``, and all small totals taken for a tie."""
    assert vote(np.array([True, True]), ["a", "a"], np.zeros(2), 2, 0) == 1.0
    assert vote(np.array([True, False]), ["a", "b"], np.array([2e-20, 1e-20]), 2, 0) == 1.0


def test_a_class_of_programs_is_as_right_as_its_voters():
    """Wrong behaviour: a class counted right if any sample of the pool in it passes the hidden tests."""
    assert vote(np.array([True, False, False, False]), ["a"] * 4, np.ones(4), 4, 0) == pytest.approx(0.25)


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
