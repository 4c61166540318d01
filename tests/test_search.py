"""Search strategies on a scripted engine, with the expected paths worked out by hand; the scheduler and its ledger."""

import dataclasses
import inspect
import math
from types import SimpleNamespace

import pytest
from conftest import embedded
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.interface import Extension, Scored
from prm_scaling.engines.scripted import END, ScriptedPolicy, ScriptedScorer, text_of, tokens_of
from prm_scaling.problems.record import Question
from prm_scaling.search import STRATEGIES
from prm_scaling.search.beam import beam
from prm_scaling.search.choose import aggregate
from prm_scaling.search.ledger import Ledger
from prm_scaling.search.mcts import mcts
from prm_scaling.search.path import Path, Rate, Solve, Step, children, distinct
from prm_scaling.search.sampling import sampling
from prm_scaling.search.scheduler import Limits, Scheduler
from prm_scaling.seeds import stream

LIMITS = Limits(temperature=1.0, step_tokens=20, max_steps=9, separator="\n")
SIZES = (1000, 10)


def params(width: int = 2, exploration: float = 1.0, root_children: int = 2, children: int = 2) -> SimpleNamespace:
    return SimpleNamespace(
        beam=SimpleNamespace(width=width),
        mcts=SimpleNamespace(exploration=exploration, root_children=root_children, children=children),
    )


def line_ends(tokens: tuple[int, ...]) -> tuple[int, ...]:
    ends = [i + 1 for i, t in enumerate(tokens) if chr(t) == "\n"]
    return (*ends, len(tokens)) if tokens and (not ends or ends[-1] != len(tokens)) else tuple(ends)


class Run:
    """One strategy over questions ``Q0 ``, ``Q1 ``, ... (or ``Q ``) on scripted engines."""

    def __init__(self, strategy, budget, tree, rewards, questions=("Q ",), limits=LIMITS, seed=0, **options):
        self.policy, self.scorer = ScriptedPolicy(tree), ScriptedScorer(rewards)
        scheduler = Scheduler(self.policy, self.scorer, line_ends, limits, SIZES, seed)
        asked = [(Question(text, "math", text), tokens_of(text)) for text in questions]
        self.results = scheduler.run(asked, lambda: strategy(budget, params(**options), limits.max_steps))
        self.paths, self.ledger = self.results[0]

    @property
    def texts(self) -> list[str]:
        return [text_of(p.tokens) for p in self.paths]


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
    run = Run(sampling, 2, {"Q ": ["ab\ncdefgh" + END, "x" + END]}, {"Q ab\n": 0.5, "Q ab\ncde": 0.6, "Q x": 0.7}, limits=limits)
    assert run.texts == ["ab\ncde", "x"]
    assert [(p.finished, p.whole) for p in run.paths] == [(True, False), (True, True)]


# --- beam ---

# Level 1: a .9, b .8, c .1, d .2: a and b stay. Level 2 (two children each): ae 1.0, af 1.2, bg 1.3 (ends),
# bh 1.4: bh and bg stay. Level 3 (all four of bh): bhi 1.45, bhj 1.6, each sampled twice; bg keeps its 1.3.
BEAM_TREE = {
    "Q ": ["a\n", "b\n", "c\n", "d\n"],
    "Q a\n": ["e\n", "f\n"],
    "Q b\n": ["g" + END, "h\n"],
    "Q b\nh\n": ["i" + END, "j" + END],
}
BEAM_REWARDS = {
    **{"Q a\n": 0.9, "Q b\n": 0.8, "Q c\n": 0.1, "Q d\n": 0.2},
    **{"Q a\ne\n": 0.1, "Q a\nf\n": 0.3, "Q b\ng": 0.5, "Q b\nh\n": 0.6},
    **{"Q b\nh\ni": 0.05, "Q b\nh\nj": 0.2},
}


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

# c = 1. After the root: N(root)=2, a .9, b .1: a by UCT. After a: N(a)=3, Q(a)=(.9+.9+.1)/3=.633, N(root)=4:
# a .633+sqrt(ln4/3)=1.313, b .1+sqrt(ln4)=1.277: a again; below it c, a finished leaf: revisited with .9, so
# N(a)=4, Q(a)=.7, N(root)=5: a .7+sqrt(ln5/4)=1.334, b .1+sqrt(ln5)=1.369: b, at last.
MCTS_TREE = {
    "Q ": ["a\n", "b\n"],
    "Q a\n": ["c" + END, "d" + END],
    "Q b\n": ["e" + END, "f" + END],
}
MCTS_REWARDS = {"Q a\n": 0.9, "Q b\n": 0.1, "Q a\nc": 0.9, "Q a\nd": 0.1, "Q b\ne": 0.5, "Q b\nf": 0.6}


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


