"""How alike responses are to a model: the activation-pattern similarity of paper A's Table 2.

Source: Wang et al., arXiv 2405.17799, as paper A takes it over: A(theta, s)_i = |theta_i dF/dtheta_i| with
F the largest next-token logit at the last position; a layer's matrices are concatenated; similarity is the
cosine of two responses' vectors. Our reading, where paper A is silent: the mean over the layers from the
middle one up (the source's L/2 ... L-3 is empty for two layers), over pairs of responses, times 100.
"""

from collections.abc import Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from prm_scaling.seeds import stream

MATRICES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def importance(model: PreTrainedModel, tokens: Sequence[int]) -> list[torch.Tensor]:
    """|theta dF/dtheta| of one response: one unit vector a layer, from the middle layer up."""
    layers = model.base_model.layers
    first = len(layers) // 2
    groups = [
        [p for name, p in layer.named_parameters() if name.endswith("weight") and name.split(".")[-2] in MATRICES]
        for layer in layers[first:]
    ]
    logit = model(input_ids=torch.tensor([list(tokens)], device=model.device)).logits[0, -1].max()
    gradients = iter(torch.autograd.grad(logit, [p for group in groups for p in group]))
    vectors = [torch.cat([(p.detach() * next(gradients)).abs().flatten() for p in group]) for group in groups]
    return [v / v.norm() for v in vectors]


def similarities(model: PreTrainedModel, left: Sequence[Sequence[int]], right: Sequence[Sequence[int]]) -> np.ndarray:
    """(left, right) matrix of 100 x cosine, averaged over layers."""
    a = [importance(model, tokens) for tokens in left]
    b = [importance(model, tokens) for tokens in right]
    layers = [torch.stack([v[i] for v in a]) @ torch.stack([v[i] for v in b]).T for i in range(len(a[0]))]
    return 100.0 * torch.stack(layers).mean(dim=0).cpu().numpy()


def contrast(matrix: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Mean similarity of the selected responses to one another less that of the others.

    Args:
        matrix: (2 left problems, 2 right problems) similarities; the selected responses of the problems stand first,
            then the others, in the same order.
        left: (samples, left problems) how often each problem counts with its two responses as they are, or, negative,
            with the two exchanged. ``right`` the same.
    """

    def sides(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kept, swapped = np.maximum(times, 0), np.maximum(-times, 0)
        whole = np.abs(times).sum(axis=1, keepdims=True)
        return np.hstack([kept, swapped]) / whole, np.hstack([swapped, kept]) / whole

    (chosen, rest), (chosen_right, rest_right) = sides(left), sides(right)
    alike = np.einsum("sp,pq,sq->s", chosen, matrix, chosen_right, optimize=True)
    return alike - np.einsum("sp,pq,sq->s", rest, matrix, rest_right, optimize=True)


def permutation_test(
    matrix: np.ndarray, permutations: int, seed: int, swap_left: bool = True, swap_right: bool = True
) -> float:
    """p-value of the :func:`contrast` being above 0: in each permutation, selected and other responses of a problem
    are exchanged at random, on the sides named. A problem is exchanged as a whole, in all pairs that it is part of.
    """
    sides = [size // 2 for size in matrix.shape]
    rng = stream("permutation", seed)
    signs = [
        rng.choice([-1.0, 1.0], size=(permutations, size)) if swaps else np.ones((permutations, size))
        for size, swaps in zip(sides, (swap_left, swap_right), strict=True)
    ]
    found = float(contrast(matrix, np.ones((1, sides[0])), np.ones((1, sides[1])))[0])
    extreme = contrast(matrix, *signs) >= found - 1e-12
    return float((1 + extreme.sum()) / (1 + permutations))
