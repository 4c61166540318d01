"""The engine on transformers, with tiny random models in fp32; and the scripted engine that other tests use."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from searching import fed

from prm_scaling.engines.decoding import draw, uniforms
from prm_scaling.engines.interface import Extend, Sampling, Score
from prm_scaling.engines.scripted import END, ScriptedPolicy, ScriptedScorer, text_of, tokens_of
from prm_scaling.engines.stops import StopTexts
from prm_scaling.engines.transformers import TransformersPolicy, TransformersScorer
from prm_scaling.seeds import seed_of

GREEDY = Sampling(temperature=0.0, top_p=1.0, max_tokens=12)
SAMPLED = Sampling(temperature=1.0, top_p=1.0, max_tokens=12)


def ids(tokenizer, text: str) -> tuple[int, ...]:
    return tuple(tokenizer(text, add_special_tokens=False).input_ids)


@pytest.fixture(scope="module")
def prompts(tokenizer):
    texts = [
        "Mia has 3 apples.\na: Mia buys five.\n",
        "Leo has 7.\n",
        "The lamp is red.\na: If red, it goes blue.\n",
        "x",
    ]
    return [ids(tokenizer, text) for text in texts]


@pytest.fixture(scope="module")
def policy(policy_model, tokenizer):
    return TransformersPolicy(policy_model, tokenizer, rows=64)


@pytest.fixture(scope="module")
def requests(prompts):
    return [Extend(p, SAMPLED, seed_of("engine", i, j)) for i, p in enumerate(prompts) for j in range(4)]


# --- extending ---


def test_greedy_is_that_of_generate(policy, policy_model, tokenizer, prompts):
    """Wrong behaviour: positions that count the padding, or a cache whose rows were mixed up."""
    extensions = policy.extend([Extend(p, GREEDY, 0) for p in prompts])
    for prompt, extension in zip(prompts, extensions, strict=True):
        made = policy_model.generate(
            torch.tensor([prompt]), max_new_tokens=12, do_sample=False, pad_token_id=tokenizer.pad_token_id
        )[0, len(prompt) :].tolist()
        ended = tokenizer.eos_token_id in made
        assert extension.tokens == tuple(made[: made.index(tokenizer.eos_token_id)] if ended else made)
        assert extension.finish == ("end" if ended else "length")


def test_the_same_seeds_give_the_same_chains_whatever_the_batch(policy_model, tokenizer, policy, requests):
    """Wrong behaviour: a global seed, so that a chain depends on its neighbours."""
    reference = policy.extend(requests)
    assert len({e.tokens for e in reference}) > len(requests) // 2
    backwards = policy.extend(requests[::-1])[::-1]
    small = TransformersPolicy(policy_model, tokenizer, rows=3).extend(requests)
    single = [policy.extend([r])[0] for r in requests[::5]]
    # Another row that goes on for longer draws more noise; the others' is the same.
    longer = policy.extend([*requests, Extend(requests[0].prefix, Sampling(1.0, 1.0, 40), 7)])[:-1]
    for other in (backwards, small, longer):
        assert [(e.tokens, e.finish) for e in other] == [(e.tokens, e.finish) for e in reference]
    assert [e.tokens for e in single] == [e.tokens for e in reference[::5]]


def test_other_seeds_give_other_chains(policy, prompts):
    extensions = policy.extend([Extend(prompts[0], SAMPLED, seed) for seed in range(8)])
    assert len({e.tokens for e in extensions}) > 4


def test_rows_with_other_sampling_do_not_disturb_each_other(policy, prompts):
    alone = policy.extend([Extend(prompts[0], GREEDY, 0)])[0]
    mixed = policy.extend(
        [Extend(prompts[0], SAMPLED, 1), Extend(prompts[0], GREEDY, 2), Extend(prompts[1], SAMPLED, 3)]
    )
    assert mixed[1].tokens == alone.tokens
    tiny_nucleus = Sampling(temperature=1.0, top_p=1e-6, max_tokens=12)
    assert policy.extend([Extend(prompts[0], tiny_nucleus, 5)])[0].tokens == alone.tokens


def test_equal_prefixes_are_computed_once_and_counted_once(policy, policy_model, prompts, requests):
    """Wrong behaviour: N samples of a question charged with N prompts."""
    policy.forget()
    with fed(policy_model) as shapes:
        extensions = policy.extend(requests)
    assert shapes[0] == (len(prompts), max(map(len, prompts)))
    assert sum(e.computed for e in extensions) == sum(map(len, prompts))
    for request, extension in zip(requests, extensions, strict=True):
        assert extension.computed + extension.reused == len(request.prefix)
        assert 0 in (extension.computed, extension.reused)


def test_a_stop_text_ends_an_extension_and_is_kept(policy, tokenizer, prompts):
    free = policy.extend([Extend(p, Sampling(1.0, 1.0, 40), 11) for p in prompts])
    texts = [tokenizer.decode(list(e.tokens)) for e in free]
    stop = next(c for text in texts for c in text if c.isalpha() and text.index(c) > 0)
    sampling = Sampling(1.0, 1.0, 40, stop=(stop,))
    for extension, whole in zip(policy.extend([Extend(p, sampling, 11) for p in prompts]), free, strict=True):
        text = tokenizer.decode(list(extension.tokens))
        assert extension.tokens == whole.tokens[: len(extension.tokens)]
        if extension.finish == "stop":
            assert stop in text and stop not in tokenizer.decode(list(extension.tokens[:-1]))
        else:
            assert stop not in text and extension.tokens == whole.tokens


def test_extensions_are_as_long_as_asked(policy, tokenizer, prompts):
    limits = [1, 2, 5, 9]
    asked = [Extend(p, Sampling(1.0, 1.0, n), 3) for p, n in zip(prompts, limits, strict=True)]
    for extension, limit in zip(policy.extend(asked), limits, strict=True):
        assert extension.finish == "end" or len(extension.tokens) == limit
        assert len(extension.tokens) <= limit
    assert policy.extend([]) == []


def test_the_end_token_is_not_among_the_tokens(policy_model, tokenizer, prompts):
    class Ends(torch.nn.Module):
        """A head that makes the end of the text as likely as not."""

        def __init__(self, head):
            super().__init__()
            self.head = head

        def forward(self, hidden):
            logits = self.head(hidden)
            logits[..., tokenizer.eos_token_id] = logits.logsumexp(-1)
            return logits

    head = policy_model.lm_head
    policy_model.lm_head = Ends(head)
    try:
        sampling = Sampling(1.0, 1.0, 30)
        extensions = TransformersPolicy(policy_model, tokenizer, 8).extend(
            [Extend(p, sampling, seed) for p in prompts for seed in range(8)]
        )
    finally:
        policy_model.lm_head = head
    assert {e.finish for e in extensions} == {"end"}
    assert not any(tokenizer.eos_token_id in e.tokens for e in extensions)
    assert any(e.tokens == () for e in extensions) and any(len(e.tokens) > 1 for e in extensions)


# --- drawing a token ---


def same(count: int, *values: float) -> list[np.ndarray]:
    return [np.full(count, value, dtype=np.float32) for value in values]


def test_draws_follow_the_softmax():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 12, generator=generator) * 1.5
    count, temperature = 20000, 0.7
    drawn = draw(
        logits.expand(count, -1),
        *same(count, temperature, 1.0),
        uniforms(1, count),
    )
    expected = (logits[0].double() / temperature).softmax(-1).numpy() * count
    observed = np.bincount(drawn.numpy(), minlength=12)
    assert chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > 0.001


def test_top_p_keeps_the_smallest_set_of_that_mass():
    probabilities = torch.tensor([[0.1, 0.5, 0.15, 0.25]])
    for top_p, kept in [(0.4, {1}), (0.5, {1}), (0.51, {1, 3}), (0.75, {1, 3}), (0.8, {1, 2, 3}), (1.0, {0, 1, 2, 3})]:
        count = 2000
        drawn = draw(probabilities.log().expand(count, -1), *same(count, 1.0, top_p), uniforms(2, count))
        assert set(drawn.tolist()) == kept, top_p
        if len(kept) == 1:
            continue
        observed = np.bincount(drawn.numpy(), minlength=4)[sorted(kept)]
        expected = probabilities[0, sorted(kept)].double().numpy()
        assert chisquare(observed, expected / expected.sum() * count).pvalue > 1e-4


@given(
    st.lists(st.lists(st.floats(-30, 30), min_size=5, max_size=5), min_size=1, max_size=4),
    st.sampled_from([0.0, 1e-3, 0.5, 1.0, 5.0]),
    st.sampled_from([1e-6, 0.3, 0.9, 1.0]),
    st.sampled_from([0.0, 0.25, 0.999999, float(np.nextafter(np.float32(1), np.float32(0)))]),
)
def test_a_drawn_token_is_always_one_that_may_be_drawn(rows, temperature, top_p, uniform):
    logits, size = torch.tensor(rows), len(rows)
    drawn = draw(logits, *same(size, temperature, top_p, uniform))
    best = logits.max(-1).values
    for row, token in enumerate(drawn.tolist()):
        assert 0 <= token < 5
        if temperature == 0.0:
            assert token == int(logits[row].argmax())
        if temperature == 0.0 or top_p == 1e-6:
            assert logits[row, token] >= best[row] - 1e-5
        else:
            assert (logits[row] / temperature).softmax(-1)[token] > 0


def test_a_token_of_no_probability_is_not_drawn():
    """Wrong behaviour: the uniform number 0 takes token 0, whatever its probability."""
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf, 0.0]])
    for uniform in (0.0, 0.4999, 0.5, 0.99999994):
        drawn = draw(logits, *same(1, 1.0, 1.0, uniform))
        assert int(drawn) in (1, 3)


@given(st.integers(0, 2**62), st.integers(1, 60), st.integers(1, 60))
def test_the_noise_of_a_token_does_not_depend_on_how_many_follow(seed, a, b):
    """Wrong behaviour: a longer neighbour in the batch changes what a row samples."""
    short, long = sorted((a, b))
    assert (uniforms(seed, long)[:short] == uniforms(seed, short)).all()


@given(pieces=st.lists(st.sampled_from(["a", ".", "\n", "\n\n", " 4", "é", "🙂"]), min_size=1, max_size=8))
@settings(max_examples=30)
def test_stops_are_complete_at_the_token_that_completes_them(tokenizer, stops, pieces):
    tokens = ids(tokenizer, "".join(pieces))
    for stop in ("\n", "\n\n", "🙂", ". "):
        first = next((i for i in range(len(tokens)) if stop in tokenizer.decode(list(tokens[: i + 1]))), None)
        if first is not None and first < StopTexts.TAIL:
            assert stops.complete(tokens[: first + 1], (stop,))
            assert not any(stops.complete(tokens[: i + 1], (stop,)) for i in range(first))
        elif first is None:
            assert not any(stops.complete(tokens[: i + 1], (stop,)) for i in range(len(tokens)))
    assert not stops.complete(tokens, ())


@pytest.fixture(scope="module")
def stops(tokenizer):
    return StopTexts(tokenizer)


# --- scoring ---


@pytest.fixture(scope="module")
def scores(prompts):
    return [Score(p, tuple(range(0, len(p), 2))) for p in prompts]


def plain(prm_model, tokens) -> list[float]:
    with torch.inference_mode():
        return prm_model(input_ids=torch.tensor([tokens])).logits[0, :, 0].sigmoid().tolist()


def test_scores_are_those_of_a_plain_forward_whatever_the_padding(prm_model, scores):
    for tokens in (65536, 40, 1):
        results = TransformersScorer(prm_model, tokens=tokens).score(scores)
        for request, result in zip(scores, results, strict=True):
            every = plain(prm_model, request.tokens)
            assert len(result.rewards) == len(request.positions)
            assert result.rewards == pytest.approx([every[p] for p in request.positions], abs=1e-6)
            assert all(0 <= r <= 1 for r in result.rewards)
    values = [r for result in results for r in result.rewards]
    assert max(values) - min(values) > 0.1


def test_a_score_is_read_at_its_position_and_sees_nothing_after_it(prm_model, prompts):
    """Wrong behaviour: rewards shifted by one, or that change when the solution goes on."""
    scorer, prompt = TransformersScorer(prm_model), prompts[0]
    whole = scorer.score([Score(prompt, tuple(range(len(prompt))))])[0].rewards
    for position in range(len(prompt)):
        (alone,) = scorer.score([Score(prompt[: position + 1], (position,))])
        assert alone.rewards == pytest.approx([whole[position]], abs=1e-6)


def test_equal_sequences_are_scored_once_and_counted_once(prm_model, prompts):
    a, b = prompts[:2]
    asked = [Score(a, (3,)), Score(b, (1,)), Score(a, (2, 3)), Score(a, ()), Score(a, (5,))]
    results = TransformersScorer(prm_model).score(asked)
    # Nothing after the last position is read.
    assert [(r.computed, r.reused) for r in results] == [(4, 0), (2, 0), (0, 4), (0, 0), (2, 4)]
    assert [len(r.rewards) for r in results] == [1, 1, 2, 0, 1]


def test_a_reward_of_zero_is_a_reward(prm_model, prompts):
    """Wrong behaviour: a mask `score != 0`, which drops a step whose probability underflows."""
    saved = prm_model.score.bias.detach().clone() if prm_model.score.bias is not None else None
    assert saved is not None
    with torch.no_grad():
        prm_model.score.bias -= 1e6
    try:
        (result,) = TransformersScorer(prm_model).score([Score(prompts[0], (0, 1, 2))])
    finally:
        with torch.no_grad():
            prm_model.score.bias.copy_(saved)
    assert result.rewards == (0.0, 0.0, 0.0)


def test_weights_that_diverged_give_no_reward(prm_model, prompts):
    """Wrong behaviour: a NaN that sorts somewhere, or becomes 0, unseen."""
    broken = copy.deepcopy(prm_model)
    with torch.no_grad():
        broken.score.weight[0, 0] = torch.nan
    (result,) = TransformersScorer(broken).score([Score(prompts[0], (1, 3))])
    assert np.isnan(result.rewards).all() and len(result.rewards) == 2


def test_a_policy_that_diverged_is_refused(policy_model, tokenizer, prompts):
    """Wrong behaviour: NaN logits, of which the first or the last token of the vocabulary is drawn for ever."""
    broken = copy.deepcopy(policy_model)
    with torch.no_grad():
        broken.model.norm.weight[0] = torch.nan
    for sampling in (GREEDY, SAMPLED):
        with pytest.raises(FloatingPointError, match="weights have diverged"):
            TransformersPolicy(broken, tokenizer, 8).extend([Extend(prompts[0], sampling, 0)])


# --- the scripted engine ---


def test_the_scripted_policy_follows_its_tree():
    policy = ScriptedPolicy({"Q ": ["a\n", "b\n"], "Q a\n": ["1" + END], "Q b\n": ["2\n"], "Q b\n2\n": [END]})
    step, solve = Sampling(1.0, 1.0, 10, stop=("\n",)), Sampling(1.0, 1.0, 10)
    asked = [Extend(tokens_of("Q "), s, 0) for s in (step, step, step, solve, solve)]
    made = [(text_of(e.tokens), e.finish, e.computed, e.reused) for e in policy.extend(asked)]
    assert made == [
        ("a\n", "stop", 2, 0),
        ("b\n", "stop", 0, 2),
        ("a\n", "stop", 0, 2),
        ("b\n2\n", "end", 0, 2),
        ("a\n1", "end", 0, 2),
    ]
    short = Sampling(1.0, 1.0, 3)
    assert [(text_of(e.tokens), e.finish) for e in policy.extend([Extend(tokens_of("Q "), short, 0)])] == [
        ("a\n1", "length")
    ]
    assert policy.calls == [5, 1]
    with pytest.raises(KeyError):
        policy.extend([Extend(tokens_of("other"), step, 0)])


def test_the_scripted_scorer_reads_its_script():
    scorer = ScriptedScorer({"Q a\n": 0.9, "Q a\n1": 0.4})
    request = Score(tokens_of("Q a\n1"), (3, 4))
    results = scorer.score([request, request])
    assert [r.rewards for r in results] == [(0.9, 0.4)] * 2
    assert [(r.computed, r.reused) for r in results] == [(5, 0), (0, 5)]


def test_a_script_read_off_a_checkpoint_is_that_checkpoint(policy_model, prm_model, tokenizer, prompts):
    """Wrong behaviour: a scripted engine that tests use and that ends, scores or counts otherwise than a real one."""
    tree, rewards = {}, {}
    for prompt in prompts:
        made = policy_model.generate(
            torch.tensor([prompt]), max_new_tokens=18, do_sample=False, pad_token_id=tokenizer.pad_token_id
        )[0].tolist()
        assert ord(END) not in made
        whole = text_of(made[: made.index(tokenizer.eos_token_id)] if tokenizer.eos_token_id in made else made)
        end = END if tokenizer.eos_token_id in made else ""
        tree |= {whole[:i]: [whole[i:] + end] for i in range(len(prompt), len(whole) + bool(end))}
        rewards |= {whole[: i + 1]: r for i, r in enumerate(plain(prm_model, tokens_of(whole)))}
    script = ScriptedPolicy(tree), ScriptedScorer(rewards)
    real = TransformersPolicy(policy_model, tokenizer, 8), TransformersScorer(prm_model)
    paths = prompts
    for count in (1, 5, 12):
        asked = [Extend(p, Sampling(0.0, 1.0, count), 0, str(i)) for i, p in enumerate(paths)]
        expected = real[0].extend(asked)
        assert script[0].extend(asked) == expected
        paths = [p + e.tokens for p, e in zip(paths, expected, strict=True)]
        scores = [Score(p, (len(p) - 2, len(p) - 1), 0, str(i)) for i, p in enumerate(paths)]
        for a, b in zip(script[1].score(scores), real[1].score(scores), strict=True):
            assert a.rewards == pytest.approx(b.rewards, abs=1e-3)
            assert (a.computed, a.reused) == (b.computed, b.reused)
