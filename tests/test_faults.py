"""What may go wrong in a search: each fault has a defined outcome, and a count in the ledger."""

import copy
import json
import math

import numpy as np
import pytest
import torch
from searching import LIMITS, SIZES, Run, last_lines, line_ends, params

from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.faults import out_of_memory
from prm_scaling.engines.interface import Extend, Extension, Sampling, Score
from prm_scaling.engines.scripted import END, ScriptedPolicy, ScriptedScorer, text_of, tokens_of
from prm_scaling.engines.transformers import TransformersPolicy, TransformersScorer
from prm_scaling.engines.translate import TranslatingScorer, same_tokens
from prm_scaling.models.tokenizer import train_tokenizer
from prm_scaling.problems.record import Question
from prm_scaling.search import STRATEGIES
from prm_scaling.search.beam import beam
from prm_scaling.search.kept import Kept
from prm_scaling.search.ledger import FAULTS, Ledger
from prm_scaling.search.path import Path
from prm_scaling.search.sampling import sampling
from prm_scaling.search.scheduler import Limits, Scheduler
from prm_scaling.seeds import seed_of


class Talker(ScriptedPolicy):
    """Says the same again and again, whatever the prefix."""

    def __init__(self, step: str, context: int = 1 << 20):
        super().__init__({}, context)
        self._step = step

    def _follow(self, prefix, nth, sampling):
        most = min(sampling.max_tokens, self.context - len(prefix))
        text = (self._step * 100)[:most] if not sampling.stop else self._step[:most]
        return tokens_of(text), "stop" if sampling.stop and text.endswith(sampling.stop) else "length"


class Parrot:
    """Says the same tokens as every step."""

    context, halvings = 1 << 20, 0

    def __init__(self, tokens: tuple[int, ...]):
        self._tokens = tokens

    def forget(self):
        pass

    def extend(self, requests):
        return [Extension(self._tokens, "stop", len(r.prefix), 0) for r in requests]


class Level(ScriptedScorer):
    """Scores everything alike."""

    def __init__(self):
        super().__init__({})

    def score(self, requests):
        self._rewards = {text_of(r.tokens[: p + 1]): 0.5 for r in requests for p in r.positions}
        return super().score(requests)


def search(policy, scorer, name="beam", questions=("Q ",), limits=LIMITS):
    scheduler = Scheduler(policy, scorer, line_ends, limits, SIZES, 0, last_lines, text_of)
    asked = [(Question(q, "math", q), tokens_of(q)) for q in questions]
    return scheduler.run(asked, lambda: STRATEGIES[name](4, params(), limits.max_steps))


# --- the policy ---


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_policy_that_never_ends_is_stopped_and_counted(name):
    """Wrong behaviour: a search that goes on for ever; an unfinished path that passes for a solution."""
    ((paths, ledger),) = search(Talker("so on\n"), Level(), name)
    assert not any(p.whole for p in paths) and ledger.unfinished == len(paths)
    assert all(p.depth <= LIMITS.max_steps * 4 for p in paths)


@pytest.mark.parametrize("name", ["beam", "mcts", "sampling"])
def test_a_step_that_never_ends_is_cut_and_counted(name):
    limits = Limits(1.0, 5, 3, "\n")
    ((paths, ledger),) = search(Talker("words "), Level(), name, limits=limits)
    assert ledger.cut > 0 and not any(p.whole for p in paths)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_the_separator_alone_is_an_empty_step_that_counts(name):
    """Wrong behaviour: an empty step that is dropped, so that steps and scores differ in number."""
    ((paths, ledger),) = search(Talker("\n"), Level(), name)
    assert ledger.empty_steps > 0 and ledger.empty_steps >= max((p.depth for p in paths), default=0)
    assert not any(p.whole for p in paths)


@pytest.mark.parametrize("name", ["beam", "mcts", "sampling", "rebase"])
def test_a_text_that_ends_before_any_step_has_no_answer_and_is_counted(name):
    """Wrong behaviour: a chain without steps that has the best of all scores, as of an empty minimum."""
    ((paths, ledger),) = search(ScriptedPolicy({"Q ": [END]}), Level(), name)
    assert ledger.stepless > 0
    assert all(p.tokens == () and p.ends == () and p.rewards == () for p in paths)


def test_an_answer_in_the_first_step_is_a_chain_of_one_step():
    ((paths, ledger),) = search(ScriptedPolicy({"Q ": ["#### 5" + END]}), Level())
    assert [(p.depth, p.whole, p.rewards) for p in paths] == [(1, True, (0.5,))]
    assert ledger.stepless == ledger.empty_steps == ledger.cut == ledger.unfinished == 0


