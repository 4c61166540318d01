"""One token a row through a decoder of Llama's kind, in few operations.

Where a model is small, most of a step is not arithmetic: transformers' code for any shape takes a hundred operations a
layer, of some microseconds each. What is here takes a third of them.
"""

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import nn
from torch.nn.functional import rms_norm
from transformers import PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaModel
from transformers.models.mistral.modeling_mistral import MistralDecoderLayer, MistralModel
from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer, Qwen2Model

# The same computation, apart from the biases of Qwen2's projections: Qwen2 and Qwen2.5, Llama and SmolLM2, Mistral.
KINDS = {Qwen2Model: Qwen2DecoderLayer, LlamaModel: LlamaDecoderLayer, MistralModel: MistralDecoderLayer}


def run_by(module: nn.Module, forward: Callable) -> nn.Module:
    """The same weights, parts and hooks, run by ``forward(module, ...)``; ``module`` is left as it is."""
    other = copy.copy(module)
    other.forward = partial(forward, other)  # type: ignore[method-assign]
    return other


def stepping(model: PreTrainedModel) -> nn.Module | None:
    """The model for inputs of one token a row; ``None`` for one that must run as it is.

    That is one of another class, with attention that was chosen for it, or with a part whose code was replaced
    (offloading, say). Called with ``input_ids`` and ``position_ids`` (rows, 1), ``attention_mask`` (rows, 1, 1, all),
    added to the scores, or ``None``, and ``past_key_values``; returns hidden states (rows, width).
    """
    layers, replaced = getattr(model, "layers", ()), any("forward" in vars(m) for m in model.modules())
    known = all(type(layer) is KINDS.get(type(model)) for layer in layers)
    if not layers or not known or replaced or model.config._attn_implementation != "sdpa":
        return None
    return run_by(model, partial(_model, layers=[_by_parts(layer) for layer in layers], norm=_norm(model.norm)))


def _norm(norm) -> nn.Module:
    return run_by(norm, lambda self, x: rms_norm(x, self.weight.shape, self.weight, self.variance_epsilon))


def _by_parts(layer) -> nn.Module:
    attention = run_by(layer.self_attn, _attention)
    before, after = _norm(layer.input_layernorm), _norm(layer.post_attention_layernorm)
    return run_by(layer, partial(_layer, attention=attention, before=before, after=after))


def _model(self, *, layers, norm, input_ids, position_ids, attention_mask, past_key_values) -> torch.Tensor:
    hidden = self.embed_tokens(input_ids[:, 0])
    cos, sin = self.rotary_emb(hidden, position_ids)
    half = sin.shape[-1] // 2
    # Signs here, once, in place of negating half of every layer's queries and keys.
    turn = cos, torch.cat((-sin[..., :half], sin[..., half:]), dim=-1)
    for layer in layers:
        hidden = layer(hidden, turn, attention_mask, past_key_values)
    return norm(hidden)


def _layer(self, hidden, turn, mask, cache, *, attention, before, after) -> torch.Tensor:
    hidden = hidden + attention(before(hidden), turn, mask, cache)
    return hidden + self.mlp(after(hidden))


def _attention(self, hidden, turn, mask, cache) -> torch.Tensor:
    rows, width = len(hidden), self.head_dim
    queries, values = self.q_proj(hidden), self.v_proj(hidden).view(rows, -1, 1, width)
    both = torch.cat((queries, self.k_proj(hidden)), dim=-1).view(rows, -1, width)
    cos, sin = turn
    swapped = torch.cat((both[..., width // 2 :], both[..., : width // 2]), dim=-1)
    both = torch.addcmul(both * cos, swapped, sin)
    heads = queries.shape[-1] // width
    queries, keys = both[:, :heads].unsqueeze(2), both[:, heads:].unsqueeze(2)
    keys, values = cache.update(keys, values, self.layer_idx)
    if keys.device.type == "cpu" and keys.dtype == torch.float32:
        made = _attend(queries, keys, values, mask, self.scaling)
    else:
        made, _ = sdpa_attention_forward(self, queries, keys, values, mask, scaling=self.scaling)
    return self.o_proj(made.reshape(rows, -1))


def _attend(queries, keys, values, mask, scaling: float) -> torch.Tensor:
    """(rows, heads, 1, width); queries that share keys are multiplied together.

    For one query a head this is faster on a processor than the fused kernel, which is made for many.
    """
    rows, heads, _, width = queries.shape
    grouped = (queries * scaling).view(rows, keys.shape[1], -1, width)
    scores = grouped @ keys.transpose(2, 3)
    if mask is not None:
        scores += mask
    return (scores.softmax(dim=-1) @ values).view(rows, heads, 1, width)
