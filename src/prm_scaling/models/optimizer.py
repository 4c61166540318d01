"""AdamW, or Muon for the hidden matrices and AdamW for the rest, behind one optimizer.

In trials on the embedded world Muon reached a given loss in fewer steps than AdamW alone, which is what fits a
ladder of models into minutes.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

# Of the Newton-Schulz iteration and the momentum: those of torch.optim.Muon.
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
MOMENTUM = 0.95
EPSILON = 1e-7
# Of AdamW, wherever it is used.
BETAS = (0.9, 0.95)
DECAY = 0.01


def optimizer_of(model: nn.Module, name: str, learning_rate: float) -> torch.optim.Optimizer:
    """The optimizer ``muon`` or ``adamw`` of what is trained of ``model``."""
    if name == "muon":
        return MuonWithAdamW(model, learning_rate)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.AdamW(trained, lr=learning_rate, betas=BETAS, weight_decay=DECAY)


class StackedMuon(torch.optim.Optimizer):
    """The update of ``torch.optim.Muon`` (matched to AdamW's RMS), all matrices of a shape in one product, in float32.

    A small model's matrices cost torch's own more in calls, and in bfloat16 on CPUs without it, than in arithmetic:
    benchmarks/optimizer.py has the ratio.
    """

    def __init__(self, matrices: Iterable[nn.Parameter], lr: float, weight_decay: float):
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step of all matrices that have a gradient."""
        if closure is not None:
            raise ValueError("this optimizer takes no closure")
        for group in self.param_groups:
            shapes: dict[torch.Size, list[torch.Tensor]] = {}
            for matrix in group["params"]:
                if matrix.grad is not None:
                    shapes.setdefault(matrix.shape, []).append(matrix)
            for matrices in shapes.values():
                self._step(matrices, group["lr"], group["weight_decay"])

    def _step(self, matrices: list[torch.Tensor], rate: float, decay: float) -> None:
        gradients = [m.grad for m in matrices if m.grad is not None]
        means = [self.state[m].setdefault("momentum_buffer", torch.zeros_like(m)) for m in matrices]
        torch._foreach_lerp_(means, gradients, 1 - MOMENTUM)
        # Nesterov's momentum: the gradient counts once more.
        ahead = torch._foreach_lerp(gradients, means, MOMENTUM)
        updates = orthogonal(torch.stack(list(ahead)).float()).to(matrices[0].dtype)
        torch._foreach_mul_(matrices, 1 - rate * decay)
        torch._foreach_add_(matrices, list(updates.unbind()), alpha=-rate * 0.2 * math.sqrt(max(matrices[0].shape)))


def orthogonal(matrices: torch.Tensor) -> torch.Tensor:
    """The orthogonal factors of ``matrices`` (count, rows, columns), roughly: Newton-Schulz (Jordan et al., Muon)."""
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=EPSILON)
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class MuonWithAdamW(torch.optim.Optimizer):
    """Muon and AdamW, which step as one and share a learning rate."""

    def __init__(self, model: nn.Module, learning_rate: float):
        hidden: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            matrix = parameter.ndim == 2 and "layers." in name
            (hidden if matrix else rest).append(parameter)
        self._parts: list[torch.optim.Optimizer] = [
            StackedMuon(hidden, lr=learning_rate, weight_decay=DECAY),
            torch.optim.AdamW(rest, lr=learning_rate, betas=BETAS, weight_decay=DECAY),
        ]
        super().__init__([{"params": [*hidden, *rest]}], {"lr": learning_rate})
        self._share_groups()

    def _share_groups(self) -> None:
        # A scheduler writes the rate into these very dictionaries.
        self.param_groups = [group for part in self._parts for group in part.param_groups]

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step of both."""
        if closure is not None:
            raise ValueError("this optimizer takes no closure")
        for part in self._parts:
            part.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clears the gradients of both."""
        for part in self._parts:
            part.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """The states of both."""
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Loads what :meth:`state_dict` gave."""
        for part, state in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._share_groups()
