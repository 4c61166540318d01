"""What a published form of PRM is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

# (tokens, the position of each step's reward) of a question and its steps, in the PRM's own tokens.
LayOut = Callable[[PreTrainedTokenizerBase, str, Sequence[str]], tuple[tuple[int, ...], tuple[int, ...]]]


@dataclass(frozen=True)
class Form:
    """How the PRMs of one release are loaded and read.

    Attributes:
        load: (source, revision, tokenizer, dtype) -> a token classifier whose head is ``score``, with one label or
            (wrong, right).
        lay_out: how a question and its steps are put, as the release's own example does it.
        on_vllm: whether vLLM serves the checkpoint as it is published.
    """

    load: Callable[[str, str | None, PreTrainedTokenizerBase, torch.dtype], PreTrainedModel]
    lay_out: LayOut
    on_vllm: bool


def plain(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """The tokens of untrusted text: names of special tokens in it are text."""
    return tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids
