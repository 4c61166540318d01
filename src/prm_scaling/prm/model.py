"""The process reward model: a causal LM whose head is replaced by one that rates steps.

p_t is the probability of "right" at the last token of step t (paper A), whichever head reads it (``prm/heads.py``).
"""

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PreTrainedModel, PreTrainedTokenizerBase
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

from prm_scaling.chains.record import Chain
from prm_scaling.job import read_json
from prm_scaling.models.batches import read
from prm_scaling.models.example import Example
from prm_scaling.models.logits import right_logits
from prm_scaling.prm.heads import class_for, load_reward_model, loaded

LABELS = {"value": 1, "pair": 2, "outcome": 1}


def new_prm(base: str | Path, seed: int, head: str = "value", revision: str | None = None) -> PreTrainedModel:
    """A PRM on the causal LM in ``base``, in float32: its LM head replaced by a fresh ``head``.

    Raises:
        ValueError: the checkpoint lacks a part of the decoder.
    """
    torch.manual_seed(seed)
    config = AutoConfig.from_pretrained(base, revision=revision or "main", num_labels=LABELS[head])
    # transformers puts a dropout of 0.1 before the head where the configuration names none.
    config.classifier_dropout = 0.0
    kind = class_for(head, config)
    if MODEL_FOR_CAUSAL_LM_MAPPING[type(config)].base_model_prefix == kind.base_model_prefix:
        return loaded(kind, base, revision, config, torch.float32, fresh="score.")
    config.dtype = torch.float32
    model = kind(config)
    model.base_model.load_state_dict(loaded(AutoModel, base, revision, config, torch.float32).state_dict())
    return model


def fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """A hash of which token has which number."""
    numbered = sorted(tokenizer.get_vocab().items())
    return hashlib.sha256(json.dumps(numbered).encode()).hexdigest()[:16]


def load_prm(folder: str | Path, tokenizer: PreTrainedTokenizerBase, dtype: str, device: str) -> PreTrainedModel:
    """The PRM saved in ``folder``.

    Raises:
        ValueError: it was trained on another tokenizer than ``tokenizer``, is of an architecture that is not known
            here, or not whole.
    """
    described = read_json(Path(folder) / "prm.json")
    recorded, own = described.get("tokenizer"), fingerprint(tokenizer)
    if recorded != own:
        raise ValueError(
            f"{folder}: this PRM reads a vocabulary of {described['vocabulary']} tokens ({recorded}), the policy has "
            f"{len(tokenizer)} ({own}): they are of different tokenizers; train it again, or put the PRM's own "
            "tokenizer into its folder"
        )
    return load_reward_model(folder, getattr(torch, dtype)).to(device).eval()


def positions(chain: Chain) -> tuple[int, ...]:
    """Where the steps' rewards are read: the last token of each step, in prompt and solution together.

    Training puts its loss on these very positions.
    """
    return tuple(len(chain.prompt) + end - 1 for end in chain.ends)


def example(chain: Chain, labels: tuple[float | None, ...]) -> Example:
    """The chain with its labels at :func:`positions` and ``nan`` elsewhere, also at steps without one (``None``).

    Raises:
        ValueError: there are not as many labels as steps, one is outside [0, 1], or there is none at all.
    """
    if len(labels) != len(chain.ends):
        raise ValueError(f"chain {chain.id}: {len(labels)} labels for {len(chain.ends)} steps; annotate it again")
    if not all(label is None or 0.0 <= label <= 1.0 for label in labels):
        raise ValueError(f"chain {chain.id}: labels {labels} are not all within [0, 1]; annotate it again")
    if all(label is None for label in labels):
        raise ValueError(f"chain {chain.id}: none of its {len(labels)} steps has a label, so it teaches nothing")
    tokens = chain.prompt + chain.tokens
    targets = [math.nan] * len(tokens)
    for position, label in zip(positions(chain), labels, strict=True):
        targets[position] = math.nan if label is None else label
    return Example(tokens, tuple(targets))


def step_loss(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """L = -(1/N) sum_t [y_t log p_t + (1 - y_t) log(1 - p_t)] over all labelled steps of the batch (paper A)."""
    logits, targets = _labelled(model, batch)
    return functional.binary_cross_entropy_with_logits(logits, targets)


def weighted_step_loss(
    wrong: float, right: float
) -> Callable[[PreTrainedModel, dict[str, torch.Tensor]], torch.Tensor]:
    """:func:`step_loss` with a weight for each class; a soft label has a share of both."""

    def loss(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        logits, targets = _labelled(model, batch)
        terms = right * targets * functional.logsigmoid(logits) + wrong * (1 - targets) * functional.logsigmoid(-logits)
        return -terms.mean()

    return loss


def _labelled(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """(steps,) logits of right, and the labels there."""
    labelled = ~batch["targets"].isnan()
    logits = model(**read(batch)).logits[labelled].float()
    return right_logits(logits), batch["targets"][labelled]
