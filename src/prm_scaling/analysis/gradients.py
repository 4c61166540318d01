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


def permutation_test(left: np.ndarray, right: np.ndarray, permutations: int, seed: int) -> float:
    """p-value of mean(left) > mean(right) for paired rows, by sign flips of their differences."""
    differences = left - right
    signs = stream("permutation", seed).choice([-1.0, 1.0], size=(permutations, len(differences)))
    extreme = (signs @ differences) / len(differences) >= differences.mean() - 1e-12
    return float((1 + extreme.sum()) / (1 + permutations))
