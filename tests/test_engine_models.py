"""The engine on transformers runs models of many kinds as their own code does, or refuses them."""

import pytest
import torch
import transformers
from searching import random_tokens

from prm_scaling.engines.interface import Extend, Sampling
from prm_scaling.engines.reading import Reader
from prm_scaling.engines.seats import Seats
from prm_scaling.engines.stepping import stepping
from prm_scaling.engines.transformers import TransformersPolicy

SHAPE = {
    **{"vocab_size": 512, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2},
    **{"num_attention_heads": 4, "max_position_embeddings": 128, "initializer_range": 0.3},
    **{"bos_token_id": None, "eos_token_id": None, "pad_token_id": None},
}
SHARED = {"num_key_value_heads": 2}
LLAMA3 = {
    **{"rope_type": "llama3", "rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0},
    "original_max_position_embeddings": 64,
}
# With what their configurations need, and whether a step of theirs is one of `engines/stepping.py`.
KINDS = {
    "Qwen2": (SHARED, True),
    "Llama": ({**SHARED, "rope_parameters": LLAMA3}, True),
    "Mistral": ({**SHARED, "sliding_window": None}, True),
    "Qwen3": ({**SHARED, "head_dim": 8}, False),
    "Phi3": (SHARED, False),
    "OPT": ({"ffn_dim": 64, "word_embed_proj_dim": 32}, False),
}


def model(name: str, dtype=torch.float32, **settings):
    torch.manual_seed(0)
    configuration = getattr(transformers, f"{name}Config")(**{**SHAPE, **settings})
    return getattr(transformers, f"{name}ForCausalLM")(configuration).eval().to(dtype)


@pytest.mark.parametrize("name", sorted(KINDS))
def test_greedy_is_that_of_generate_whatever_the_architecture(name, tokenizer):
    """Wrong behaviour: norms, positions or shared heads of one architecture in another's step."""
    settings, short = KINDS[name]
    lm = model(name, **settings)
    assert (stepping(lm.base_model) is not None) == short
    prompts = random_tokens(5, 20, 3, 11, 20)
    made = TransformersPolicy(lm, tokenizer, 8).extend([Extend(p, Sampling(0.0, 1.0, 10), 0) for p in prompts])
    for prompt, extension in zip(prompts, made, strict=True):
        expected = lm.generate(torch.tensor([prompt]), max_new_tokens=10, do_sample=False, pad_token_id=1)
        wanted = expected[0, len(prompt) :].tolist()
        end = tokenizer.eos_token_id
        assert list(extension.tokens) == (wanted[: wanted.index(end)] if end in wanted else wanted)


@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])
@pytest.mark.parametrize("name", [name for name, (_, short) in KINDS.items() if short])
def test_a_short_step_is_the_models_own(name, dtype, near, tokenizer, monkeypatch):
    """Wrong behaviour: hidden states that are near enough for a greedy choice alone."""
    lm = model(name, dtype, **KINDS[name][0])
    seen = {}

    def both(reader, seats: Seats, count: int):
        ids, positions, mask = seats.point(count)
        own = reader._run(ids, positions, mask, seats)[:, 0]
        short = step(reader, seats, count)
        seen[mask is None] = (short - own).abs().max() / own.abs().max()
        return short

    step = Reader.step
    monkeypatch.setattr(Reader, "step", both)
    for lengths in ((20, 20), (20, 3, 11)):
        asked = [Extend(p, Sampling(1.0, 1.0, 6), i) for i, p in enumerate(random_tokens(6, *lengths))]
        TransformersPolicy(lm, tokenizer, 8).extend(asked)
    assert set(seen) == {True, False} and max(seen.values()) < near


def test_hooks_and_replaced_parts_are_run(tokenizer):
    """Wrong behaviour: a layer that is watched, adapted or offloaded, passed by without a word."""
    lm = model("Qwen2", **SHARED)
    rows: dict[str, int] = {}
    for name, module in lm.base_model.named_modules():
        module.register_forward_hook(lambda *_, name=name: rows.update({name: rows.get(name, 0) + 1}))
    TransformersPolicy(lm, tokenizer, 8).extend([Extend((5, 6), Sampling(0.0, 1.0, 5), 0)])
    watched = {name: count for name, count in rows.items() if name != "layers"}
    assert set(watched) == {name for name, _ in lm.base_model.named_modules()} - {"layers"}
    assert set(watched.values()) == {5}
    layer = lm.base_model.layers[1]
    layer.forward = layer.forward
    assert stepping(lm.base_model) is None
    own, calls = lm.base_model.forward, []
    lm.base_model.forward = lambda **inputs: calls.append(0) or own(**inputs)
    TransformersPolicy(lm, tokenizer, 8).extend([Extend((5, 6), Sampling(0.0, 1.0, 5), 0)])
    assert len(calls) == 5


def test_attention_that_is_not_full_is_refused(tokenizer):
    """Wrong behaviour: a window that is not kept to, as the configuration lists no kinds of layers."""
    TransformersPolicy(model("Mistral", **SHARED, sliding_window=128), tokenizer, 8)
    with pytest.raises(ValueError, match=r"mistral: its layers are \['sliding_attention'\].*engine.name: vllm"):
        TransformersPolicy(model("Mistral", **SHARED, sliding_window=8), tokenizer, 8)


def test_keys_of_another_shape_than_configured_are_refused(tokenizer):
    lm = model("Qwen2", **SHARED)
    lm.config.num_key_value_heads = 4
    with pytest.raises(ValueError, match=r"configuration says 4 heads of 8: .*engine.name: vllm"):
        TransformersPolicy(lm, tokenizer, 8).extend([Extend((5, 6), Sampling(0.0, 1.0, 5), 0)])