class RandomEngine:
    """Steps and rewards that are a function of the seed alone: some steps end, some are cut."""

    def extend(self, requests):
        made = []
        for request in requests:
            rng = stream("engine", request.seed)
            size, finish = int(rng.integers(0, 3)), str(rng.choice(["stop", "stop", "end", "length"]))
            text = "".join(rng.choice(["a", "b"], size)) + ("\n" if finish == "stop" else "")
            if not request.sampling.stop and finish == "stop":
                finish = "end"
            made.append(Extension(tokens_of(text), finish, len(request.prefix), 0))
        return made

    def score(self, requests):
        return [
            Scored(
                tuple(float(stream("reward", r.tokens[: p + 1]).random()) for p in r.positions), len(r.tokens), 0
            )
            for r in requests
        ]


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@given(budget=st.integers(1, 9), width=st.integers(1, 9), root=st.integers(1, 4), order=st.permutations(range(4)), seed=st.integers(0, 99))
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
    assert {f.name for f in dataclasses.fields(Path)} == {"name", "tokens", "ends", "rewards", "finished", "whole"}
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


# --- the scheduler ---


@pytest.mark.parametrize(("name", "rounds"), [("sampling", 1), ("beam", 3), ("mcts", 3)])
def test_engine_calls_do_not_grow_with_the_number_of_questions(name, rounds):
    """Wrong behaviour: one engine call per question and step."""
    count = 25
    trees = {"sampling": {"Q ": ["a\nc" + END]}, "beam": BEAM_TREE, "mcts": MCTS_TREE}
    rewards = {**BEAM_REWARDS, **MCTS_REWARDS} if name == "mcts" else {**MCTS_REWARDS, **BEAM_REWARDS}
    for n in (1, count):
        tree = {k.replace("Q", f"Q{i}"): v for i in range(n) for k, v in trees[name].items()}
        scored = {k.replace("Q", f"Q{i}"): v for i in range(n) for k, v in rewards.items()}
        run = Run(STRATEGIES[name], 3 if name == "mcts" else 4, tree, scored, [f"Q{i} " for i in range(n)])
        assert len(run.policy.calls) == len(run.scorer.calls) == rounds
        assert len(run.results) == n
        assert len({tuple(text_of(p.tokens) for p in paths) for paths, _ in run.results}) == 1


def test_searches_that_end_early_leave_the_others_in_order():
    tree = {"Q0 ": ["a" + END], "Q1 ": ["a\n"], "Q1 a\n": ["b" + END], "Q2 ": ["c" + END]}
    rewards = {"Q0 a": 0.5, "Q1 a\n": 0.5, "Q1 a\nb": 0.5, "Q2 c": 0.5}
    run = Run(beam, 2, tree, rewards, ["Q0 ", "Q1 ", "Q2 "])
    assert [[text_of(p.tokens) for p in paths] for paths, _ in run.results] == [["a"], ["a\nb"], ["c"]]
    assert run.policy.calls == [6, 2]


def test_progress_counts_finished_questions():
    tree = {"Q0 ": ["a" + END], "Q1 ": ["a\n"], "Q1 a\n": ["b" + END]}
    rewards = {"Q0 a": 0.5, "Q1 a\n": 0.5, "Q1 a\nb": 0.5}
    seen = []
    scheduler = Scheduler(ScriptedPolicy(tree), ScriptedScorer(rewards), line_ends, LIMITS, SIZES, 0)
    asked = [(Question(t, "math", t), tokens_of(t)) for t in ("Q0 ", "Q1 ")]
    scheduler.run(asked, lambda: beam(2, params(), 9), lambda done, total: seen.append((done, total)))
    assert seen[-1] == (2, 2) and [d for d, _ in seen] == sorted(d for d, _ in seen)
    assert scheduler.run([], lambda: beam(2, params(), 9)) == []


def test_rewards_are_read_at_the_last_token_of_each_step():
    """Wrong behaviour: inference reads a position other than the one that training put its loss on."""
    from prm_scaling.chains.record import Chain
    from prm_scaling.prm.model import positions

    asked = []

    class Spy(ScriptedScorer):
        def score(self, requests):
            asked.extend(requests)
            return super().score(requests)

    scorer = Spy({"Q a\n": 0.1, "Q a\nbc\n": 0.2, "Q a\nbc\nd": 0.3})
    scheduler = Scheduler(ScriptedPolicy({"Q ": ["a\nbc\nd" + END]}), scorer, line_ends, LIMITS, SIZES, 0)
    ((paths, _),) = scheduler.run([(Question("q", "math", ""), tokens_of("Q "))], lambda: sampling(1, params(), 9))
    assert [text_of(asked[0].tokens[: p + 1]) for p in asked[0].positions] == ["Q a\n", "Q a\nbc\n", "Q a\nbc\nd"]
    chain = Chain("q/0", "q", "math", tokens_of("Q "), paths[0].tokens, paths[0].ends, "", True)
    assert positions(chain) == asked[0].positions


def test_a_scorer_that_returns_another_number_of_rewards_is_refused():
    """Wrong behaviour: scores and steps out of step, silently."""

    class Short(ScriptedScorer):
        def score(self, requests):
            return [dataclasses.replace(r, rewards=r.rewards[:-1]) for r in super().score(requests)]

    scheduler = Scheduler(ScriptedPolicy({"Q ": ["a" + END]}), Short({"Q a": 0.5}), line_ends, LIMITS, SIZES, 0)
    with pytest.raises(ValueError, match="0 rewards for 1 steps"):
        scheduler.run([(Question("q", "math", ""), tokens_of("Q "))], lambda: sampling(1, params(), 9))


