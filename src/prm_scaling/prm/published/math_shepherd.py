"""math-shepherd-mistral-7b-prm: a causal LM that is asked for "+" or "-" at a mark after each step.

Source: the model card of peiyi9979/math-shepherd-mistral-7b-prm.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from prm_scaling.prm.heads import class_for, loaded
from prm_scaling.prm.published.form import Form, plain

RIGHT, WRONG, MARK = "+", "-", "ки"


def load(source: str, revision: str | None, tokenizer: PreTrainedTokenizerBase, dtype: torch.dtype) -> PreTrainedModel:
    """The LM with two rows of its output matrix for a head: the softmax over them is all that is read of it.

    Raises:
        ValueError: a token of the two is none of the tokenizer's.
    """
    verdicts = plain(tokenizer, f"{RIGHT} {WRONG}")
    if len(verdicts) != 2:
        raise ValueError(f"{source}: its tokenizer reads `{RIGHT} {WRONG}` as {len(verdicts)} tokens, this form as two")
    right, wrong = verdicts
    config = AutoConfig.from_pretrained(source, revision=revision or "main")
    lm = loaded(AutoModelForCausalLM, source, revision, config, dtype)
    rows = lm.get_output_embeddings().weight[[wrong, right]].detach()
    # Made around the weights that are there, not beside them.
    with torch.device("meta"):
        model = class_for("value", config)(config)
    setattr(model, model.base_model_prefix, lm.base_model)
    model.score = nn.Linear(rows.shape[1], 2, bias=False, dtype=dtype)
    model.score.weight = nn.Parameter(rows)
    return model.to(dtype)


def lay_out(
    tokenizer: PreTrainedTokenizerBase, question: str, steps: Sequence[str]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The question, then numbered steps, a line and a mark each; a reward stands at the token that ends the mark.

    Tokenized as one text, as the LM was trained: where the mark stands follows from its place in the text, not from
    its token, which a step may have too.
    """
    text, ends = f"{question} ", []
    for i, step in enumerate(steps):
        text += f"{'' if i == 0 else chr(10)}Step {i + 1}: {step} {MARK}"
        ends.append(len(text))
    read = tokenizer(text, split_special_tokens=True, return_offsets_mapping=True)
    after = [end for _, end in read.offset_mapping]
    # Of the tokens that one character is spread over, all of which end where it does, the last.
    return tuple(read.input_ids), tuple(bisect_right(after, after[bisect_left(after, end)]) - 1 for end in ends)


FORM = Form(load, lay_out, on_vllm=False)
