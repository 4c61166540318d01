"""Judges whose verdicts stand between a chain's own steps, as pre-training writes them."""

import dataclasses

import pytest
from annotating import chain_of, ids
from conftest import DOMAINS, embedded
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import flawed

from prm_scaling.annotate import judge
from prm_scaling.annotate.judge import Critique, without_separator
from prm_scaling.annotate.record import Annotation, labels_until
from prm_scaling.chains.record import Chain
from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.interface import Extension
from prm_scaling.models import documents
from prm_scaling.models.tokenizer import train_tokenizer
from prm_scaling.problems.world.solutions import CHECK, RIGHT, WRONG
from prm_scaling.problems.world.truth import domain_of, truth_of
from prm_scaling.seeds import stream


def critique_of(verdicts: list[str], steps: int) -> Critique:
    return Critique(chain_of(["a"]), ["s"] * steps, (), verdicts)


@pytest.mark.parametrize(
    ("verdicts", "steps", "first_error"),
    [
        ([RIGHT, RIGHT], 2, -1),
        ([RIGHT, WRONG], 3, 1),
        ([WRONG], 1, 0),
        ([RIGHT, WRONG, RIGHT], 3, -1),  # taken back
        ([WRONG, WRONG], 3, 0),  # not taken back: the error is the first of them
        ([RIGHT], 2, None),  # broken off
        ([RIGHT, " okay"], 2, None),
        ([RIGHT, ""], 2, None),
        (["I cannot judge this."], 1, None),
        ([RIGHT + RIGHT], 1, None),
        ([], 0, None),
        ([], 3, None),
    ],
)
def test_only_a_whole_critique_is_a_verdict(verdicts, steps, first_error):
    """Wrong behaviour: garbage, a refusal or a broken-off critique counted as "no error"."""
    assert critique_of(verdicts, steps).first_error == first_error


@given(st.lists(st.sampled_from([RIGHT, WRONG]) | st.text(max_size=6), max_size=5), st.integers(0, 5))
def test_any_text_is_a_verdict_or_none(verdicts, steps):
    first_error = critique_of(verdicts, max(steps, len(verdicts))).first_error
    assert first_error is None or -1 <= first_error < max(steps, len(verdicts))
    if any(v not in (RIGHT, WRONG) for v in verdicts):
        assert first_error is None


class OracleJudge:
    """Judges by the truth: what a judge without noise would say."""

    def __init__(self, tokenizer, right: dict[tuple[str, str], bool]):
        """``right``: (the problem, its critique so far up to and including a step) -> whether that step is right."""
        self._tokenizer, self._right, self.calls = tokenizer, right, []

    def extend(self, requests):
        self.calls.append(len(requests))
        result = []
        for request in requests:
            assert request.sampling.temperature == 0.0
            text = self._tokenizer.decode(list(request.prefix))
            asked = [k for k in self._right if text.startswith(k[0]) and text.endswith(k[1])]
            # The longest, where one is the end of another.
            verdict = RIGHT if self._right[max(asked, key=lambda k: len(k[1]))] else WRONG
            tokens = tuple(self._tokenizer(verdict, add_special_tokens=False).input_ids)
            result.append(Extension(tokens, "stop", len(request.prefix), 0))
        return result