def test_without_a_scorer_paths_come_back_unrated():
    scheduler = Scheduler(ScriptedPolicy({"Q ": ["a" + END]}), None, line_ends, LIMITS, SIZES, 0)
    ((paths, ledger),) = scheduler.run([(Question("q", "math", ""), tokens_of("Q "))], lambda: sampling(2, params(), 9))
    assert [p.rewards for p in paths] == [(), ()] and ledger.prm_calls == 0


def test_seeds_belong_to_run_question_and_place_in_the_tree():
    """Wrong behaviour: two samples of one place with one seed, or seeds that follow the order of the work."""

    class Recorder(RandomEngine):
        def __init__(self):
            self.seeds = []

        def extend(self, requests):
            self.seeds += [(text_of(r.prefix), r.seed) for r in requests]
            return super().extend(requests)

    def seeds(questions, seed):
        engine = Recorder()
        scheduler = Scheduler(engine, engine, line_ends, LIMITS, SIZES, seed)
        asked = [(Question(q, "math", ""), tokens_of(q)) for q in questions]
        scheduler.run(asked, lambda: beam(6, params(3), 9))
        assert len({s for _, s in engine.seeds}) == len(engine.seeds)
        return set(engine.seeds)

    assert seeds(["A ", "B "], 0) == seeds(["B ", "A "], 0) == seeds(["A "], 0) | seeds(["B "], 0)
    assert not {s for _, s in seeds(["A "], 0)} & {s for _, s in seeds(["A "], 1)}


# --- the ledger ---


def test_the_ledger_of_a_beam_search_adds_up():
    run = Run(beam, 4, BEAM_TREE, BEAM_REWARDS, width=2)
    ledger = run.ledger
    # Level 1: 4 steps of 2 tokens from "Q " (2). Level 2: from "Q a\n" and "Q b\n" (4 each), tokens 2, 2, 1, 2.
    # Level 3: from "Q b\nh\n" (6), 4 steps of 1 token.
    assert ledger.generated == 4 * 2 + (2 + 2 + 1 + 2) + 4
    assert ledger.prompt_computed == 2 + (4 + 4) + 6
    assert ledger.prompt_reused == 3 * 2 + (4 + 4) + 3 * 6
    assert ledger.policy_calls == 12
    assert ledger.policy_flops == 2 * SIZES[0] * (ledger.generated + ledger.prompt_computed)
    # The PRM reads each distinct path whole: level 1 four of 4; level 2 of 6, 6, 5, 6; level 3 two of 7.
    assert ledger.prm_computed == 4 * 4 + (6 + 6 + 5 + 6) + 2 * 7
    assert ledger.prm_reused == 0 and ledger.prm_calls == 10
    assert ledger.prm_flops == 2 * SIZES[1] * ledger.prm_computed


def test_equal_samples_are_computed_once_by_the_prm():
    run = Run(sampling, 3, {"Q ": ["ab" + END]}, {"Q ab": 0.5})
    assert (run.ledger.generated, run.ledger.prompt_computed, run.ledger.prompt_reused) == (6, 2, 4)
    assert (run.ledger.prm_computed, run.ledger.prm_reused, run.ledger.prm_calls) == (4, 8, 3)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_questions_ledger_does_not_depend_on_the_others(name):
    engine = RandomEngine()
    scheduler = Scheduler(engine, engine, line_ends, LIMITS, SIZES, 0)
    asked = [(Question(f"q{i}", "math", ""), tokens_of(f"Q{i} ")) for i in range(6)]

    def counts(ledger: Ledger) -> dict:
        return {k: v for k, v in ledger.values().items() if not k.endswith("seconds")}

    def search():
        return STRATEGIES[name](4, params(), LIMITS.max_steps)

    together = [counts(ledger) for _, ledger in scheduler.run(asked, search)]
    alone = [counts(scheduler.run([a], search)[0][1]) for a in asked]
    assert together == alone


def test_shares_of_the_time_add_up_to_the_time(monkeypatch):
    import prm_scaling.search.scheduler as module

    clock = iter(range(1000))
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(clock)))
    names = [f"Q{i} " for i in range(3)]
    tree = {k.replace("Q ", n): v for n in names for k, v in BEAM_TREE.items()}
    rewards = {k.replace("Q ", n): v for n in names for k, v in BEAM_REWARDS.items()}
    run = Run(beam, 4, tree, rewards, names)
    # Every call takes one tick: 3 to the policy, 3 to the PRM.
    assert sum(ledger.generate_seconds for _, ledger in run.results) == pytest.approx(3.0)
    assert sum(ledger.score_seconds for _, ledger in run.results) == pytest.approx(3.0)
    assert {f.name for f in dataclasses.fields(Ledger)} == set(run.ledger.values())


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
    with pytest.raises(ValueError):
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
