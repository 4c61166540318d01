"""Seeded sampling of tokens, shared by the engines."""

import numpy as np
import torch

from prm_scaling.seeds import stream


def uniforms(seed: int, count: int) -> np.ndarray:
    """The ``count`` uniform numbers, one a token, that belong to ``seed``."""
    return stream("tokens", seed).random(count, dtype=np.float32)


def draw(logits: torch.Tensor, temperature: np.ndarray, top_p: np.ndarray, uniform: np.ndarray) -> torch.Tensor:
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
    sampled = temperature > 0
    if not sampled.any():
        return _greedy(logits)
    asked = torch.from_numpy(np.stack([temperature, top_p, uniform])).to(logits.device)
    heat, mass, threshold = asked.unsqueeze(2)
    probabilities = (logits / heat.clamp_min(1e-6)).softmax(dim=-1)
    if (top_p < 1).any():
        ordered, order = probabilities.sort(dim=-1, descending=True)
        outside = ordered.cumsum(dim=-1) - ordered >= mass
        probabilities = torch.zeros_like(probabilities).scatter(1, order, ordered.masked_fill(outside, 0.0))
    cumulative = probabilities.cumsum(dim=-1, dtype=torch.float64)
    _finite(cumulative[:, -1:])
    drawn = torch.searchsorted(cumulative, threshold.double() * cumulative[:, -1:], right=True)
    drawn = drawn.squeeze(1).clamp_max(logits.shape[1] - 1)
    return drawn if sampled.all() else torch.where(heat.squeeze(1) > 0, drawn, _greedy(logits))


def _greedy(logits: torch.Tensor) -> torch.Tensor:
    most = logits.max(dim=-1)
    _finite(most.values)
    return most.indices


def _finite(values: torch.Tensor) -> None:
    if not bool(values.isfinite().all()):
        raise FloatingPointError("the policy's logits are not finite: its weights have diverged")
