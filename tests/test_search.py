"""Search strategies on a scripted engine, with the expected paths worked out by hand."""

import dataclasses
import inspect
import math

import pytest
from conftest import embedded
from hypothesis import given
from hypothesis import strategies as st
from searching import (
    BEAM_REWARDS,
    BEAM_TREE,
    LIMITS,
    MCTS_REWARDS,
    MCTS_TREE,
    SIZES,
    RandomEngine,
    Run,
    line_ends,
    params,
)

from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.scripted import END, tokens_of
from prm_scaling.problems.record import Question
from prm_scaling.search import STRATEGIES
from prm_scaling.search.beam import beam
from prm_scaling.search.choose import aggregate
from prm_scaling.search.mcts import mcts
from prm_scaling.search.path import Path, Rate, Solve, Step, children, distinct
from prm_scaling.search.sampling import sampling
from prm_scaling.search.scheduler import Limits, Scheduler

# --- sampling ---


def test_sampling_rates_every_sample_and_keeps_equal_ones():
    tree = {"Q ": ["a\n1" + END, "b\n2" + END, "a\n1" + END]}
    run = Run(sampling, 4, tree, {"Q a\n": 0.9, "Q a\n1": 0.2, "Q b\n": 0.3, "Q b\n2": 0.4})
    # Independent samples: two that are equal are two votes.
    assert run.texts == ["a\n1", "b\n2", "a\n1", "a\n1"]
    assert [p.rewards for p in run.paths] == [(0.9, 0.2), (0.3, 0.4), (0.9, 0.2), (0.9, 0.2)]
    assert [p.ends for p in run.paths] == [(2, 3)] * 4
    assert [p.name for p in run.paths] == [(0,), (1,), (2,), (3,)]
    assert all(p.finished and p.whole for p in run.paths)


def test_a_sample_that_runs_into_the_limit_is_not_whole():
    """Wrong behaviour: a solution that was cut counts as one that ended."""
    limits = Limits(1.0, step_tokens=3, max_steps=2, separator="\n")
    run = Run(
        sampling,
        2,
        {"Q ": ["ab\ncdefgh" + END, "x" + END]},
        {"Q ab\n": 0.5, "Q ab\ncde": 0.6, "Q x": 0.7},
        limits=limits,
    )
    assert run.texts == ["ab\ncde", "x"]
    assert [(p.finished, p.whole) for p in run.paths] == [(True, False), (True, True)]


# --- beam ---


def test_beam_keeps_the_greatest_sums_of_rewards():
    run = Run(beam, 4, BEAM_TREE, BEAM_REWARDS, width=2)
    assert run.texts == ["b\nh\nj", "b\nh\ni"]
    assert [p.rewards for p in run.paths] == [(0.8, 0.6, 0.2), (0.8, 0.6, 0.05)]
    assert [p.name for p in run.paths] == [(1, 1, 1), (1, 1, 0)]
    assert run.policy.calls == [4, 4, 4]
    assert run.scorer.calls == [4, 4, 2]  # clones are rated once


def test_finished_beams_compete_by_their_sums_not_by_order_of_completion():
    """Wrong behaviour: a finished beam that later ones push out whatever its score, or that blocks them."""
    rewards = {**BEAM_REWARDS, "Q b\ng": 0.9}  # bg: 1.7, better than bhj's 1.6
    run = Run(beam, 4, BEAM_TREE, rewards, width=2)
    assert run.texts == ["b\ng", "b\nh\nj"]


def test_a_beam_of_one_is_greedy():
    tree = {**BEAM_TREE, "Q a\nf\n": ["k" + END]}
    run = Run(beam, 2, tree, {**BEAM_REWARDS, "Q a\nf\nk": 0.1}, width=1)
    assert run.texts == ["a\nf\nk"]
    assert run.policy.calls == [2, 2, 2]


def test_clones_do_not_fill_the_beam():
    """Wrong behaviour: two copies of the best step leave no room for the second best, and vote twice."""
    tree = {"Q ": ["a\n", "a\n", "a\n", "b\n"], "Q a\n": ["x" + END], "Q b\n": ["y" + END]}
    run = Run(beam, 4, tree, {"Q a\n": 0.9, "Q b\n": 0.1, "Q a\nx": 0.9, "Q b\ny": 0.1}, width=2)
    assert run.texts == ["a\nx", "b\ny"]
    assert [p.name for p in run.paths] == [(0, 0), (3, 0)]