def test_pieces_that_are_not_text_are_counted(tokenizer, policy_model, prm_model):
    """Wrong behaviour: a crash, or a step whose end is not found; half a character is a token like any other."""
    half = tokenizer("é", add_special_tokens=False).input_ids[:1]
    assert "\ufffd" in tokenizer.decode(half)
    line = tokenizer("\n", add_special_tokens=False).input_ids

    policy, scorer, segment = Parrot((*half, *line)), TransformersScorer(prm_model), Steps(tokenizer, "\n").ends
    scheduler = Scheduler(policy, scorer, segment, Limits(1.0, 9, 3, "\n"), SIZES, 0, decode=tokenizer.decode)
    ((paths, ledger),) = scheduler.run([(Question("q", "math", ""), (5, 6))], lambda: beam(2, params(), 3))
    assert ledger.garbled == 2 + 2 + 2 and all(len(p.rewards) == p.depth == 3 for p in paths)


def test_a_prompt_that_fills_the_context_is_refused_and_counted():
    """Wrong behaviour: a crash of the whole run for one question, or its prompt silently cut."""
    found = []
    scheduler = Scheduler(Talker("a\n", context=8), Level(), line_ends, LIMITS, SIZES, 0, last_lines, text_of)
    asked = [(Question(q, "math", q), tokens_of(q)) for q in ("long question", "short")]
    results = scheduler.run(asked, lambda: sampling(2, params(), 9), found=lambda *one: found.append(one))
    assert results[0] == ([], Ledger(refused=1))
    paths, ledger = results[1]
    assert ledger.refused == 0 and ledger.cut == 2 and {len(p.tokens) for p in paths} == {3}
    assert [i for i, _, _ in found] == [0, 1]


def test_the_engine_stops_at_the_models_context(policy_model, prm_model, tokenizer):
    """Wrong behaviour: positions that the model was never trained on, without a word."""
    context = policy_model.config.max_position_embeddings
    policy = TransformersPolicy(policy_model, tokenizer, rows=4)
    prefixes = [tuple([7] * n) for n in (context - 3, context, context + 5, 4)]
    made = policy.extend([Extend(p, Sampling(1.0, 1.0, 8), 1) for p in prefixes])
    assert [e.finish for e in made[:3]] == ["length"] * 3 and [len(e.tokens) for e in made] == [3, 0, 0, 8]
    (scored,) = TransformersScorer(prm_model).score([Score(tuple([7] * (context + 2)), (3, context - 1, context + 1))])
    assert np.isnan(scored.rewards).tolist() == [False, False, True]


# --- the PRM ---


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_a_path_without_a_number_is_counted_and_not_scored_as_zero(name):
    """Wrong behaviour: a PRM's NaN that becomes a score of 0, or is the greatest of all."""
    tree = {"Q ": ["a\n", "b\n"], "Q a\n": ["c" + END], "Q b\n": ["d" + END]}
    rewards = {"Q a\n": math.nan, "Q a\nc": math.nan, "Q b\n": 0.3, "Q b\nd": 0.4}
    policy = ScriptedPolicy({**tree, "Q ": ["a\nc" + END, "b\nd" + END]} if name in ("sampling", "router") else tree)
    ((paths, ledger),) = search(policy, ScriptedScorer(rewards), name)
    for path in paths:
        assert path.scored == (not any(map(math.isnan, path.rewards)))
        assert path.scored or text_of(path.tokens).startswith("a")
    if name != "greedy":
        assert ledger.unscored > 0


