"""Step labels: Monte Carlo with binary search, judges, consensus."""

import dataclasses
import math

import pytest
from conftest import DOMAINS, embedded
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import flawed

from prm_scaling.annotate import human, judge, monte_carlo
from prm_scaling.annotate.consensus import consensus
from prm_scaling.annotate.judge import Critique, without_separator
from prm_scaling.annotate.monte_carlo import Bisection
from prm_scaling.annotate.record import Annotation, labels_until
from prm_scaling.annotate.select import select
from prm_scaling.chains.record import Chain
from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.interface import Extend, Extension, Sampling
from prm_scaling.engines.scripted import END, ScriptedPolicy, text_of, tokens_of
from prm_scaling.models import documents
from prm_scaling.models.tokenizer import train_tokenizer
from prm_scaling.problems.world.solutions import CHECK, RIGHT, WRONG
from prm_scaling.problems.world.truth import domain_of, truth_of
from prm_scaling.seeds import seed_of, stream

SAMPLING = Sampling(temperature=1.0, top_p=1.0, max_tokens=50)


def chain_of(steps: list[str], name: str = "q/0", prompt: str = "Q ", finished: bool = True) -> Chain:
    """A chain over code points; each step ends with a line break but the last."""
    text = "\n".join(steps)
    tokens = tokens_of(text)
    ends = tuple(i + 1 for i, c in enumerate(text) if c == "\n") + ((len(text),) if steps and steps[-1] else ())
    return Chain(name, name.split("/")[0], "math", tokens_of(prompt), tokens, ends, text, finished)


def grade_right(answers) -> list[bool]:
    """Right is what ends with an exclamation mark and was finished."""
    return [finished and text_of(tokens).endswith("!") for _, tokens, finished in answers]


# --- binary search ---


def bisect(steps: int, hopeful) -> Bisection:
    search = Bisection(0, steps - 1)
    while not search.done:
        search.tell(0, hopeful(search.middle))
    return search


@given(st.integers(1, 200), st.data())
def test_bisection_finds_the_first_error_of_a_monotone_oracle(steps, data):
    first_error = data.draw(st.integers(0, steps - 1))
    search = bisect(steps, lambda step: step < first_error)
    assert search.low == first_error
    assert len(search.probed) <= math.ceil(math.log2(steps))
    assert len(set(search.probed)) == len(search.probed) == len(search.correct)


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_bisection_ends_at_a_hopeless_step_after_a_hopeful_one_also_where_hope_returns(hopes):
    """A non-monotone oracle: what is found is an error, if not the first; the probes tell which it was."""
    hopes[-1] = False  # the chain's own answer is wrong
    search = bisect(len(hopes), lambda step: hopes[step])
    assert not hopes[search.low] and (search.low == 0 or hopes[search.low - 1])
    assert all(hopes[p] == (p < search.low) for p in search.probed)


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_failures_of_the_assumption_can_be_counted_from_what_is_kept(hopes):
    """Where the search misses the first hopeless step, some hopeless step stands before the one it found."""
    hopes[-1] = False
    found = bisect(len(hopes), lambda step: hopes[step]).low
    monotone = sorted(hopes, reverse=True) == hopes
    assert found == hopes.index(False) or not monotone


# --- Monte Carlo ---

# Eight rollouts after "a": 3 right; after "a b": 1 right; after "a b c": none.
ROLLOUTS = {
    "Q a\n": ["x!" + END, "x" + END] * 3 + ["y" + END] * 2,
    "Q a\nb\n": ["x!" + END] + ["x" + END] * 6 + ["!" * 100],  # the last is never finished
    "Q a\nb\nc\n": ["x" + END],
}


def label(chains: list[Chain], threshold: float, tree=None, rollouts: int = 8, seed: int = 0) -> list[Annotation]:
    policy = ScriptedPolicy(ROLLOUTS if tree is None else tree)
    return monte_carlo.annotate(chains, policy, grade_right, rollouts, threshold, SAMPLING, seed)


def test_rollouts_are_counted_and_kept():
    wrong = chain_of(["a", "b", "c", "d"])
    (annotation,) = label([wrong], 0.0)
    # 4 steps: after b (1 of 8 right: hope), after c (none): the first error is c.
    assert annotation == Annotation(
        "q/0", "monte_carlo", 2, (1.0, 1.0, 0.0, 0.0), rollouts=8, probed=(1, 2), correct=(1, 0), seed=0
    )


