"""Seeded sampling of tokens, shared by the engines."""

import numpy as np
import torch

from prm_scaling.seeds import stream


def uniforms(seed: int, count: int) -> np.ndarray:
    """The ``count`` uniform numbers, one a token, that belong to ``seed``."""
    return stream("tokens", seed).random(count, dtype=np.float32)


def draw(logits: torch.Tensor, temperature: torch.Tensor, top_p: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """One token a row by inversion of the cumulative distribution.

    Args:
        logits: (batch, vocabulary).
        temperature: (batch,); rows with 0 take the most likely token.
        top_p: (batch,); the smallest set of tokens with at least this mass is kept.
        uniform: (batch,) in [0, 1).

    Returns:
        (batch,) token ids.

    Raises:
        FloatingPointError: a row of logits is not a distribution.
    """
    sampled = bool((temperature > 0).any())
    greedy = logits.argmax(dim=-1) if bool((temperature <= 0).any()) else torch.zeros_like(temperature).long()
    if not sampled:
        _finite(logits.gather(1, greedy.unsqueeze(1)))
        return greedy
    scaled = logits.float() / temperature.clamp_min(1e-6).unsqueeze(1)
    probabilities = scaled.softmax(dim=-1)
    if bool((top_p < 1).any()):
        ordered, order = probabilities.sort(dim=-1, descending=True)
        outside = ordered.cumsum(dim=-1) - ordered >= top_p.unsqueeze(1)
        probabilities = torch.zeros_like(probabilities).scatter(1, order, ordered.masked_fill(outside, 0.0))
    cumulative = probabilities.cumsum(dim=-1, dtype=torch.float64)
    _finite(cumulative[:, -1:])
    threshold = uniform.double().unsqueeze(1) * cumulative[:, -1:]
    drawn = torch.searchsorted(cumulative, threshold, right=True).squeeze(1).clamp_max(logits.shape[1] - 1)
    return torch.where(temperature > 0, drawn, greedy)


def _finite(values: torch.Tensor) -> None:
    if not bool(values.isfinite().all()):
        raise FloatingPointError("the policy's logits are not finite: its weights have diverged")
