"""The process reward model: a causal LM whose head is replaced by a scalar value head.

It is transformers' own token-classification model with one label, so ``from_pretrained`` gives the
scorer back and vLLM serves it. p_t is the sigmoid of the logit at the last token of step t (paper A).
"""

import json
import math
from pathlib import Path

import torch
from torch.nn import functional
from transformers import AutoConfig, AutoModelForTokenClassification, PreTrainedModel, PreTrainedTokenizerBase

from prm_scaling.chains.record import Chain
from prm_scaling.models.batches import read
from prm_scaling.models.example import Example


def new_prm(base: str | Path, seed: int) -> PreTrainedModel:
    """A PRM on the causal LM in ``base``: its LM head replaced by a fresh scalar value head."""
    torch.manual_seed(seed)
    config = AutoConfig.from_pretrained(base, num_labels=1)
    # transformers puts a dropout of 0.1 before the head where the configuration names none.
    config.classifier_dropout = 0.0
    return AutoModelForTokenClassification.from_pretrained(base, config=config, dtype=torch.float32)


def load_prm(folder: str | Path, tokenizer: PreTrainedTokenizerBase, dtype: str, device: str) -> PreTrainedModel:
    """The PRM saved in ``folder``.

    Raises:
        ValueError: it was trained on another tokenizer than ``tokenizer``.
    """
    recorded = json.loads((Path(folder) / "prm.json").read_text())["vocabulary"]
    if recorded != len(tokenizer):
        raise ValueError(f"{folder}: this PRM reads a vocabulary of {recorded} tokens, the policy has {len(tokenizer)}")
    model = AutoModelForTokenClassification.from_pretrained(folder, dtype=getattr(torch, dtype))
    return model.to(device).eval()


def positions(chain: Chain) -> tuple[int, ...]:
    """Where the steps' rewards are read: the last token of each step, in prompt and solution together.

    Training puts its loss on these very positions.
    """
    return tuple(len(chain.prompt) + end - 1 for end in chain.ends)


def example(chain: Chain, labels: tuple[float, ...]) -> Example:
    """The chain with its labels at :func:`positions` and ``nan`` elsewhere.

    Raises:
        ValueError: there are not as many labels as steps, or one is outside [0, 1].
    """
    if len(labels) != len(chain.ends):
        raise ValueError(f"chain {chain.id}: {len(labels)} labels for {len(chain.ends)} steps")
    if not all(0.0 <= label <= 1.0 for label in labels):
        raise ValueError(f"chain {chain.id}: labels {labels} are not all within [0, 1]")
    tokens = chain.prompt + chain.tokens
    targets = [math.nan] * len(tokens)
    for position, label in zip(positions(chain), labels, strict=True):
        targets[position] = label
    return Example(tokens, tuple(targets))


def step_loss(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """L = -(1/N) sum_t [y_t log p_t + (1 - y_t) log(1 - p_t)] over all steps of the batch (paper A)."""
    logits = model(**read(batch)).logits[..., 0]
    labelled = ~batch["targets"].isnan()
    return functional.binary_cross_entropy_with_logits(logits[labelled].float(), batch["targets"][labelled])
