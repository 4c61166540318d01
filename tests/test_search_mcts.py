"""Monte Carlo tree search on a scripted engine, with the expected paths worked out by hand."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from searching import LIMITS, MCTS_REWARDS, MCTS_TREE, SIZES, RandomEngine, Run, line_ends, params

from prm_scaling.engines.scripted import END, tokens_of
from prm_scaling.problems.record import Question
from prm_scaling.search.mcts import Node, mcts
from prm_scaling.search.path import Path
from prm_scaling.search.scheduler import Scheduler


def test_mcts_turns_elsewhere_after_a_revisit_of_a_finished_leaf():
    """Wrong behaviour: a revisit that adds nothing selects the same leaf for ever."""
    run = Run(mcts, 3, MCTS_TREE, MCTS_REWARDS)
    assert run.texts == ["a\nc", "a\nd", "b\ne", "b\nf"]
    assert run.policy.calls == [2, 2, 2]  # 3 solutions' worth of 2 steps
    assert run.scorer.calls == [2, 2, 2]
    assert [p.rewards for p in run.paths] == [(0.9, 0.9), (0.9, 0.1), (0.1, 0.5), (0.1, 0.6)]


def test_mcts_spends_no_more_than_its_budget():
    assert Run(mcts, 2, MCTS_TREE, MCTS_REWARDS).texts == ["a\nc", "a\nd"]


def test_mcts_without_exploration_ends_although_it_never_turns():
    run = Run(mcts, 3, MCTS_TREE, MCTS_REWARDS, exploration=0.0)
    assert run.texts == ["a\nc", "a\nd"]
    assert run.policy.calls == [2, 2]


def test_mcts_ends_when_the_whole_tree_is_finished():
    run = Run(mcts, 50, MCTS_TREE, MCTS_REWARDS)
    assert sorted(run.texts) == ["a\nc", "a\nd", "b\ne", "b\nf"]


def test_mcts_goes_deeper_where_the_reward_is_greater():
    # Q(a)=.2 after one visit, b .8: b first, then bc .7, bd .6, so Q(b)=.7: b 0.7+sqrt(ln4/3)=1.38 against
    # a .2+sqrt(ln4)=1.377; below b, c .7+sqrt(ln3) against d .6+sqrt(ln3): c.
    tree = {
        "Q ": ["a\n", "b\n"],
        "Q a\n": ["x" + END],
        "Q b\n": ["c\n", "d\n"],
        "Q b\nc\n": ["1" + END, "2" + END],
    }
    rewards = {"Q a\n": 0.2, "Q b\n": 0.8, "Q b\nc\n": 0.7, "Q b\nd\n": 0.6, "Q b\nc\n1": 0.3, "Q b\nc\n2": 0.4}
    run = Run(mcts, 2, tree, rewards)
    assert run.texts == ["b\nc\n1", "b\nc\n2"]  # the first solution has 3 steps: 6 steps are 2 solutions


def test_clones_are_one_node():
    """Wrong behaviour: a clone is a node of its own, counted and explored twice."""
    tree = {"Q ": ["a\n", "a\n", "b\n"], "Q a\n": ["c" + END], "Q b\n": ["e" + END]}
    rewards = {"Q a\n": 0.9, "Q b\n": 0.1, "Q a\nc": 0.9, "Q b\ne": 0.5}
    run = Run(mcts, 4, tree, rewards, root_children=3, children=2)
    assert sorted(run.texts) == ["a\nc", "b\ne"] and run.scorer.calls == [2, 1, 1]


def test_mcts_handles_empty_and_cut_steps():
    empty = Run(mcts, 2, {"Q ": [END, "a\n"], "Q a\n": ["b" + END]}, {"Q a\n": 0.9, "Q a\nb": 0.9})
    # An empty solution still spends a step of the budget: 2 solutions of 1 step are spent on the root's children.
    assert empty.texts == [""] and empty.policy.calls == [2]
    more = Run(mcts, 4, {"Q ": [END, "a\n"], "Q a\n": ["b" + END]}, {"Q a\n": 0.9, "Q a\nb": 0.9})
    assert more.texts == ["", "a\nb"]
    limits = dataclasses.replace(LIMITS, step_tokens=3)
    cut = Run(mcts, 3, {"Q ": ["abcdef\n", "x" + END]}, {"Q abc": 0.9, "Q x": 0.5}, limits=limits)
    assert [(t, p.whole) for t, p in zip(cut.texts, cut.paths, strict=True)] == [("abc", False), ("x", True)]


def test_a_path_that_was_cut_does_not_measure_the_budget():
    """Wrong behaviour: a first step that is cut counts as a solution of one step, and the search is over."""
    limits = dataclasses.replace(LIMITS, step_tokens=3)
    tree = {"Q ": ["abcdef\n", "b\n"], "Q b\n": ["c" + END, "d" + END]}
    rewards = {"Q abc": 0.2, "Q b\n": 0.5, "Q b\nc": 0.5, "Q b\nd": 0.5}
    run = Run(mcts, 2, tree, rewards, limits=limits)
    assert run.texts == ["abc", "b\nc", "b\nd"]
    assert [p.whole for p in run.paths] == [False, True, True]


def test_mcts_does_not_go_beyond_the_last_step():
    limits = dataclasses.replace(LIMITS, max_steps=2)
    tree = {"Q ": ["a\n"], "Q a\n": ["a\n"]}
    run = Run(mcts, 3, tree, {"Q a\n": 0.5, "Q a\na\n": 0.5}, limits=limits, root_children=1, children=1)
    assert run.paths == [] and run.policy.calls == [1, 1]


def test_uct_is_the_papers():
    node = Node(Path((0,)), Node(Path(), visits=5), visits=2, total=1.2, best=0.9)
    assert node.uct(math.log(5), 0.5) == pytest.approx(0.6 + 0.5 * math.sqrt(math.log(5) / 2))
    assert node.uct(math.log(5), 0.5, "max") == pytest.approx(0.9 + 0.5 * math.sqrt(math.log(5) / 2))


# --- what a leaf is worth ---

# To the PRM a looks best; its rollout ends badly, that of b well.
ROLL_TREE = {"Q ": ["a\n", "b\n"], "Q a\n": ["x" + END, "w" + END], "Q b\n": ["y" + END, "z" + END]}
ROLL_REWARDS = {
    **{"Q a\n": 0.9, "Q b\n": 0.1},
    **{"Q a\nx": 0.1, "Q a\nw": 0.2, "Q b\ny": 0.8, "Q b\nz": 0.3},
}


def rolled(leaf: str, budget: int = 3, **kind) -> Run:
    section = {"leaf": leaf, "aggregation": "last", **kind}
    return Run(mcts, budget, ROLL_TREE, ROLL_REWARDS, exploration=0.0, mcts=section)


def test_a_leaf_is_worth_the_rewards_of_its_rollouts():
    """c = 0, so Q alone decides. By rollouts b is worth .8 and a .1: b is expanded, by the PRM alone it is a."""
    run = rolled("rollout")
    # Root: 2 steps, and 1 more each in the rollouts: 4 steps, 2 a solution; then b's two children.
    assert run.policy.calls == [2, 2, 2]
    assert run.texts == ["a\nx", "b\ny", "b\nz"]
    # The rollout y and the child y are one leaf, found by the rollout and visited twice.
    assert [len(p.visits) for p in run.paths] == [1, 2, 1]
    assert run.paths[1].name == (1, 2) and run.paths[1].visits == (6, 8)
    assert rolled("prm", 2).texts == ["a\nx", "a\nw"]


def test_a_mixed_value_lies_between():
    # a .5*.9+.5*.1 = .5, b .5*.1+.5*.8 = .45: a; with three quarters of the rollout a .3, b .625: b.
    assert rolled("mixed", mixing=0.5).texts == ["a\nx", "b\ny", "a\nw"]
    assert rolled("mixed", mixing=0.75).texts == ["a\nx", "b\ny", "b\nz"]


def test_several_rollouts_count_by_their_mean():
    # a: x .1 and w .2; b: y .8 and z .3, .55 in the mean: 2 + 4 steps, so b is expanded within 4 solutions.
    run = rolled("rollout", budget=4, rollouts=2)
    assert run.policy.calls == [2, 4, 2] and [len(p.visits) for p in run.paths] == [1, 1, 2, 2]
    assert [p.name for p in run.paths] == [(0, 2), (0, 3), (1, 2), (1, 3)]


def test_a_finished_leaf_is_worth_its_own_score():
    tree, rewards = {"Q ": ["a" + END, "b\n"], "Q b\n": ["c" + END]}, {"Q a": 0.7, "Q b\n": 0.9, "Q b\nc": 0.6}
    run = Run(mcts, 9, tree, rewards, exploration=0.0, mcts={"leaf": "rollout", "simulations": 3})
    # By min: a .7, b .6. a is revisited twice after the root's expansion.
    assert run.texts == ["a", "b\nc"] and [len(p.visits) for p in run.paths] == [3, 1]


# --- backup, simulations, dead ends ---


def test_backup_by_mean_leaves_a_branch_that_backup_by_max_stays_in():
    tree = {
        **{"Q ": ["a\n", "b\n"], "Q a\n": ["c" + END], "Q b\n": ["d\n", "e\n"]},
        **{"Q b\nd\n": ["f" + END, "g" + END]},
    }
    rewards = {
        **{"Q a\n": 0.5, "Q b\n": 0.6, "Q a\nc": 0.5, "Q b\nd\n": 0.2, "Q b\ne\n": 0.1},
        **{"Q b\nd\nf": 0.1, "Q b\nd\ng": 0.1},
    }
    # After b's expansion Q(b) is (.6+.2+.1)/3 = .3 by mean, .6 by max.
    by_mean = Run(mcts, 9, tree, rewards, exploration=0.0, mcts={"simulations": 3})
    by_max = Run(mcts, 9, tree, rewards, exploration=0.0, mcts={"simulations": 3, "backup": "max"})
    assert by_mean.texts == ["a\nc"] and by_max.texts == ["b\nd\nf", "b\nd\ng"]


def test_simulations_end_the_search_before_its_budget():
    assert Run(mcts, 50, MCTS_TREE, MCTS_REWARDS, mcts={"simulations": 1}).policy.calls == [2]
    run = Run(mcts, 50, MCTS_TREE, MCTS_REWARDS, mcts={"simulations": 3})  # the third revisits c
    assert run.policy.calls == [2, 2] and [len(p.visits) for p in run.paths] == [2, 1]


def test_a_node_whose_children_cannot_be_scored_is_left_for_good():
    """Wrong behaviour: the same samples drawn again and again, or the whole search without an answer."""
    rewards = MCTS_REWARDS | {"Q a\nc": math.nan, "Q a\nd": math.nan}
    run = Run(mcts, 3, MCTS_TREE, rewards)
    assert run.texts == ["b\ne", "b\nf"] and run.policy.calls == [2, 2, 2]
    nothing = Run(mcts, 3, MCTS_TREE, rewards | {"Q b\ne": math.nan, "Q b\nf": math.nan})
    assert nothing.paths == [] and nothing.policy.calls == [2, 2, 2]


# --- at any time ---


@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from(["prm", "rollout", "mixed"]), st.integers(0, 30))
def test_one_search_holds_those_of_all_smaller_budgets(small, more, leaf, seed):
    """Wrong behaviour: a curve that a smaller budget would not have given."""

    def search(budget):
        engine = RandomEngine()
        scheduler = Scheduler(engine, engine, line_ends, LIMITS, SIZES, seed)
        asked = [(Question("q", "math", ""), tokens_of("Q "))]
        settings = params(mcts={"leaf": leaf})
        return scheduler.run(asked, lambda: mcts(budget, settings, LIMITS.max_steps))[0]

    (little, ledger), (much, _) = search(small), search(small + more)
    then = [p for p in much if p.spent <= ledger.generated]
    # An empty step costs no token: what the larger search finds by one is there at the same cost.
    assert all(p.spent == ledger.generated for p in then[len(little) :])
    then = then[: len(little)]
    assert [dataclasses.replace(p, visits=()) for p in then] == [dataclasses.replace(p, visits=()) for p in little]
    for early, late in zip(little, then, strict=True):
        assert late.visits[: len(early.visits)] == early.visits