@pytest.mark.parametrize(
    ("threshold", "first_error", "probed", "correct"),
    [(0.0, 2, (1, 2), (1, 0)), (1 / 8, 1, (1, 0), (1, 3)), (0.3, 1, (1, 0), (1, 3)), (3 / 8, 0, (1, 0), (1, 3))],
)
def test_a_prefix_is_right_if_more_than_the_threshold_is(threshold, first_error, probed, correct):
    (annotation,) = label([chain_of(["a", "b", "c", "d"])], threshold)
    assert (annotation.first_error, annotation.probed, annotation.correct) == (first_error, probed, correct)


@pytest.mark.parametrize(("right", "rollouts"), [(29, 100), (57, 100), (29, 50), (7, 25), (1, 3), (7, 10)])
def test_a_share_equal_to_the_threshold_is_not_more(right, rollouts):
    """Wrong behaviour: `int(0.29 * 100)` is 28, and 29 of 100 counts as more than 0.29."""
    tree = {"Q a\n": ["x!" + END] * right + ["x" + END] * (rollouts - right)}
    chain = chain_of(["a", "b"])
    assert label([chain], right / rollouts, tree, rollouts)[0].first_error == 0
    assert label([chain], (right - 1) / rollouts, tree, rollouts)[0].first_error == 1


def test_a_chain_whose_answer_is_right_has_no_error_and_costs_nothing():
    policy = ScriptedPolicy(ROLLOUTS)
    chains = [chain_of(["a", "b!"]), chain_of(["a", "b!"], "q/1", finished=False)]
    right, unfinished = monte_carlo.annotate(chains, policy, grade_right, 8, 0.0, SAMPLING, 0)
    assert (right.first_error, right.labels, right.probed) == (-1, (1.0, 1.0), ())
    # Unfinished is not right, whatever stands at its end.
    assert unfinished.first_error == 1
    assert policy.calls == [8]


def test_a_chain_without_steps_has_no_label():
    (annotation,) = label([chain_of([])], 0.0)
    assert annotation.first_error is None and annotation.labels == ()


def test_a_chain_of_one_step_needs_no_rollout():
    policy = ScriptedPolicy({})
    (annotation,) = monte_carlo.annotate([chain_of(["a"])], policy, grade_right, 8, 0.0, SAMPLING, 0)
    assert (annotation.first_error, annotation.probed) == (0, ()) and policy.calls == []


def test_all_chains_advance_together():
    """Wrong behaviour: as many engine calls as chains."""
    policy = ScriptedPolicy({f"Q{i} a\n{tail}": ["x" + END] for i in range(9) for tail in ("", "b\n", "b\nc\n")})
    chains = [chain_of(["a", "b", "c", "d"], f"q{i}/0", f"Q{i} ") for i in range(9)]
    annotations = monte_carlo.annotate(chains, policy, grade_right, 4, 0.0, SAMPLING, 0)
    assert policy.calls == [9 * 4, 9 * 4]
    assert [a.chain for a in annotations] == [c.id for c in chains]


class Recording:
    """A policy that ends every text at once and remembers what it was asked."""

    def __init__(self):
        self.asked: list[Extend] = []

    def extend(self, requests):
        self.asked += requests
        return [Extension((), "end", 0, 0) for _ in requests]


def test_rollout_seeds_belong_to_chain_step_and_rollout():
    """Wrong behaviour: seeds by order of work, or one seed for all rollouts of a prefix."""
    chains = [chain_of(["a", "b", "c"], f"q/{i}") for i in range(3)]
    seeds = []
    for order in (chains, chains[::-1]):
        policy = Recording()
        monte_carlo.annotate(order, policy, grade_right, 4, 0.0, SAMPLING, 7)
        seeds.append({(text_of(r.prefix), r.seed) for r in policy.asked})
        assert len({r.seed for r in policy.asked}) == len(policy.asked)
    assert seeds[0] == seeds[1]
    assert {s for _, s in seeds[0]} >= {seed_of(7, "q/0", 1, j) for j in range(4)}


# --- labels ---


@given(st.integers(1, 20), st.data())
def test_labels_turn_wrong_at_the_first_error_and_stay_so(steps, data):
    first_error = data.draw(st.integers(-1, steps - 1))
    labels = labels_until(first_error, steps)
    assert len(labels) == steps and all(type(x) is float for x in labels)
    assert (list(labels).index(0.0) if 0.0 in labels else -1) == first_error
    assert sorted(labels, reverse=True) == list(labels)