def test_a_width_larger_than_the_candidates_keeps_them_all():
    tree = {"Q ": ["a\n", "b" + END], "Q a\n": ["x" + END]}
    run = Run(beam, 9, tree, {"Q a\n": 0.9, "Q b": 0.5, "Q a\nx": 0.1}, width=9)
    assert run.texts == ["a\nx", "b"]
    assert run.policy.calls == [9, 9]


def test_the_budget_of_a_level_is_shared_among_the_growing_paths():
    tree = {"Q ": ["a\n", "b\n", "c\n"], **{f"Q {x}\n": [f"{y}" + END for y in "12345"] for x in "abc"}}
    rewards = {f"Q {x}\n": 0.5 for x in "abc"} | {f"Q {x}\n{y}": 0.5 for x in "abc" for y in "12345"}
    run = Run(beam, 8, tree, rewards, width=3)
    # 8 children of 3 paths: 3, 3 and 2; ties go by name.
    assert run.policy.calls == [8, 8] and run.scorer.calls == [3, 8]
    assert run.texts == ["a\n1", "a\n2", "a\n3"]


def test_a_beam_that_reaches_the_last_step_returns_unfinished_paths_as_such():
    limits = dataclasses.replace(LIMITS, max_steps=2)
    tree = {"Q ": ["a\n"], "Q a\n": ["a\n"]}
    run = Run(beam, 2, tree, {"Q a\n": 0.5, "Q a\na\n": 0.5}, limits=limits)
    assert run.texts == ["a\na\n"]
    assert [(p.finished, p.whole) for p in run.paths] == [(False, False)]


def test_a_step_that_runs_into_its_limit_cuts_the_path():
    """Wrong behaviour: half a step is rated and built upon as if it were one."""
    limits = dataclasses.replace(LIMITS, step_tokens=3)
    tree = {"Q ": ["abcdef\n", "x\n"], "Q x\n": ["1" + END]}
    run = Run(beam, 2, tree, {"Q abc": 0.9, "Q x\n": 0.5, "Q x\n1": 0.6}, limits=limits)
    assert run.texts == ["x\n1", "abc"]
    assert [(p.finished, p.whole) for p in run.paths] == [(True, True), (True, False)]


def test_an_empty_last_step_ends_a_path_without_a_reward_of_its_own():
    """Wrong behaviour: a reward for a step that has no token, or a crash."""
    tree = {"Q ": ["a\n", END], "Q a\n": [END, "b" + END]}
    run = Run(beam, 2, tree, {"Q a\n": 0.9, "Q a\nb": 0.3})
    assert run.texts == ["a\nb", "a\n"]
    assert [p.rewards for p in run.paths] == [(0.9, 0.3), (0.9,)]
    assert all(p.whole for p in run.paths)
    only = Run(beam, 2, {"Q ": [END]}, {})
    assert only.texts == [""] and only.paths[0].rewards == () and only.paths[0].reward == 0.0


# --- mcts ---


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