def test_a_prm_with_other_tokens_reads_the_same_steps(tokenizer, prm_model):
    """Wrong behaviour: positions of the policy's tokens in the PRM's; a step whose last token spans into the next."""
    other = train_tokenizer(["Mia buys five apples.\nSo Mia has 3 + 5 = 8.\n"] * 3, 300)
    assert not same_tokens(tokenizer, other) and same_tokens(other, other)
    question = Question("q", "math", "Mia has 3. <|endoftext|>\n")
    prompt = prompt_tokens(question, tokenizer)
    steps = ["a: Mia buys five.\n", "\n", "b: 3 + 5 = 8.<|pad|>\n", "é #### 8"]
    pieces = [tuple(tokenizer(s, add_special_tokens=False, split_special_tokens=True).input_ids) for s in steps]
    ends = np.cumsum([len(p) for p in pieces]) + len(prompt)

    class Spy(TransformersScorer):
        def score(self, requests):
            self.asked = list(requests)
            return super().score(requests)

    spy = Spy(prm_model)
    scorer = TranslatingScorer(spy, tokenizer, other, {prompt: prompt_tokens(question, other)})
    asked = Score(prompt + sum(pieces, ()), tuple(int(e) - 1 for e in ends), len(prompt), "q")
    (result,) = scorer.score([asked])
    (seen,) = spy.asked
    assert len(result.rewards) == len(steps) == len(seen.positions)
    starts = (0, *(p + 1 for p in seen.positions))
    read = [other.decode(list(seen.tokens[a : b + 1])) for a, b in zip(starts, seen.positions, strict=False)]
    assert read == [question.text + steps[0], *steps[1:]]
    # Control tokens in the text are text to the PRM too.
    assert not {other.eos_token_id, other.pad_token_id} & set(seen.tokens)
    same = TranslatingScorer(spy, tokenizer, tokenizer, {prompt: prompt})
    assert same.score([asked])[0].rewards == pytest.approx(spy.score([asked])[0].rewards, abs=1e-6)
    with pytest.raises(KeyError, match="no translation"):
        scorer.score([Score((1, 2, 3), (2,), 2)])
    # Counted with the search that it happened in.
    for prm, times in ((scorer, 3), (spy, 0)):
        scheduler = Scheduler(Parrot(pieces[0]), prm, Steps(tokenizer, "\n").ends, Limits(1.0, 99, 3, "\n"), SIZES, 0)
        ((paths, ledger),) = scheduler.run([(question, prompt)], lambda: beam(1, params(), 3))
        assert ledger.translated == times and [len(p.rewards) for p in paths] == [3]


# --- memory ---


class Scarce:
    """Makes a model's forward pass fail where it is fed more rows than there is memory for."""

    def __init__(self, model, rows: int, error: BaseException):
        self.model, self.rows, self.error, self.failures = model.base_model, rows, error, 0

    def __enter__(self):
        def check(module, args, kwargs):
            if len(kwargs["input_ids"]) > self.rows:
                self.failures += 1
                raise self.error

        # In the middle: after the first layer has written its keys and values.
        self.handles = [self.model.register_forward_pre_hook(self._note, with_kwargs=True)]
        self.handles.append(self.model.layers[1].register_forward_pre_hook(lambda *_: self._check()))
        return self

    def _note(self, module, args, kwargs):
        self.fed = len(kwargs["input_ids"])

    def _check(self):
        if self.fed > self.rows:
            self.failures += 1
            raise self.error

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()


ERRORS = [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]


@pytest.mark.parametrize("error", ERRORS)
def test_out_of_memory_in_the_middle_halves_the_batch_and_goes_on(policy_model, prm_model, tokenizer, error):
    """Wrong behaviour: a run lost for want of memory; paths that are lost, or begun again with other tokens."""
    prompts = [tuple(range(2, 2 + n)) for n in range(4, 20)]
    asked = [Extend(p, Sampling(1.0, 1.0, 10), seed_of(i), str(i)) for i, p in enumerate(prompts)]
    scores = [Score(p, (len(p) - 1,), 0, str(i)) for i, p in enumerate(prompts)]
    policy, scorer = TransformersPolicy(policy_model, tokenizer, 64), TransformersScorer(prm_model)
    expected, rewards = policy.extend(asked), [r.rewards for r in scorer.score(scores)]
    policy, scorer = TransformersPolicy(policy_model, tokenizer, 64), TransformersScorer(prm_model)
    with Scarce(policy_model, 3, error) as scarce, Scarce(prm_model, 3, error):
        assert [e.tokens for e in policy.extend(asked)] == [e.tokens for e in expected]
        for a, b in zip(scorer.score(scores), rewards, strict=True):
            assert a.rewards == pytest.approx(b, abs=1e-5)
    assert policy.halvings == scarce.failures > 0 and scorer.halvings > 0
    with Scarce(policy_model, 0, error), pytest.raises(type(error)):
        policy.extend(asked)
    # And what was half done then is not kept.
    assert [e.tokens for e in policy.extend(asked)] == [e.tokens for e in expected]


def test_an_error_that_is_not_about_memory_is_not_swallowed(policy_model, tokenizer):
    policy, error = TransformersPolicy(policy_model, tokenizer, 64), RuntimeError("shapes do not match")
    assert not out_of_memory(error) and out_of_memory(MemoryError()) and not out_of_memory(ValueError("memory"))
    with Scarce(policy_model, 1, error), pytest.raises(RuntimeError, match="shapes do not match"):
        policy.extend([Extend((i, 3), Sampling(1.0, 1.0, 4), i) for i in range(2, 6)])
    assert policy.halvings == 0


