"""From rewards to scores, from candidates to answers, and the aggregation chosen on validation problems."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.analysis.aggregation import Aggregated, Sampled, choose_aggregation
from prm_scaling.analysis.trees import anytime, by_then, correctness
from prm_scaling.search.choose import AGGREGATIONS, aggregate, vote_weight
from prm_scaling.search.record import Candidate

# --- one solution's score ---


def test_aggregations():
    rewards = (0.5, 0.2, 0.8)
    expected = {"last": 0.8, "min": 0.2, "product": 0.08, "mean": 0.5, "logits": math.log(1 * 0.25 * 4)}
    assert {how: pytest.approx(aggregate(rewards, how)) for how in expected} == expected
    assert set(expected) == set(AGGREGATIONS)
    assert aggregate((0.0, 1e-30), "product") == 0.0
    with pytest.raises(KeyError):
        aggregate(rewards, "sum")


@pytest.mark.parametrize("how", AGGREGATIONS)
def test_what_the_prm_did_not_score_has_the_least_score(how):
    """Wrong behaviour: NaN that ``min`` passes over, or a missing score taken for 0, which beats a bad solution's."""
    for rewards in ((), (math.nan,), (0.9, math.nan), (math.nan, 0.9)):
        assert aggregate(rewards, how) == vote_weight(rewards, how) == -math.inf


def test_logits_of_certain_steps_are_finite():
    """Wrong behaviour: a reward that half precision rounds to 0 or 1 gives an infinite or undefined score."""
    assert math.isfinite(aggregate((0.0, 1.0), "logits"))
    assert aggregate((1.0, 1.0), "logits") > aggregate((1.0, 0.5), "logits") > aggregate((0.0, 0.5), "logits")


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=5), min_size=2, max_size=5),
    st.sampled_from([*AGGREGATIONS]),
)
def test_vote_weights_keep_the_order_of_scores_and_are_no_debts(chains, how):
    weights, scores = [vote_weight(c, how) for c in chains], [aggregate(c, how) for c in chains]
    assert all(w >= 0 for w in weights)
    for w, s in zip(weights, scores, strict=True):
        assert all(w <= v for v, r in zip(weights, scores, strict=True) if s < r)
    assert vote_weight((0.9,), "logits") == pytest.approx(0.9) and vote_weight((0.2,), "logits") == pytest.approx(0.2)


# --- a search's answer ---


def candidate(name: str, rewards: tuple[float, ...], spent: int = 0, visits: tuple[int, ...] = ()) -> Candidate:
    return Candidate("mcts", 4, "p", name, "", True, rewards, spent, visits)


# By best leaf a, by weighted vote b (.5 + .4), by visits c.
FOUND = [
    (candidate("0", (0.8,), 10, (10,)), True, "a"),
    (candidate("1", (0.5,), 20, (20, 20)), False, "b"),
    (candidate("2", (0.4,), 30, (30,)), False, "b"),
    (candidate("3", (0.3,), 30, (30, 40, 40, 50)), True, "c"),
]


def test_the_three_ways_to_an_answer():
    assert correctness(FOUND, "best_leaf", "min") == 1.0
    assert correctness(FOUND, "weighted_vote", "min") == 0.0
    assert correctness(FOUND, "visits", "min") == 1.0
    assert correctness(FOUND[1:], "best_leaf", "min") == 0.0 and correctness(FOUND[:3], "visits", "min") == 0.0
    with pytest.raises(ValueError, match="best_leaf, weighted_vote or visits"):
        correctness(FOUND, "first", "min")


@pytest.mark.parametrize("rule", ["best_leaf", "weighted_vote", "visits"])
def test_a_search_without_an_answer_is_wrong(rule):
    """Wrong behaviour: a candidate without an answer, or one that could not be scored, wins for want of others."""
    assert correctness([], rule, "min") == 0.0
    assert correctness([(candidate("0", (0.9,), 0, (1,)), False, None)], rule, "min") == 0.0
    if rule != "visits":
        assert correctness([(candidate("0", (math.nan,)), True, "a")], rule, "min") == 0.0
    unanswered = (candidate("0", (0.9,), 0, (1, 2, 3)), False, None)
    assert correctness([unanswered, FOUND[0]], rule, "min") == 1.0


def test_ties_are_shared():
    tied = [(candidate("0", (0.5,), 0, (1,)), True, "a"), (candidate("1", (0.5,), 0, (1,)), False, "b")]
    assert [correctness(tied, rule, "min") for rule in ("best_leaf", "weighted_vote", "visits")] == [0.5] * 3


def test_the_answer_at_any_time_is_that_of_what_was_found_by_then():
    tokens = [0, 10, 20, 30, 40, 60]
    assert anytime(FOUND, "best_leaf", "min", tokens) == [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    # At 20 a has .8 against b's .5, at 30 b has .9. By visits: at 20 b 2, a 1; at 30 b 3; at 40 b and c 3; then c 4.
    assert anytime(FOUND, "weighted_vote", "min", tokens) == [0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert anytime(FOUND, "visits", "min", tokens) == [0.0, 1.0, 0.0, 0.0, 0.5, 1.0]
    assert [c.visits for c, _, _ in by_then(FOUND, 40)] == [(10,), (20, 20), (30,), (30, 40, 40)]


# --- the aggregation, chosen on validation problems ---


def test_the_aggregation_is_the_one_that_chooses_best():
    # Right chains end well, and have a step that looks worse than any of the wrong one's.
    late = Sampled((True, False), (True, True), ((0.1, 0.9), (0.5, 0.5)))
    chosen = choose_aggregation([late] * 3, 2)
    assert chosen.chosen == "last"
    assert chosen.accuracy["last"] == 1.0 and chosen.accuracy["min"] == chosen.accuracy["product"] == 0.0
    early = Sampled((True, False), (True, True), ((0.5, 0.5), (0.1, 0.9)))
    assert choose_aggregation([early] * 3, 2).chosen == "min"
    assert choose_aggregation([early, late, late], 2).accuracy["min"] == pytest.approx(1 / 3)


def test_equal_aggregations_go_by_their_order():
    same = Sampled((True, False), (True, True), ((0.9,), (0.1,)))
    assert choose_aggregation([same], 2) == Aggregated("last", dict.fromkeys(AGGREGATIONS, 1.0))


def test_the_choice_leaves_out_what_has_no_answer_or_no_score():
    silent = Sampled((False, True), (False, True), ((0.9,), (0.1,)))
    unscored = Sampled((False, True), (True, True), ((math.nan,), (0.1,)))
    assert set(choose_aggregation([silent, unscored], 2).accuracy.values()) == {1.0}


def test_a_choice_needs_validation_problems():
    with pytest.raises(ValueError, match="needs scored chains of validation problems; name one instead"):
        choose_aggregation([], 4)
