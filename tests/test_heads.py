"""Heads: each comes back from its checkpoint, learns at labelled steps only, and goes on any causal LM."""

import json
import math

import pytest
import torch
from conftest import tiny
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2ForCausalLM,
)

from prm_scaling.chains.record import Chain
from prm_scaling.engines.interface import Score
from prm_scaling.engines.transformers import TransformersScorer
from prm_scaling.models.batches import padded
from prm_scaling.prm.heads import load_reward_model
from prm_scaling.prm.model import example, fingerprint, load_prm, new_prm, step_loss, weighted_step_loss

CHAIN = Chain("q/0", "q", "math", (5, 6), (7, 8, 9, 10, 11), (2, 4, 5), "", True)
HEADS = ["value", "pair", "outcome"]
SMALL = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
BASES = {
    "qwen2": lambda tokenizer: tiny(tokenizer, Qwen2ForCausalLM, seed=1),
    "llama": lambda _: LlamaForCausalLM(LlamaConfig(**SMALL)),
    # Its weights and its decoder have other names, and transformers' token classifier another head.
    "gpt2": lambda _: GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=16, n_layer=1, n_head=2, n_positions=64)),
}


@pytest.fixture(scope="module")
def bases(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    for name, make in BASES.items():
        torch.manual_seed(0)
        make(tokenizer).save_pretrained(folder / name)
    return folder


def raw(model, tokens) -> torch.Tensor:
    """(tokens, labels), by transformers' own forward pass."""
    with torch.no_grad():
        return model.eval()(input_ids=torch.tensor([tokens])).logits[0]


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("head", HEADS)
def test_a_head_on_any_causal_lm_is_given_back_by_its_checkpoint(head, base, bases, tmp_path):
    model = new_prm(bases / base, 3, head)
    lm = dict(AutoModelForCausalLM.from_pretrained(bases / base, dtype=torch.float32).base_model.named_parameters())
    assert all(torch.equal(weight, lm[name]) for name, weight in model.base_model.named_parameters())
    model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").is_file()
    again = load_reward_model(tmp_path)
    assert type(again) is type(model) and torch.equal(raw(again, range(9)), raw(model, range(9)))
    assert raw(model, range(9)).shape == (9, 2 if head == "pair" else 1)


@pytest.mark.parametrize("head", HEADS)
def test_scores_are_the_heads_own_probabilities_with_and_without_kept_keys(head, bases):
    """Wrong behaviour: the sigmoid of one of a pair's logits; scores that depend on what was read before."""
    model = new_prm(bases / "qwen2", 3, head)
    tokens = tuple(range(5, 25))
    logits = raw(model, tokens)
    expected = logits.softmax(-1)[:, 1] if head == "pair" else logits[:, 0].sigmoid()
    scorer = TransformersScorer(model)
    first, second = (scorer.score([Score(tokens[:n], (4, n - 1), tree="q")])[0] for n in (12, 20))
    assert (second.computed, second.reused) == (8, 12)
    assert [*first.rewards, *second.rewards] == pytest.approx(expected[[4, 11, 4, 19]].tolist(), abs=1e-5)


@pytest.mark.parametrize("head", HEADS)
def test_only_labelled_steps_teach(head, bases):
    """The gradient of the loss by the logits is the textbook's at labelled steps and nothing elsewhere."""
    model = new_prm(bases / "qwen2", 3, head)
    labels = (None, 0.25, 0.0)
    batch = padded([example(CHAIN, labels), example(CHAIN, (1.0, None, None))])
    given: dict[str, torch.Tensor] = {}
    model.score.register_forward_hook(lambda module, inputs, out: given.update(logits=out) or out.retain_grad())
    loss = step_loss(model, batch)
    loss.backward()
    logits, gradient = given["logits"].detach(), given["logits"].grad
    p = logits.softmax(-1)[..., 1] if head == "pair" else logits[..., 0].sigmoid()
    known = {(0, 5): 0.25, (0, 6): 0.0, (1, 3): 1.0}
    for row in range(2):
        for place in range(7):
            expected = (p[row, place] - known[row, place]) / 3 if (row, place) in known else torch.tensor(0.0)
            assert gradient[row, place, -1].item() == pytest.approx(expected.item(), abs=1e-6)
    terms = [y * p[at].log() + (1 - y) * (1 - p[at]).log() for at, y in known.items()]
    assert loss.item() == pytest.approx(-sum(terms).item() / 3, rel=1e-5)


def test_weights_of_classes_weigh_their_steps(bases):
    model = new_prm(bases / "qwen2", 3)
    batch = padded([example(CHAIN, (1.0, 0.0, 0.25))])
    p = raw(model, CHAIN.prompt + CHAIN.tokens)[[3, 5, 6], 0].sigmoid()
    terms = 0.5 * p[0].log() + 3 * (1 - p[1]).log() + 0.5 * 0.25 * p[2].log() + 3 * 0.75 * (1 - p[2]).log()
    assert weighted_step_loss(3.0, 0.5)(model, batch).item() == pytest.approx(-terms.item() / 3, rel=1e-5)
    assert weighted_step_loss(1.0, 1.0)(model, batch).item() == pytest.approx(step_loss(model, batch).item())


def test_a_step_without_a_label_has_no_target():
    assert [math.isnan(t) for t in example(CHAIN, (None, 0.5, None)).targets] == [True] * 5 + [False, True]
    with pytest.raises(ValueError, match="none of its 3 steps has a label"):
        example(CHAIN, (None, None, None))


def described(folder, numbered, **changed) -> None:
    """Writes the description that training leaves beside a PRM."""
    told = {"vocabulary": len(numbered), "tokenizer": fingerprint(numbered), **changed}
    (folder / "prm.json").write_text(json.dumps(told))


def test_a_checkpoint_of_another_architecture_is_refused(bases, tokenizer, tmp_path):
    with pytest.raises(ValueError, match=r"`Qwen2ForCausalLM` \(qwen2\) is no reward model"):
        load_reward_model(bases / "qwen2")
    # The configuration of a pair over the weights of a scalar: transformers would go on with random ones.
    new_prm(bases / "qwen2", 3, "value").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["architectures"] = ["Qwen2ForProcessRewardModel"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"of Qwen2ForProcessRewardModel: 4 weights .* score\.0\.bias"):
        load_reward_model(tmp_path)
    described(tmp_path, tokenizer)
    config |= {"architectures": ["Qwen2ForTokenClassification"], "intermediate_size": 48}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="not a checkpoint of Qwen2ForTokenClassification"):
        load_prm(tmp_path, tokenizer, "float32", "cpu")


def test_a_checkpoint_of_another_tokenizer_is_refused(bases, tokenizer, tmp_path):
    """Wrong behaviour: two tokenizers of one size taken for one."""
    new_prm(bases / "qwen2", 3).save_pretrained(tmp_path)
    described(tmp_path, tokenizer, tokenizer="0" * 16)
    with pytest.raises(ValueError, match="of different tokenizers"):
        load_prm(tmp_path, tokenizer, "float32", "cpu")
    described(tmp_path, tokenizer)
    assert load_prm(tmp_path, tokenizer, "float32", "cpu").config.num_labels == 1
