"""Search strategies on a scripted engine, with the expected paths worked out by hand."""

import dataclasses
import inspect
import math
import re

import pytest
from conftest import embedded
from hypothesis import given
from hypothesis import strategies as st
from searching import (
    BEAM_REWARDS,
    BEAM_TREE,
    LIMITS,
    SIZES,
    RandomEngine,
    Run,
    last_lines,
    line_ends,
    params,
)

from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.scripted import END, tokens_of
from prm_scaling.problems.record import Question
from prm_scaling.search import STRATEGIES
from prm_scaling.search.beam import beam
from prm_scaling.search.choose import aggregate
from prm_scaling.search.path import Path, Rate, Solve, Step, children, distinct
from prm_scaling.search.sampling import sampling
from prm_scaling.search.scheduler import Limits, Scheduler
from prm_scaling.search.strategy import Parameters

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


# --- all strategies ---


def searches(name: str, budget: int, settings, count: int = 4, seed: int = 0, unscored: float = 0.0):
    """A scheduler on a random engine, questions, and what starts a search; the budget is one that fits."""
    engine = RandomEngine()
    engine.unscored = unscored
    scheduler = Scheduler(engine, engine, line_ends, LIMITS, SIZES, seed, last_lines)
    asked = [(Question(f"q{i}", "math", ""), tokens_of(f"Q{i} ")) for i in range(count)]
    section = getattr(settings, name, Parameters())
    budget = next(b for b in range(budget, 99) if not section.unfit(b))
    return scheduler, asked, lambda: STRATEGIES[name](budget, settings, LIMITS.max_steps), budget


MCTS_KINDS = st.fixed_dictionaries(
    {
        "leaf": st.sampled_from(["prm", "rollout", "mixed"]),
        "backup": st.sampled_from(["mean", "max"]),
        "rollouts": st.integers(1, 2),
        "simulations": st.sampled_from([None, 3]),
    }
)
ROUTES = st.fixed_dictionaries(
    {
        "tree": st.sampled_from(["beam", "snell_beam", "dvts", "rebase", "mcts"]),
        "probe": st.integers(1, 4),
        "tokens": st.sampled_from([None, 9]),
    }
)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@given(
    budget=st.integers(1, 9),
    width=st.integers(1, 9),
    root=st.integers(1, 4),
    kinds=st.tuples(MCTS_KINDS, st.integers(0, 2), st.sampled_from(["paper", "released"]), ROUTES),
    order=st.permutations(range(4)),
    seed=st.integers(0, 99),
    unscored=st.sampled_from([0.0, 0.3]),
)
def test_searches_by_property(name, budget, width, root, kinds, order, seed, unscored):
    mcts_kind, lookahead, rounding, route = kinds
    sections = {"snell_beam": {"lookahead": lookahead}, "rebase": {"rounding": rounding}}
    settings = params(width, 1.0, root, 2, mcts=mcts_kind, router=route, **sections)
    scheduler, asked, search, budget = searches(name, budget, settings, 4, seed, unscored)
    results = scheduler.run(asked, search)
    # The same whatever the order of the questions, and whether they are searched together or alone. Names are told
    # from what was found, as a reward that is not a number is not equal to itself.
    told = [[(p.name, p.tokens, p.spent, p.visits) for p in paths] for paths, _ in results]
    again = [r for r, _ in scheduler.run([asked[i] for i in order], search)]
    alone = scheduler.run(asked[:1], search)[0][0]
    assert [[(p.name, p.tokens, p.spent, p.visits) for p in again[order.index(i)]] for i in range(4)] == told
    assert [(p.name, p.tokens, p.spent, p.visits) for p in alone] == told[0]
    for paths, ledger in results:
        assert all(len(p.rewards) == len(p.ends) == p.depth for p in paths)
        assert all(p.ends == tuple(sorted(set(p.ends))) and (p.ends or (0,))[-1] == len(p.tokens) for p in paths)
        assert not any(p.whole and not p.finished for p in paths)
        assert len({p.name for p in paths}) == len(paths)
        assert all(0 <= p.spent <= ledger.generated for p in paths)
        if name in ("sampling", "greedy", "router"):
            assert len(paths) >= 1
        else:
            assert distinct(paths) == paths and all(p.scored for p in paths)
        most = {
            "sampling": budget,
            "greedy": 1,
            "beam": budget * LIMITS.max_steps,
            "greedy_step": budget * LIMITS.max_steps,
            "snell_beam": budget * (lookahead + 1) * LIMITS.max_steps,
            "dvts": budget * LIMITS.max_steps,
            # A rollout is one call of many steps.
            "mcts": budget * LIMITS.max_steps + max(root, 2) * (1 + mcts_kind["rollouts"]),
        }
        if name in most:
            assert ledger.policy_calls <= most[name]
        if name == "rebase" and rounding == "released":
            assert ledger.policy_calls <= budget * LIMITS.max_steps and len(paths) <= budget


@pytest.mark.parametrize("name", sorted(set(STRATEGIES) - {"sampling", "greedy"}))
def test_what_the_prm_cannot_score_is_never_chosen(name):
    """Wrong behaviour: a reward that is missing taken for 0, or a NaN that a comparison lets through."""
    scheduler, asked, search, _ = searches(name, 4, params(), unscored=1.0)
    for paths, _ in scheduler.run(asked, search):
        # Without a step there is nothing to score; and the router's samples are candidates that cannot be chosen.
        assert all(not p.ends or (name == "router" and aggregate(p.rewards, "min") == -math.inf) for p in paths)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_strategy_cannot_reach_the_reference(name):
    """Wrong behaviour: ground truth in a search. A strategy is given numbers, and is sent paths."""
    given = list(inspect.signature(STRATEGIES[name].search).parameters)
    assert given in (["budget", "params", "max_steps"], ["budget", "params", "max_steps", "root"])
    imported = re.findall(
        r"^(?:from|import) (\S+)", inspect.getsource(inspect.getmodule(STRATEGIES[name].search)), re.M
    )
    own = [module for module in imported if module.startswith("prm_scaling.")]
    assert own and all(m == "prm_scaling.strict" or m.startswith("prm_scaling.search.") for m in own)
    assert {f.name for f in dataclasses.fields(Question)} == {"id", "domain", "text", "public_inputs"}
    known = ["name", "tokens", "ends", "rewards", "finished", "whole", "spent", "answer", "visits"]
    assert [f.name for f in dataclasses.fields(Path)] == known
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
        scheduler = Scheduler(policy, TransformersScorer(prm_model), segment, limits, SIZES, 0, last_lines)
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
