"""Skywork-o1-Open-PRM: a scalar value head, read at the line break after each step.

Source: SkyworkAI/skywork-o1-prm-inference (``prepare_input``, ``ValueHead``).
"""

from collections.abc import Sequence

import torch
from transformers import AutoConfig, PreTrainedModel, PreTrainedTokenizerBase

from prm_scaling.prm.heads import class_for, loaded
from prm_scaling.prm.published.form import Form, plain


def load(source: str, revision: str | None, tokenizer: PreTrainedTokenizerBase, dtype: torch.dtype) -> PreTrainedModel:
    """A causal LM's tensors and ``v_head.summary.*``, which are those of a token classifier with one label."""
    config = AutoConfig.from_pretrained(source, revision=revision or "main", num_labels=1)
    renamed = {r"^v_head\.summary\.": "score."}
    return loaded(class_for("value", config), source, revision, config, dtype, renamed=renamed)


def lay_out(
    tokenizer: PreTrainedTokenizerBase, question: str, steps: Sequence[str]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The question as a line after the token that begins a text, then the steps, a line break after each."""
    begin = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    tokens, positions = begin + plain(tokenizer, f"{question}\n"), []
    for step in steps:
        tokens += [*plain(tokenizer, step), plain(tokenizer, "\n")[-1]]
        positions.append(len(tokens) - 1)
    return tuple(tokens), tuple(positions)


FORM = Form(load, lay_out, on_vllm=False)
