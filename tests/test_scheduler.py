"""The scheduler merges the requests of all searches; the ledger counts what they cost."""

import dataclasses
import gc
import itertools
from contextlib import nullcontext

import pytest
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
    last_lines,
    line_ends,
    params,
)

from prm_scaling.engines.scripted import END, ScriptedPolicy, ScriptedScorer, text_of, tokens_of
from prm_scaling.problems.record import Question
from prm_scaling.search import STRATEGIES
from prm_scaling.search.beam import beam
from prm_scaling.search.ledger import Ledger, Size
from prm_scaling.search.record import Cost
from prm_scaling.search.router import router
from prm_scaling.search.sampling import sampling
from prm_scaling.search.scheduler import Scheduler
from prm_scaling.search.turns import turns

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
    # The question once; then the last token of each step that is continued, all before it being held.
    assert ledger.prompt_computed == 2 + (1 + 1) + 1
    assert ledger.prompt_reused == 3 * 2 + (3 + 4 + 3 + 4) + (5 + 3 * 6)
    assert ledger.policy_calls == 12
    # The PRM: the question and four steps of 2; steps of 2, 2, 1, 2; two steps of 1: each token once.
    assert ledger.prm_computed == 2 + 4 * 2 + (2 + 2 + 1 + 2) + 2
    assert ledger.prm_reused == 3 * 2 + 4 * 4 + 2 * 6 and ledger.prm_calls == 10
    # N is 1000 and 10. Attention, 4 layers width, at 64 and 16 a token of context. The policy's contexts: the question
    # 1 2; level 1: the first token of four steps 3; level 2: last tokens 4 4, then 5 5, of the step that ended 5 and,
    # of the other, 5; level 3: the last token 6 and what ended, 7 7 7 7.
    contexts = (1 + 2) + 4 * 3 + (4 + 4) + 4 * 5 + 6 + 4 * 7
    fed = ledger.prompt_computed + 4 + 4 + 4
    assert ledger.policy_flops == 2 * 1000 * fed + 64 * contexts
    contexts = (1 + 2) + 4 * (3 + 4) + 3 * (5 + 6) + 5 + 2 * 7
    assert ledger.prm_flops == 2 * 10 * ledger.prm_computed + 16 * contexts


@given(st.integers(0, 40), st.integers(0, 40))
def test_flops_are_those_of_each_token(start, count):
    """Wrong behaviour: attention that is charged the same whatever the context."""
    size = Size(1000, 3, 16)
    each = sum(2 * 1000 + 4 * 3 * 16 * (position + 1) for position in range(start, start + count))
    assert size.flops(start, start + count) == each


def test_equal_samples_are_computed_once_by_the_prm():
    run = Run(sampling, 3, {"Q ": ["ab" + END]}, {"Q ab": 0.5})
    assert (run.ledger.generated, run.ledger.prompt_computed, run.ledger.prompt_reused) == (6, 2, 4)
    assert (run.ledger.prm_computed, run.ledger.prm_reused, run.ledger.prm_calls) == (4, 8, 3)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_questions_ledger_does_not_depend_on_the_others(name):
    engine = RandomEngine()
    scheduler = Scheduler(engine, engine, line_ends, LIMITS, SIZES, 0, last_lines)
    asked = [(Question(f"q{i}", "math", ""), tokens_of(f"Q{i} ")) for i in range(6)]

    def counts(ledger: Ledger) -> dict:
        return {k: v for k, v in ledger.values().items() if not k.endswith("seconds")}

    def search():
        return STRATEGIES[name](4, params(), LIMITS.max_steps)

    together = [counts(ledger) for _, ledger in scheduler.run(asked, search)]
    alone = [counts(scheduler.run([a], search)[0][1]) for a in asked]
    assert together == alone


def test_shares_of_the_time_add_up_to_the_time():
    """Wrong behaviour: seconds that nobody is charged, or that two are."""
    ticks = itertools.count()
    names = [f"Q{i} " for i in range(3)]
    tree = {k.replace("Q ", n): v for n in names for k, v in BEAM_TREE.items()}
    rewards = {k.replace("Q ", n): v for n in names for k, v in BEAM_REWARDS.items()}
    run = Run(beam, 4, tree, rewards, names, clock=lambda: float(next(ticks)))
    # Every call takes one tick: 3 to the policy, 3 to the PRM. A round asks the clock four times: three ticks, of
    # which one is the engine's.
    assert sum(ledger.generate_seconds for _, ledger in run.results) == pytest.approx(3.0)
    assert sum(ledger.score_seconds for _, ledger in run.results) == pytest.approx(3.0)
    assert sum(ledger.scheduler_seconds for _, ledger in run.results) == pytest.approx(6 * 2.0)
    assert {f.name for f in dataclasses.fields(Ledger)} == set(run.ledger.values())


def test_the_time_of_telling_answers_apart_is_its_own():
    """Wrong behaviour: it is charged to the scheduler, or to nobody."""
    ticks = itertools.count()
    names = ["Q0 ", "Q1 "]
    tree = {n: ["x" + END] for n in names}
    rewards = {f"{n}x": 0.9 for n in names}
    run = Run(router, 2, tree, rewards, names, clock=lambda: float(next(ticks)))
    # Two samples agree, so it stops: one call to the policy, one to the PRM, one for both questions' answers.
    spent = {part: [getattr(x, f"{part}_seconds") for _, x in run.results] for part in ("generate", "score", "verify")}
    assert spent == {part: pytest.approx([0.5, 0.5]) for part in spent}
    assert sum(ledger.scheduler_seconds for _, ledger in run.results) == pytest.approx(3 * 2.0)


def test_the_collector_of_garbage_is_left_as_it_was():
    """Wrong behaviour: objects that are never freed again after a search, also after one that fails."""
    frozen = []

    class Watched(ScriptedPolicy):
        def extend(self, requests):
            frozen.append(gc.get_freeze_count())
            return super().extend(requests)

    scheduler = Scheduler(Watched({"Q ": ["a" + END]}), None, line_ends, LIMITS, SIZES, 0)
    for text, ends in (("Q ", nullcontext()), ("no script ", pytest.raises(KeyError))):
        with ends:
            scheduler.run([(Question("q", "math", ""), tokens_of(text))], lambda: sampling(1, params(), 9))
        assert frozen.pop() > 0 and gc.get_freeze_count() == 0


def test_a_cost_record_has_every_count_of_a_ledger():
    """Wrong behaviour: a count that is made and not kept."""
    assert Cost("beam", 4, "q", **Ledger().values()).halvings == 0


# --- times ---


def test_strategies_take_turns_while_they_are_timed():
    """Wrong behaviour: all repeats of one strategy in a row, or one order in which somebody is always the first."""
    runs = [(name, budget) for name in ("sampling", "beam", "mcts") for budget in (4, 8)]
    taken = list(turns(runs, 3, seed=0))
    rounds = [[run for repeat, run in taken if repeat == i] for i in range(3)]
    assert [repeat for repeat, _ in taken] == [i for i in range(3) for _ in runs]
    assert all(sorted(order) == sorted(runs) for order in rounds)
    assert len({tuple(order) for order in rounds}) == 3 and runs not in rounds
    assert taken == list(turns(runs, 3, seed=0)) != list(turns(runs, 3, seed=1))
