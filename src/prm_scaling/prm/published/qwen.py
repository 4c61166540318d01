"""Qwen2.5-Math-PRM and Qwen2.5-Math-7B-PRM800K (Zhang et al.): a pair at a separator token after each step.

Source: the model card of Qwen/Qwen2.5-Math-PRM-7B.
"""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from prm_scaling.prm.heads import load_reward_model
from prm_scaling.prm.published.form import Form, plain

SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
SEPARATOR = "<extra_0>"
# Stands for the question in the template; no text has it.
PLACE = "\x00"


def load(source: str, revision: str | None, tokenizer: PreTrainedTokenizerBase, dtype: torch.dtype) -> PreTrainedModel:
    """``Qwen2ForProcessRewardModel``: tensors ``model.*``, ``score.0.*``, ``score.2.*``."""
    if SEPARATOR not in tokenizer.get_vocab():
        raise ValueError(f"{source}: its tokenizer has no token {SEPARATOR}, at which this form is read")
    return load_reward_model(source, dtype, revision)


def lay_out(
    tokenizer: PreTrainedTokenizerBase, question: str, steps: Sequence[str]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The chat template with the steps as the assistant's words, a separator after each."""
    messages = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": PLACE}]
    frame = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    before, after = tokenizer(frame.split(PLACE), add_special_tokens=False, split_special_tokens=False).input_ids
    tokens, positions = before + plain(tokenizer, question) + after, []
    for step in steps:
        tokens += [*plain(tokenizer, step), tokenizer.convert_tokens_to_ids(SEPARATOR)]
        positions.append(len(tokens) - 1)
    return tuple(tokens), tuple(positions)


FORM = Form(load, lay_out, on_vllm=True)
