"""The router, its thresholds, and its comparison with fixed strategies at equal cost."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from conftest import embedded
from hypothesis import given
from hypothesis import strategies as st
from searching import Run, line_ends, params

from prm_scaling.analysis import routing
from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.routing import Trial, at_equal_cost, tune
from prm_scaling.engines.scripted import END, tokens_of
from prm_scaling.search.agreement import classifier
from prm_scaling.search.path import Path
from prm_scaling.search.record import Candidate
from prm_scaling.search.router import Signs, Thresholds, router, signs
from prm_scaling.verify.sandbox import Sandbox

THRESHOLDS = Thresholds(agreement=1.0, score=0.5, tree=0.9)

# --- what it decides on ---


def test_signs_are_agreement_and_the_best_score():
    found = signs(["x", "y", "x", None], [(0.2, 0.4), (0.3,), (0.1,), (0.9,)], "min")
    assert found == Signs(0.5, 0.3)  # what has no answer agrees with nothing, and its score does not count
    assert signs([None, None], [(0.9,), ()], "min") == Signs(0.0, -math.inf)


@pytest.mark.parametrize(
    ("agreement", "score", "choice"),
    [
        (1.0, 0.5, "stop"),
        (1.0, 0.4, "best_of_n"),
        (0.9, 0.9, "best_of_n"),
        (0.8, 0.9, "tree"),
        (0.0, -math.inf, "tree"),
    ],
)
def test_decisions(agreement, score, choice):
    assert Signs(agreement, score).decide(THRESHOLDS) == choice


# --- the search ---

TREE = {
    **{"Q ": ["a\n1" + END, "b\n2" + END, "c\n3" + END, "d\n4" + END]},
    **{"Q a\n": ["1" + END], "Q b\n": ["2" + END], "Q c\n": ["3" + END], "Q d\n": ["4" + END]},
}
REWARDS = {
    **{"Q a\n": 0.9, "Q b\n": 0.1, "Q c\n": 0.2, "Q d\n": 0.3},
    **{"Q a\n1": 0.9, "Q b\n2": 0.1, "Q c\n3": 0.2, "Q d\n4": 0.3},
}
AGREEING = TREE | {"Q ": ["a\n1" + END, "b\n1" + END], "Q b\n": ["1" + END]}


def test_the_router_stops_where_its_first_samples_agree_and_score_well():
    run = Run(router, 8, AGREEING, REWARDS | {"Q b\n1": 0.1})
    assert run.texts == ["a\n1", "b\n1"] and run.policy.calls == [2]
    assert [p.answer for p in run.paths] == ["1", "1"]


def test_the_router_samples_on_where_they_agree_and_score_badly():
    rewards = REWARDS | {"Q b\n1": 0.1, "Q a\n": 0.3}
    run = Run(router, 5, AGREEING, rewards)
    assert run.policy.calls == [2, 3] and len(run.paths) == 5
    assert [p.name for p in run.paths] == [(0,), (1,), (2,), (3,), (4,)]


def test_the_router_searches_a_tree_where_they_disagree():
    run = Run(router, 6, TREE, REWARDS, router={"tree": "rebase"})
    # 4 of 6 are left: REBASE samples 4 first steps, a .9 takes all that is left at T_b = .1.
    assert run.policy.calls[:2] == [2, 4]
    assert [p.name for p in run.paths[:2]] == [(0,), (1,)]
    assert all(p.name[0] == 6 for p in run.paths[2:]), "the tree's paths share a name, and a seed, with samples"


def test_a_rest_that_is_too_small_for_the_tree_goes_into_samples():
    """Wrong behaviour: a beam of 4 that is given 3, or a budget that is thrown away."""
    run = Run(router, 5, TREE, REWARDS, width=4, router={"tree": "dvts"})
    assert run.policy.calls == [2, 3] and len(run.paths) == 5
    most = Run(router, 7, TREE, REWARDS, width=4, router={"tree": "dvts"})
    assert most.policy.calls[:2] == [2, 4]  # of the 5 that are left a multiple of 4


def test_tokens_bound_what_is_left():
    # The first two samples take 6 tokens. 12 leave 6, two samples more; 6 leave nothing; 100 leave the budget's.
    def calls(tokens):
        return Run(router, 6, AGREEING, REWARDS | {"Q b\n1": 0.1, "Q a\n": 0.3}, router={"tokens": tokens}).policy.calls

    assert calls(12) == [2, 2] and calls(6) == [2] and calls(5) == [2] and calls(100) == [2, 4]


def test_a_router_without_thresholds_says_so():
    with pytest.raises(ValueError, match=r"router\.thresholds: none are given, and none were chosen"):
        Run(router, 4, TREE, REWARDS, router={"thresholds": None})


@pytest.mark.parametrize("domain", ["math", "logic", "code"])
def test_agreement_is_told_from_the_question_alone(domain, tokenizer):
    """Wrong behaviour: ground truth in a search. A strategy sees the names of classes, no verdict."""
    problem = embedded(domain)[0]
    question = problem.question

    def path(text, whole=True):
        tokens = tuple(tokenizer(text).input_ids)
        return Path((0,), tokens, line_ends(tokens), finished=True, whole=whole)

    assert not hasattr(question, "reference")
    texts = {"code": ["return 1", "return 2"]}.get(domain, ["so\n#### 1", "so\n#### 2"])
    text, other = ("  " + texts[0], "  " + texts[1]) if domain == "code" else texts
    asked = [(question, path(t)) for t in (text, text, other)] + [(question, path(text, whole=False))]
    found = classifier([problem], tokenizer, Sandbox("process", 2.0, 256))(asked)
    assert found[0] == found[1] != found[2] and found[3] is None


# --- its thresholds ---


def test_a_trial_is_what_each_choice_would_have_given():
    def found(name: str, reward: float) -> Candidate:
        return Candidate("", 4, "p", name, "", True, (reward,))

    spec = params(router={"probe": 2}).router
    samples = [(found("0", 0.4), False, "x"), (found("1", 0.3), True, "y"), (found("2", 0.6), True, "y")]
    tree = [(found("4.0", 0.35), True, "y")]
    assert routing.trial(samples, [5, 6, 7], tree, 20, spec) == Trial(
        Signs(0.5, 0.4), {"stop": 0.0, "best_of_n": 1.0, "tree": 0.0}, {"stop": 11, "best_of_n": 18, "tree": 31}
    )


def trial(agreement: float, score: float, stop: float, more: float, tree: float) -> Trial:
    """Tokens: 10 for the first samples, 20 with more, 30 with a tree."""
    right = {"stop": stop, "best_of_n": more, "tree": tree}
    return Trial(Signs(agreement, score), right, {"stop": 10.0, "best_of_n": 20.0, "tree": 30.0})


EASY, MIDDLING, HARD = trial(1.0, 0.9, 1, 1, 1), trial(0.5, 0.6, 0, 1, 0), trial(0.25, 0.2, 0, 0, 1)


def test_thresholds_send_each_problem_where_it_is_answered():
    tuned = tune([EASY, MIDDLING, HARD], tokens=100.0)
    assert tuned.accuracy == 1.0 and tuned.tokens == pytest.approx(20.0)
    assert [t.signs.decide(tuned.thresholds) for t in (EASY, MIDDLING, HARD)] == ["stop", "best_of_n", "tree"]


def test_thresholds_keep_to_the_tokens():
    """Wrong behaviour: a router that is better because it may spend more than what it is compared with."""
    assert tune([EASY, MIDDLING, HARD], tokens=50 / 3).accuracy == pytest.approx(2 / 3)
    assert tune([EASY, MIDDLING, HARD], tokens=10.0).accuracy == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="cost 10 tokens a problem, above 9"):
        tune([EASY, MIDDLING, HARD], tokens=9.0)
    with pytest.raises(ValueError, match="need validation problems"):
        tune([], tokens=10.0)


def test_thresholds_may_never_stop_and_never_search():
    never = tune([trial(1.0, 0.9, 0, 1, 0), trial(0.5, 0.9, 0, 1, 0)], 100.0)
    assert never.accuracy == 1.0 and never.tokens == 20.0
    always = tune([trial(1.0, 0.9, 0, 0, 1), trial(0.5, 0.9, 0, 0, 1)], 100.0)
    assert always.accuracy == 1.0 and always.tokens == 30.0
    assert tune([trial(0.0, -math.inf, 0, 1, 0)], 100.0).accuracy == 1.0


outcomes = st.floats(0, 1)
trials = st.builds(trial, st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1), outcomes, outcomes, outcomes)


@given(st.lists(trials, min_size=1, max_size=8), st.floats(10, 40))
def test_no_fixed_choice_within_the_tokens_is_better_on_validation(many, tokens):
    tuned = tune(many, tokens)
    assert tuned.tokens <= tokens
    for choice, cost in {"best_of_n": 20.0, "tree": 30.0}.items():
        if cost <= tokens:
            assert tuned.accuracy >= np.mean([t.right[choice] for t in many]) - 1e-9


# --- beside fixed strategies ---

INTERVALS = Intervals(resamples=200, confidence=0.9, seed=0)


def accuracies(values: dict[tuple[str, int], list[float]]) -> pd.DataFrame:
    rows = [
        (method, seed, f"p{i}", n, v)
        for (method, n), row in values.items()
        for seed in ([0] if method == "majority" else [0, 1])
        for i, v in enumerate(row)
    ]
    return pd.DataFrame(rows, columns=["method", "seed", "problem", "n", "value"])


COSTS = pd.DataFrame(
    [("router", 8, 20.0), ("beam", 4, 10.0), ("beam", 8, 40.0), ("majority", 4, 20.0), ("majority", 8, 40.0)],
    columns=["strategy", "budget", "cost"],
)
VALUES = {
    ("router", 8): [1.0, 0.0, 1.0, 1.0],
    ("beam", 4): [0.0, 0.0, 0.0, 1.0],
    ("beam", 8): [1.0, 0.0, 1.0, 1.0],
    ("majority", 4): [0.0, 0.0, 0.0, 0.0],
    ("majority", 8): [1.0, 1.0, 1.0, 1.0],
}


def test_strategies_are_compared_at_equal_cost():
    """Wrong behaviour: the same N, at which one strategy spends twice what another does."""
    found = at_equal_cost(accuracies(VALUES), COSTS, "router", INTERVALS).set_index("strategy")
    # 20 tokens are half-way, in logarithms, from a beam of 4 to one of 8: .5 from .25 and .75.
    assert found.loc["beam", "other"] == pytest.approx(0.5) and found.loc["beam", "accuracy"] == 0.75
    assert found.loc["beam", "difference"] == pytest.approx(0.25)
    assert found.loc["majority", "other"] == 0.0 and found.loc["majority", "difference"] == 0.75
    assert (found.low <= found.difference).all() and (found.difference <= found.high).all()


def test_nothing_is_said_beyond_a_strategys_budgets():
    """Wrong behaviour: a curve drawn on to costs that nothing was measured at."""
    dear = COSTS.assign(cost=COSTS.cost.where(COSTS.strategy != "router", 50.0))
    found = at_equal_cost(accuracies(VALUES), dear, "router", INTERVALS)
    assert found.empty and list(found.columns)[:3] == ["budget", "cost", "strategy"]


def test_a_cost_without_accuracies_is_told():
    lacking = {k: v for k, v in VALUES.items() if k != ("beam", 4)}
    with pytest.raises(ValueError, match="no accuracies of beam at a budget of 4"):
        at_equal_cost(accuracies(lacking), COSTS, "router", INTERVALS)


def test_signs_do_not_know_whether_an_answer_is_right():
    assert {f.name for f in dataclasses.fields(Signs)} == {"agreement", "score"} and tokens_of("") == ()