# --- all strategies ---


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@given(
    budget=st.integers(1, 9),
    width=st.integers(1, 9),
    root=st.integers(1, 4),
    order=st.permutations(range(4)),
    seed=st.integers(0, 99),
)
def test_searches_by_property(name, budget, width, root, order, seed):
    engine = RandomEngine()
    scheduler = Scheduler(engine, engine, line_ends, LIMITS, SIZES, seed)
    asked = [(Question(f"q{i}", "math", ""), tokens_of(f"Q{i} ")) for i in range(4)]

    def search():
        return STRATEGIES[name](budget, params(width, 1.0, root, 2), LIMITS.max_steps)

    results = scheduler.run(asked, search)
    # The same whatever the order of the questions, and whether they are searched together or alone.
    again = scheduler.run([asked[i] for i in order], search)
    assert [again[order.index(i)][0] for i in range(4)] == [paths for paths, _ in results]
    assert scheduler.run(asked[:1], search)[0][0] == results[0][0]
    for paths, ledger in results:
        assert all(len(p.rewards) == len(p.ends) == p.depth for p in paths)
        assert all(p.ends == tuple(sorted(set(p.ends))) and (p.ends or (0,))[-1] == len(p.tokens) for p in paths)
        assert not any(p.whole and not p.finished for p in paths)
        assert len({p.name for p in paths}) == len(paths)
        if name == "sampling":
            assert len(paths) == budget == ledger.policy_calls
        else:
            assert distinct(paths) == paths
        if name == "beam":
            assert len(paths) <= width and ledger.policy_calls <= budget * LIMITS.max_steps
        if name == "mcts":
            assert ledger.policy_calls <= budget * LIMITS.max_steps + max(root, 2)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_strategy_cannot_reach_the_reference(name):
    """Wrong behaviour: ground truth in a search. A strategy is given numbers, and is sent paths."""
    assert list(inspect.signature(STRATEGIES[name]).parameters) == ["budget", "params", "max_steps"]
    assert {f.name for f in dataclasses.fields(Question)} == {"id", "domain", "text", "public_inputs"}
    assert {f.name for f in dataclasses.fields(Path)} == {*("name", "tokens", "ends", "rewards", "finished", "whole"), *("spent", "answer", "visits")}
    search = STRATEGIES[name](2, params(), 3)
    request = next(search)
    assert isinstance(request, Step | Solve | Rate)
    assert all(type(p) is Path for p in request.paths)


def test_one_question_searched_on_a_real_model_is_the_same_in_any_company(policy_model, prm_model, tokenizer):
    from prm_scaling.engines.transformers import TransformersPolicy, TransformersScorer

    questions = [p.question for p in embedded("math")[:4]]
    asked = [(q, prompt_tokens(q, tokenizer)) for q in questions]
    limits = Limits(1.0, step_tokens=6, max_steps=3, separator="\n")
    segment = Steps(tokenizer, "\n").ends

    def paths(name, order, rows):
        policy = TransformersPolicy(policy_model, tokenizer, rows)
        scheduler = Scheduler(policy, TransformersScorer(prm_model, rows), segment, limits, SIZES, 0)
        results = scheduler.run([asked[i] for i in order], lambda: STRATEGIES[name](4, params(), 3))
        return {i: [(p.name, p.tokens, p.ends) for p in r[0]] for i, r in zip(order, results, strict=True)}

    for name in STRATEGIES:
        assert paths(name, [0, 1, 2, 3], 64) == paths(name, [2, 0, 3, 1], 5)


# --- small parts ---


def path(text: str, finished: bool = False, name: tuple[int, ...] = (0,)) -> Path:
    return Path(name, tokens_of(text), line_ends(tokens_of(text)), finished=finished)


def test_distinct_keeps_the_first_of_equal_paths_in_order():
    a, b, clone, ended = path("a\n"), path("b\n"), path("a\n", name=(7,)), path("a\n", finished=True)
    assert distinct([a, b, clone, ended, b]) == [a, b, ended]


def test_children_asks_each_path_for_its_number_of_samples():
    a, b = path("a\n"), path("b\n")
    assert children([a, b], [2, 1]) == Step((a, a, b), (0, 1, 0))
    assert children([a, b], [0, 1]) == Step((b,), (0,))
    with pytest.raises(ValueError, match="shorter"):
        children([a, b], [1])


def test_the_reward_of_a_path_is_that_of_its_newest_step():
    assert path("a\nb").rated((0.1, 0.7)).reward == 0.7 and path("").reward == 0.0
    with pytest.raises(ValueError, match="1 rewards for 2 steps"):
        path("a\nb").rated((0.1,))


def test_aggregations():
    rewards = (0.5, 0.2, 0.8)
    expected = {"last": 0.8, "min": 0.2, "product": 0.08, "mean": 0.5}
    assert {how: pytest.approx(aggregate(rewards, how)) for how in expected} == expected
    assert all(aggregate((), how) == 0.0 for how in expected)
    assert aggregate((0.0, 1e-30), "product") == 0.0
    with pytest.raises(KeyError):
        aggregate(rewards, "sum")


def test_uct_is_the_papers():
    from prm_scaling.search.mcts import Node

    parent = Node(Path(), visits=5, total=2.0)
    node = Node(path("a\n"), parent, visits=2, total=1.2)
    assert node.uct(0.5) == pytest.approx(0.6 + 0.5 * math.sqrt(math.log(5) / 2))
