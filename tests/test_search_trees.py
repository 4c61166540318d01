"""Step-wise strategies on a scripted engine, with the expected paths worked out by hand."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from searching import BEAM_REWARDS, BEAM_TREE, LIMITS, SIZES, RandomEngine, Run, line_ends, params

from prm_scaling.engines.scripted import END, text_of, tokens_of
from prm_scaling.problems.record import Question
from prm_scaling.search.beam import beam
from prm_scaling.search.dvts import dvts
from prm_scaling.search.greedy import greedy
from prm_scaling.search.greedy_step import greedy_step
from prm_scaling.search.path import ROOT, Classify, Step
from prm_scaling.search.rebase import paper, rebase, released, softmax
from prm_scaling.search.scheduler import Scheduler
from prm_scaling.search.snell_beam import snell_beam

NAN = math.nan


class Recorder(RandomEngine):
    """Keeps what the policy is asked for."""

    def __init__(self):
        self.asked = []

    def extend(self, requests):
        self.asked += requests
        return super().extend(requests)


def asked_of(strategy, budget, **sections) -> list:
    """The requests that one search makes of a random engine."""
    engine = Recorder()
    scheduler = Scheduler(engine, engine, line_ends, LIMITS, SIZES, 0)
    settings = params(**sections)
    question = Question("q", "math", "")
    scheduler.run([(question, tokens_of("Q "))], lambda: strategy(budget, settings, LIMITS.max_steps))
    return engine.asked


# --- greedy ---


def test_greedy_is_one_solution_at_temperature_0_whatever_the_budget():
    run = Run(greedy, 8, {"Q ": ["a\nb" + END, "c" + END]}, {"Q a\n": 0.4, "Q a\nb": 0.6})
    assert run.texts == ["a\nb"] and run.paths[0].rewards == (0.4, 0.6) and run.policy.calls == [1]
    assert [r.sampling.temperature for r in asked_of(greedy, 8)] == [0.0]


def test_other_requests_have_the_temperature_of_the_run():
    """Wrong behaviour: a greedy request that makes its neighbours in the batch greedy too."""
    assert {r.sampling.temperature for r in asked_of(beam, 4)} == {LIMITS.temperature}
    ahead = asked_of(snell_beam, 4, snell_beam={"lookahead": 1})
    assert {r.sampling.temperature for r in ahead} == {LIMITS.temperature, 0.0}


# --- greedy step search ---


def test_greedy_step_keeps_the_best_candidate_of_each_step():
    tree = {
        **{"Q ": ["a\n", "b\n", "b\n"], "Q b\n": ["c\n", "d\n", "e" + END]},
        **{"Q b\nc\n": ["f" + END, "g\n", "h\n"]},
    }
    rewards = {
        **{"Q a\n": 0.3, "Q b\n": 0.9, "Q b\nc\n": 0.5, "Q b\nd\n": 0.5, "Q b\ne": 0.4},
        **{"Q b\nc\nf": 0.3, "Q b\nc\ng\n": 0.2, "Q b\nc\nh\n": 0.1},
    }
    run = Run(greedy_step, 3, tree, rewards)
    # b .9 over a .3; c and d tie and c was first; f .3 is the best and ends.
    assert run.texts == ["b\nc\nf"] and run.paths[0].name == (1, 0, 0)
    assert run.policy.calls == [3, 3, 3] and run.scorer.calls == [2, 3, 3]


def test_greedy_step_passes_over_what_cannot_be_scored():
    tree = {"Q ": ["a" + END, "b" + END]}
    assert Run(greedy_step, 2, tree, {"Q a": NAN, "Q b": 0.1}).texts == ["b"]
    assert Run(greedy_step, 2, tree, {"Q a": NAN, "Q b": NAN}).paths == []


def test_greedy_step_ends_at_the_last_step():
    limits = dataclasses.replace(LIMITS, max_steps=2)
    run = Run(greedy_step, 1, {"Q ": ["a\n"], "Q a\n": ["b\n"]}, {"Q a\n": 0.5, "Q a\nb\n": 0.5}, limits=limits)
    assert run.texts == ["a\nb\n"] and not run.paths[0].finished


def test_a_beam_passes_over_what_cannot_be_scored():
    """Wrong behaviour: NaN sorted anywhere."""
    run = Run(beam, 4, BEAM_TREE, BEAM_REWARDS | {"Q b\n": NAN, "Q a\ne\n": NAN, "Q a\nf\n": NAN}, width=1)
    assert run.paths == []  # b is out, a is kept, and nothing after it has a score
    tree, rewards = BEAM_TREE | {"Q a\nf\n": ["k" + END]}, {**BEAM_REWARDS, "Q b\n": NAN, "Q a\nf\nk": 0.1}
    assert Run(beam, 4, tree, rewards, width=1).texts == ["a\nf\nk"]


# --- beam search of Snell et al. ---


def test_snell_beam_judges_by_the_last_step_and_keeps_n_over_m():
    """On the tree of paper A's beam: a .9 and b .8 stay; then h .6 and g .5, which ends; then h's i .05 and j .2.

    The places are g's and j's; i too is a candidate, as it stood in the last comparison. By sums h's would be ahead.
    """
    run = Run(snell_beam, 4, BEAM_TREE, BEAM_REWARDS, width=2)
    assert run.texts == ["b\ng", "b\nh\nj", "b\nh\ni"]
    assert run.policy.calls == [4, 4, 2]  # a finished path is not sampled from


def test_a_finished_snell_beam_gives_way_to_better_ones():
    """Wrong behaviour: what ended first keeps its place whatever its score, or comes back at the end.

    Places are for two: b .5 and a .4, which has ended; then f .7 and e .6, so a is out; then all end.
    """
    tree = {
        **{"Q ": ["a" + END, "b\n", "c\n", "d\n"], "Q b\n": ["e\n", "f\n"]},
        **{"Q b\ne\n": ["i" + END, "j" + END], "Q b\nf\n": ["g" + END, "h" + END]},
    }
    rewards = {
        **{"Q a": 0.4, "Q b\n": 0.5, "Q c\n": 0.1, "Q d\n": 0.2, "Q b\ne\n": 0.6, "Q b\nf\n": 0.7},
        **{"Q b\ne\ni": 0.3, "Q b\ne\nj": 0.25, "Q b\nf\ng": 0.1, "Q b\nf\nh": 0.2},
    }
    run = Run(snell_beam, 4, tree, rewards, width=2)
    assert run.texts == ["b\ne\ni", "b\ne\nj", "b\nf\nh", "b\nf\ng"] and run.policy.calls == [4, 2, 4]


def test_a_finished_snell_beam_stays_while_it_is_among_the_best():
    tree = {"Q ": ["a" + END, "b\n"], "Q b\n": ["c" + END]}
    run = Run(snell_beam, 2, tree, {"Q a": 0.4, "Q b\n": 0.5, "Q b\nc": 0.3}, width=1)
    assert run.texts == ["a", "b\nc"] and run.policy.calls == [2, 1]


LOOK_TREE = {
    **{"Q ": ["a\n", "b\n"], "Q a\n": ["x\n", "y" + END], "Q b\n": ["z\n", "w" + END]},
    **{"Q b\nz\n": ["v" + END], "Q a\nx\n": ["u" + END]},
}
LOOK_REWARDS = {
    **{"Q a\n": 0.9, "Q b\n": 0.2, "Q a\nx\n": 0.1, "Q a\ny": 0.5, "Q b\nz\n": 0.8, "Q b\nw": 0.6, "Q b\nz\nv": 0.3},
    **{"Q a\nx\nu": 0.7},
}


def test_lookahead_judges_a_step_by_where_it_leads():
    """k = 0: a .9, then y .5 over x .1. k = 1: a leads to x .1, b to z .8; then z leads to v .3, w .6 has ended."""
    blind = Run(snell_beam, 2, LOOK_TREE, LOOK_REWARDS, width=2)
    assert blind.texts == ["a\ny"] and blind.policy.calls == [2, 2]
    ahead = Run(snell_beam, 2, LOOK_TREE, LOOK_REWARDS, width=2, snell_beam={"lookahead": 1})
    assert ahead.texts == ["b\nw"] and ahead.paths[0].rewards == (0.2, 0.6)
    assert ahead.policy.calls == [2, 2, 2, 1]  # N(k + 1) steps a level; nothing is ahead of a path that ended


def test_a_longer_lookahead_stops_where_the_rollout_ends():
    # k = 3: a leads to x and u .7, where it ends; b to z and v .3. Then x leads to u, y .5 has ended.
    run = Run(snell_beam, 2, LOOK_TREE, LOOK_REWARDS, width=2, snell_beam={"lookahead": 3})
    assert run.policy.calls == [2, 2, 2, 2, 1, 2] and run.texts == ["a\nx\nu"]


def test_lookahead_does_not_go_beyond_the_last_step():
    limits = dataclasses.replace(LIMITS, max_steps=2)
    run = Run(snell_beam, 2, LOOK_TREE, LOOK_REWARDS, width=2, snell_beam={"lookahead": 3}, limits=limits)
    assert max(len(p.ends) for p in run.paths) == 2 and run.policy.calls == [2, 2, 2]


# --- DVTS ---


def test_each_subtree_keeps_the_best_of_its_own_samples():
    """Samples a .1, b .2 and c .9, d .8: the subtrees go on with b and c, where a beam would keep c and d."""
    tree = {
        **{"Q ": ["a\n", "b\n", "c\n", "d\n"], "Q b\n": ["e" + END, "f" + END], "Q c\n": ["g\n", "h\n"]},
        **{"Q c\ng\n": ["i" + END, "j" + END]},
    }
    rewards = {
        **{"Q a\n": 0.1, "Q b\n": 0.2, "Q c\n": 0.9, "Q d\n": 0.8, "Q b\ne": 0.3, "Q b\nf": 0.2},
        **{"Q c\ng\n": 0.5, "Q c\nh\n": 0.4, "Q c\ng\ni": 0.1, "Q c\ng\nj": 0.7},
    }
    run = Run(dvts, 4, tree, rewards, width=2)
    # The first subtree ends at e; the second at j. All samples of a subtree's last level are candidates.
    assert run.texts == ["b\ne", "b\nf", "c\ng\ni", "c\ng\nj"]
    assert run.policy.calls == [4, 4, 2]


def test_what_two_subtrees_both_find_is_one_candidate():
    """Wrong behaviour: a clone votes twice."""
    tree = {"Q ": ["a\n"], "Q a\n": ["x" + END, "y" + END]}
    run = Run(dvts, 4, tree, {"Q a\n": 0.5, "Q a\nx": 0.4, "Q a\ny": 0.6}, width=2)
    assert run.texts == ["a\nx", "a\ny"] and run.policy.calls == [4, 4]
    assert run.scorer.calls == [2, 4]  # within a subtree a clone is rated once


def test_a_subtree_that_cannot_be_scored_ends_alone():
    tree = {"Q ": ["a\n", "b" + END], "Q a\n": ["x" + END]}
    run = Run(dvts, 2, tree, {"Q a\n": NAN, "Q b": 0.4}, width=1)
    assert run.texts == ["b"] and run.policy.calls == [2]


# --- REBASE ---

# T_b = .1. Level 1: c has ended, so B = 4 - 1 = 3 for a, b, d with weights 1, e^-1 and e^-8: shares 2.19, .81, .00.
REBASE_TREE = {
    **{"Q ": ["a\n", "b\n", "c" + END, "d\n"], "Q a\n": ["e" + END, "f\n", "i" + END], "Q b\n": ["g" + END]},
    **{"Q a\nf\n": ["h" + END]},
}
REBASE_REWARDS = {
    **{"Q a\n": 0.9, "Q b\n": 0.8, "Q c": 0.5, "Q d\n": 0.1, "Q a\ne": 0.7, "Q a\nf\n": 0.6, "Q a\ni": 0.2},
    **{"Q b\ng": 0.4, "Q a\nf\nh": 0.3},
}


def test_rebase_shares_the_budget_by_the_papers_rounding():
    run = Run(rebase, 4, REBASE_TREE, REBASE_REWARDS)
    # a has 2 children, b 1, d none. e and g end: B = 3 - 2 = 1, all of it f's; h ends: B = 0.
    assert run.policy.calls == [4, 3, 1]
    assert run.texts == ["c", "a\ne", "b\ng", "a\nf\nh"]


def test_rebase_shares_the_budget_as_the_released_code_does():
    run = Run(rebase, 4, REBASE_TREE, REBASE_REWARDS, rebase={"rounding": "released"})
    # a takes the ceiling of 2.19, and nothing is left for b: e and i end, then h.
    assert run.policy.calls == [4, 3, 1]
    assert run.texts == ["c", "a\ne", "a\ni", "a\nf\nh"]


def test_a_high_temperature_shares_evenly_and_a_low_one_gives_all_to_the_best():
    assert [round(w, 3) for w in softmax([0.9 / 0.1, 0.8 / 0.1])] == [0.731, 0.269]
    tree, rewards = REBASE_TREE | {"Q d\n": ["j" + END]}, REBASE_REWARDS | {"Q d\nj": 0.1}
    even = Run(rebase, 4, tree, rewards, rebase={"temperature": 100.0})
    assert even.texts == ["c", "a\ne", "b\ng", "d\nj"] and even.policy.calls == [4, 3]
    cold = Run(rebase, 4, tree, rewards, rebase={"temperature": 0.001})
    assert cold.texts == ["c", "a\ne", "a\ni", "a\nf\nh"] and cold.policy.calls == [4, 3, 1]


def test_rebase_takes_every_path_that_ended_out_of_the_budget():
    """Wrong behaviour: a clone that ended, or a path that was cut or cannot be scored, leaves its place to others."""
    tree = {"Q ": ["a" + END, "a" + END, "b" + END, "c\n"], "Q c\n": ["d" + END, "e" + END, "f" + END, "g" + END]}
    rewards = {"Q a": 0.5, "Q b": NAN, "Q c\n": 0.9, **{f"Q c\n{x}": 0.5 for x in "defg"}}
    run = Run(rebase, 4, tree, rewards)
    assert run.texts == ["a", "c\nd"] and run.policy.calls == [4, 1]
    limits = dataclasses.replace(LIMITS, step_tokens=2)
    cut = Run(rebase, 2, {"Q ": ["abc" + END, "c\n"], "Q c\n": ["d" + END]}, rewards | {"Q ab": 0.5}, limits=limits)
    assert cut.texts == ["ab", "c\nd"] and cut.policy.calls == [2, 1]


def test_clones_are_one_node_of_rebase():
    """Wrong behaviour: two copies of a step have twice the share of the budget."""
    tree = {"Q ": ["a\n", "a\n", "a\n", "b\n"], "Q a\n": ["1" + END, "2" + END], "Q b\n": ["3" + END, "4" + END]}
    rewards = {"Q a\n": 0.5, "Q b\n": 0.5, **{f"Q {x}": 0.5 for x in ("a\n1", "a\n2", "b\n3", "b\n4")}}
    assert Run(rebase, 4, tree, rewards).texts == ["a\n1", "a\n2", "b\n3", "b\n4"]


@given(st.integers(1, 64), st.lists(st.floats(0, 1), min_size=1, max_size=20), st.sampled_from([0.05, 0.2, 5.0]))
def test_roundings_by_property(budget, rewards, temperature):
    weights = softmax([r / temperature for r in rewards])
    counts = released(budget, weights)
    assert sum(counts) == budget and all(c >= 0 for c in counts)
    for a, b in zip(range(len(weights)), range(1, len(weights)), strict=False):
        if weights[a] > weights[b]:
            assert counts[a] >= counts[b]
    rounded = paper(budget, weights)
    assert sum(rounded) > 0
    if any(budget * w >= 0.5 for w in weights):
        assert all(abs(c - budget * w) <= 0.5 + 1e-9 for c, w in zip(rounded, weights, strict=True))


def test_shares_that_are_whole_stay_whole():
    """Wrong behaviour: ceil(3.0000000000000004) = 4."""
    assert released(9, [1 / 3] * 3) == [3, 3, 3] and released(30, [0.1] * 10) == [3] * 10
    assert released(7, [1.0, 0.0, 0.0]) == [7, 0, 0]


# --- where a search starts, and what it may ask ---


@pytest.mark.parametrize("strategy", [beam, snell_beam, dvts, rebase])
def test_a_search_may_start_below_the_root(strategy):
    root = dataclasses.replace(ROOT, name=(7,))
    request = next(strategy(4, params(), 9, root=root))
    assert isinstance(request, Step) and {p.name for p in request.paths} == {(7,)} and request.samples == (0, 1, 2, 3)


def test_paths_say_when_they_were_found():
    run = Run(rebase, 4, REBASE_TREE, REBASE_REWARDS)
    # Tokens: 2 + 2 + 1 + 2 at level 1, then e, f\n, g, then h.
    assert [p.spent for p in run.paths] == [7, 11, 11, 12] and run.ledger.generated == 12


def test_answers_are_classed_for_all_questions_in_one_call():
    calls = []

    def classify(asked):
        calls.append([(q.id, text_of(p.tokens)) for q, p in asked])
        return [text_of(p.tokens) for _, p in asked]

    def search():
        return (yield Classify(tuple((yield Step((ROOT,), (0,))))))

    engine = RandomEngine()
    scheduler = Scheduler(engine, engine, line_ends, LIMITS, SIZES, 0, classify)
    results = scheduler.run([(Question(n, "math", ""), tokens_of(n)) for n in "AB"], search)
    assert len(calls) == 1 and [q for q, _ in calls[0]] == ["A", "B"]
    assert [p.answer for paths, _ in results for p in paths] == [text for _, text in calls[0]]
    with pytest.raises(ValueError, match="give the scheduler `classify`"):
        Scheduler(engine, engine, line_ends, LIMITS, SIZES, 0).run([(Question("A", "math", ""), (65,))], search)