@pytest.mark.parametrize("domain", DOMAINS)
@given(errors=st.sampled_from([0.0, 0.3, 1.0]), seed=st.integers(0, 1000))
@settings(max_examples=15)
def test_a_judge_without_noise_names_the_true_first_error(domain, tokenizer, errors, seed):
    """Wrong behaviour: the last of several wrong steps at the end, where corrections failed."""
    steps, chains, expected, verdicts = Steps(tokenizer, "\n"), [], [], {}
    world = domain_of(domain, 11)
    for problem in embedded(domain)[:6]:
        rng = stream("judge", seed, problem.id)
        lines = flawed(problem, rng, errors, 0.4)
        # A correction that fails: the wrong step again, marked.
        lines = [x for line in lines for x in ([line, world.correction(line)] if rng.random() < 0.2 else [line])]
        truth = truth_of(problem, lines)
        prompt = prompt_tokens(problem.question, tokenizer)
        tokens = tuple(tokenizer("\n".join(lines), add_special_tokens=False).input_ids)
        chains.append(Chain(f"{problem.id}/0", problem.id, domain, prompt, tokens, steps.ends(tokens), "", True))
        expected.append((truth, lines))
        text = "\n"
        for line, right in zip(lines, truth.on_track, strict=True):
            text += line
            verdicts[problem.text.removesuffix("\n"), text] = right
            text += (RIGHT if right else WRONG) + "\n"
    engine = OracleJudge(tokenizer, verdicts)
    taken_back = lambda chain, step: world.is_correction(step)  # noqa: E731
    annotations = judge.annotate(chains, "oracle", engine, tokenizer, steps, taken_back, "\n")
    for annotation, (truth, lines) in zip(annotations, expected, strict=True):
        # It stops at an error that the next step does not say that it takes back.
        stops = [
            i
            for i, right in enumerate(truth.on_track)
            if not right and not (i + 1 < len(lines) and truth.corrections[i + 1])
        ]
        judged = truth.on_track[: stops[0] + 1] if stops else truth.on_track
        first = len(judged)
        while first and not judged[first - 1]:
            first -= 1
        assert annotation.first_error == (first if first < len(judged) else -1)
        if not any(truth.on_track[stops[0] :] if stops else ()):
            assert annotation.first_error == truth.first_error
        assert annotation.labels == labels_until(annotation.first_error, len(lines))
        assert annotation.annotator == "oracle"
    assert engine.calls[0] == len(chains) and len(engine.calls) <= max(len(lines) for _, lines in expected)


def test_a_judge_that_babbles_gives_no_label(tokenizer):
    class Babbler:
        def extend(self, requests):
            babble = tuple(tokenizer(" a: 5", add_special_tokens=False).input_ids)
            return [Extension(babble, "length", 0, 0) for _ in requests]

    steps = Steps(tokenizer, "\n")
    tokens = tuple(tokenizer("3 + 5 = 8\n#### 8", add_special_tokens=False).input_ids)
    chain = Chain("q/0", "q", "math", (5,), tokens, steps.ends(tokens), "", True)
    empty = dataclasses.replace(chain, tokens=(), ends=())
    made = judge.annotate([chain, empty], "j", Babbler(), tokenizer, steps, lambda c, s: False, "\n")
    assert [(a.first_error, a.labels) for a in made] == [(None, ()), (None, ())]


class Saying:
    """Gives the same verdict on every chain, another each round, and remembers what it was asked."""

    def __init__(self, tokenizer, verdicts: list[str]):
        self._tokens = iter([ids(tokenizer, verdict) for verdict in verdicts])
        self.read: list[tuple[int, ...]] = []

    def extend(self, requests):
        self.read += [request.prefix for request in requests]
        verdict = next(self._tokens)
        return [Extension(verdict, "stop", 0, 0) for _ in requests]


def judged(chain: Chain, verdicts: list[str], tokenizer, separator: str) -> tuple[Annotation, list[tuple[int, ...]]]:
    """What a judge with these verdicts, one a step, says of a chain, and what it read each time."""
    saying = Saying(tokenizer, verdicts)
    (annotation,) = judge.annotate(
        [chain], "j", saying, tokenizer, Steps(tokenizer, separator), lambda chain, step: True, separator
    )
    return annotation, saying.read


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_judge_reads_what_it_was_trained_on(domain, tokenizer):
    """Wrong behaviour: other tokens between a step and its verdict than in pre-training."""
    for seed, problem in enumerate(embedded(domain)[:10]):
        text = documents.write_document(problem, seed, 1.0, 0.0, 0.0, 0.4, 0.0, 0.0, 0.0)
        (document,) = documents.tokenize([text], tokenizer)
        steps, verdicts = ([piece.text for piece in text[1][i::3]] for i in (1, 2))
        tokens = ids(tokenizer, "\n".join(steps))
        ends = Steps(tokenizer, "\n").ends(tokens)
        chain = Chain("q/0", "q", domain, prompt_tokens(problem.question, tokenizer), tokens, ends, "", True)
        annotation, read = judged(chain, verdicts, tokenizer, "\n")
        assert read[-1] + ids(tokenizer, verdicts[-1]) == document.tokens[:-1]
        assert annotation.text == "".join(piece.text for piece in text[1][1:])