@pytest.mark.parametrize(("first_error", "steps"), [(3, 3), (-2, 3), (0, 0)])
def test_a_first_error_outside_of_the_chain_is_refused(first_error, steps):
    with pytest.raises(ValueError, match="is not a step of"):
        labels_until(first_error, steps)


@pytest.mark.parametrize("domain", DOMAINS)
def test_human_labels_are_the_truth_of_every_step(domain, tokenizer):
    steps = Steps(tokenizer, "\n")
    made, expected = [], []
    problems = {p.id: p for p in embedded(domain)}
    for problem in problems.values():
        lines = flawed(problem, stream("human", problem.id), 0.4, 0.3)
        tokens = tuple(tokenizer("\n".join(lines), add_special_tokens=False).input_ids)
        prompt = prompt_tokens(problem.question, tokenizer)
        made.append(Chain(f"{problem.id}/0", problem.id, domain, prompt, tokens, steps.ends(tokens), "", True))
        expected.append(truth_of(problem, lines))
    empty = dataclasses.replace(made[0], tokens=(), ends=())
    annotations = human.annotate([*made, empty], problems, steps)
    for annotation, truth in zip(annotations, expected, strict=False):
        assert annotation.first_error == truth.first_error
        assert annotation.labels == tuple(float(x) for x in truth.on_track)
    assert annotations[-1].labels == ()


# --- judges ---


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


def ids(tokenizer, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text, add_special_tokens=False).input_ids)


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


# --- consensus ---


def said(annotator: str, *first_errors: int | None) -> list[Annotation]:
    return [
        Annotation(f"q/{i}", annotator, e, () if e is None else labels_until(e, 3)) for i, e in enumerate(first_errors)
    ]


def test_consensus_keeps_only_full_agreement():
    kept = consensus([said("a", 0, 1, -1, None, 2), said("b", 0, 2, -1, None, 2), said("c", 0, 1, -1, None, None)])
    assert [(a.chain, a.annotator, a.first_error) for a in kept] == [("q/0", "consensus", 0), ("q/2", "consensus", -1)]
    assert kept[0].labels == (0.0, 0.0, 0.0) and kept[1].labels == (1.0, 1.0, 1.0)


annotators = st.lists(st.lists(st.sampled_from([None, -1, 0, 1, 2]), min_size=4, max_size=4), min_size=1, max_size=4)


@given(annotators)
def test_consensus_by_property(errors):
    lists = [said(str(i), *row) for i, row in enumerate(errors)]
    kept = {a.chain: a.first_error for a in consensus(lists)}
    for i in range(4):
        column = {row[i] for row in errors}
        agreed = len(column) == 1 and column != {None}
        assert (f"q/{i}" in kept) == agreed
        if agreed:
            assert kept[f"q/{i}"] == errors[0][i]
    assert consensus(lists[::-1]) == consensus(lists)


def test_consensus_refuses_annotations_of_other_chains():
    """Wrong behaviour: labels of one chain on another."""
    with pytest.raises(ValueError, match="order of chains"):
        consensus([said("a", 0, 1), said("b", 0, 1)[::-1]])
    with pytest.raises(ValueError, match="shorter"):
        consensus([said("a", 0, 1), said("b", 0)])


# --- training sets ---


def labelled(name: str, count: int) -> list[Annotation]:
    return [Annotation(f"{name}/{i}", name, 0, labels_until(0, 2)) for i in range(count)]


def test_training_sets_are_of_equal_size_and_hold_labelled_chains_alone():
    """Wrong behaviour: data sets compared at different sizes."""
    sets = {"a": [*labelled("a", 9), Annotation("a/none", "a", None, ())], "b": labelled("b", 5)}
    chosen = select(sets, most=100, seed=0)
    assert {name: len(rows) for name, rows in chosen.items()} == {"a": 5, "b": 5}
    assert {row.chain for row in chosen["b"]} == {f"b/{i}" for i in range(5)}
    assert "a/none" not in {row.chain for row in chosen["a"]}
    assert len({row.chain for row in chosen["a"]}) == 5
    assert select(sets, 100, 0) == chosen != select(sets, 100, 1)
    assert {len(rows) for rows in select(sets, 3, 0).values()} == {3}
    with pytest.raises(ValueError, match=r"train\.sets\.b: no chain is left"):
        select({"a": labelled("a", 3), "b": [Annotation("b/0", "b", None, ())]}, 3, 0)


def test_one_training_set_alone_is_cut_too():
    assert len(select({"a": labelled("a", 9)}, 4, 0)["a"]) == 4
