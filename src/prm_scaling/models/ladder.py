"""The ladder's causal LMs: made from a shape, or loaded from the hub or a folder; the code is the same."""

from pathlib import Path

import torch
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from prm_scaling.models.batches import read
from prm_scaling.models.tokenizer import load_tokenizer


def new_model(layers: int, width: int, heads: int, vocabulary: int, seed: int) -> Qwen2ForCausalLM:
    """A Qwen2-architecture LM of that shape, freshly initialised."""
    torch.manual_seed(seed)
    return Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=vocabulary,
            hidden_size=width,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=heads,
            intermediate_size=2 * width,
            max_position_embeddings=512,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=0,
        )
    )


def next_token_loss(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean cross-entropy over the positions that have a target."""
    hidden = model.base_model(**read(batch)).last_hidden_state
    learnt = ~batch["targets"].isnan()
    # The head is a fifth of a small model's work: only where something is to be learnt.
    logits = model.get_output_embeddings()(hidden[learnt])
    return functional.cross_entropy(logits.float(), batch["targets"][learnt].long())


def load_language_model(
    source: str | Path, dtype: str, device: str, revision: str | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A causal LM and its tokenizer from a folder or a hub name.

    Raises:
        OSError: there is no such model (transformers says what is missing).
    """
    tokenizer = load_tokenizer(source, revision)
    model = AutoModelForCausalLM.from_pretrained(source, dtype=getattr(torch, dtype), revision=revision or "main")
    return model.to(device).eval(), tokenizer


def context_of(model: PreTrainedModel) -> int:
    """Tokens that a sequence may have."""
    return int(model.config.get_text_config().max_position_embeddings)


def non_embedding_parameters(model: PreTrainedModel) -> int:
    """N of the scaling laws: all parameters but the embeddings and the output head."""
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    skipped = {id(p) for end in ends if end for p in end.parameters()}
    return sum(p.numel() for p in model.parameters() if id(p) not in skipped)