def test_a_judge_reads_the_chains_own_tokens(tokenizer):
    """Wrong behaviour: a step read in other tokens than those in which it was sampled."""
    texts = ["a: + 5", "", "wait, 3 + 5 = 8", "#### 8"]
    # Character by character, as no tokenizer would write it but a sampler may.
    own = [tuple(t for character in text for t in ids(tokenizer, character)) for text in texts]
    line_break = ids(tokenizer, "\n")
    tokens = own[0] + sum((line_break + step for step in own[1:]), ())
    ends = Steps(tokenizer, "\n").ends(tokens)
    assert all(ids(tokenizer, text) != step for text, step in zip(texts, own, strict=True) if text)
    annotation, read = judged(Chain("q/0", "q", "math", (5,), tokens, ends, "", True), [RIGHT] * 4, tokenizer, "\n")
    expected = (5, *ids(tokenizer, CHECK))
    for prefix, step in zip(read, own, strict=True):
        expected += step
        assert prefix == expected
        expected += ids(tokenizer, RIGHT) + line_break
    assert annotation.first_error == -1 and annotation.text == "\n".join(text + RIGHT for text in texts)


@pytest.fixture(scope="module")
def merging():
    """A tokenizer with a token that ends a sentence and a step at once, as Qwen2.5's has."""
    made = train_tokenizer(["one two. ok wrong\n"] * 5, 300)
    made.add_tokens([".\n\n"])
    return made


def test_a_step_that_shares_a_token_with_its_separator_is_read_with_it(merging):
    """Wrong behaviour: half a token, so that the chain's text has to be tokenized again."""
    tokens = ids(merging, "one.\n\ntwo\n\none. two")
    merged, ends = ids(merging, ".\n\n"), Steps(merging, "\n\n").ends(tokens)
    assert len(merged) == 1 and merged[0] in tokens and len(ends) == 3
    chain = Chain("q/0", "q", "math", ids(merging, "Q "), tokens, ends, "", True)
    annotation, read = judged(chain, [RIGHT, RIGHT, WRONG], merging, "\n\n")
    assert [merging.decode(list(prefix)) for prefix in read] == [
        f"Q {CHECK}one.\n\n",
        f"Q {CHECK}one.\n\n{RIGHT}\n\ntwo",
        f"Q {CHECK}one.\n\n{RIGHT}\n\ntwo{RIGHT}\n\none. two",
    ]
    assert read[0][-1] == merged[0] and read[-1][-len(tokens[ends[1] :]) :] == tokens[ends[1] :]
    assert annotation.first_error == 2


@given(text=st.text("ab.\n ки", max_size=8), separator=st.sampled_from(["\n", "\n\n", ".\n\n", "ab", "ки", " \n"]))
def test_of_a_step_the_separator_alone_is_left_out(merging, text, separator):
    for step in (ids(merging, text), ids(merging, text + separator), ids(merging, text) + ids(merging, separator)):
        left = without_separator(step, separator, merging)
        assert step[: len(left)] == left
        gone, decoded = merging.decode(list(step[len(left) :])), merging.decode(list(step))
        assert gone in ("", separator)
        # Only for a token across the border does a separator stay.
        borders = {merging.decode(list(step[i:])) for i in range(len(step))}
        assert bool(gone) == (separator in borders), decoded
