"""One number from a head with one or two labels: how likely "right" is against "wrong"."""

import torch


def right_logits(logits: torch.Tensor) -> torch.Tensor:
    """The logit of "right": (..., 1 or 2) to (...).

    The sigmoid of a difference of two logits is their softmax, so a pair's binary cross-entropy is its cross-entropy.
    """
    return logits[..., 0] if logits.shape[-1] == 1 else logits[..., 1] - logits[..., 0]