def test_halvings_are_counted_with_the_questions_under_way():
    class Halved(ScriptedPolicy):
        def extend(self, requests):
            self.halvings += len(self.calls) == 1
            return super().extend(requests)

    tree = {"Q0 ": ["a" + END], "Q1 ": ["a\n"], "Q1 a\n": ["b" + END]}
    results = search(Halved(tree), Level(), questions=("Q0 ", "Q1 "))
    assert [ledger.halvings for _, ledger in results] == [0, 1]


# --- a kill ---


def test_finished_questions_are_not_searched_again(tmp_path):
    """Wrong behaviour: a killed search that begins anew, or one that takes over what other parameters gave."""
    path = Path((0, 1), (5, 6, 7), (2, 3), (0.5, math.nan), True, True, 9, "c", (3, 4))
    kept = Kept(tmp_path / "work", "key")
    kept.add(4, "q1", [path], Ledger(generated=7, generate_seconds=0.5))
    kept.add(8, "q1", [], Ledger(refused=1))
    file = next((tmp_path / "work").iterdir())
    # Killed while it wrote the third.
    file.write_text(file.read_text() + json.dumps({"budget": 4, "question": "q2"})[:-5])
    again = Kept(tmp_path / "work", "key")
    assert set(again.found(4)) == {"q1"} and again.found(8) == {"q1": ([], Ledger(refused=1))}
    (read,), ledger = again.found(4)["q1"]
    assert repr(read) == repr(path) and ledger == Ledger(generated=7, generate_seconds=0.5)
    again.add(4, "q2", [path], Ledger())
    assert set(Kept(tmp_path / "work", "key").found(4)) == {"q1", "q2"}
    assert Kept(tmp_path / "work", "another").found(4) == {}
    assert [p.name for p in (tmp_path / "work").iterdir()] == []
    again.clear()
    assert not (tmp_path / "work").exists()


def test_a_damaged_result_of_a_finished_question_is_not_used(tmp_path):
    """Wrong behaviour: a digit that a disk has changed, as a reward that no PRM ever gave."""
    kept = Kept(tmp_path / "work", "key")
    kept.add(4, "q1", [], Ledger(generated=7))
    kept.add(4, "q2", [], Ledger(generated=8))
    file = next((tmp_path / "work").iterdir())
    text = file.read_text()
    first, rest = text.split("{", 1)
    file.write_text(f"{first}{{{rest.replace('7', '9', 1)}")
    assert set(Kept(tmp_path / "work", "key").found(4)) == {"q2"}


def test_a_search_that_was_killed_ends_as_one_that_was_not(tmp_path):
    tree = {"Q0 ": ["a" + END], "Q1 ": ["a\n"], "Q1 a\n": ["b\n"], "Q1 a\nb\n": ["c" + END]}
    names = ("Q0 ", "Q1 ")
    whole = search(ScriptedPolicy(tree), Level(), questions=names)
    kept = Kept(tmp_path / "work", "key")

    class Killed(ScriptedPolicy):
        def extend(self, requests):
            if len(self.calls) == 2:
                raise KeyboardInterrupt
            return super().extend(requests)

    def run(policy, left):
        scheduler = Scheduler(policy, Level(), line_ends, LIMITS, SIZES, 0, last_lines, text_of)
        asked = [(Question(q, "math", q), tokens_of(q)) for q in left]
        scheduler.run(asked, lambda: beam(4, params(), 9), found=lambda i, *result: kept.add(4, left[i], *result))

    with pytest.raises(KeyboardInterrupt):
        run(Killed(tree), names)
    kept = Kept(tmp_path / "work", "key")
    assert set(kept.found(4)) == {"Q0 "}
    policy = ScriptedPolicy(tree)
    run(policy, ("Q1 ",))
    assert len(policy.calls) == 3
    assert [kept.found(4)[q][0] for q in names] == [paths for paths, _ in whole]


def test_a_copy_of_the_model_is_left_as_it_was(policy_model):
    """The tests above break models only in copies: what they share must stay whole."""
    assert all(p.isfinite().all() for p in copy.copy(policy_model).parameters())


def test_a_run_counts_nothing_where_nothing_is_wrong():
    run = Run(beam, 2, {"Q ": ["a\n"], "Q a\n": ["b" + END]}, {"Q a\n": 0.5, "Q a\nb": 0.5})
    assert not any(run.ledger.values()[name] for name in FAULTS)
