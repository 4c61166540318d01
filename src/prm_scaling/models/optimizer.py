"""Muon for the hidden matrices and AdamW for the rest, behind one optimizer.

In trials on the embedded world Muon reached a given loss in fewer steps than AdamW alone, which is what fits a
ladder of models into minutes.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn


class MuonWithAdamW(torch.optim.Optimizer):
    """Two torch optimizers that step as one and share a learning rate (Muon matched to AdamW's RMS)."""

    def __init__(self, model: nn.Module, learning_rate: float):
        hidden: list[nn.Parameter] = []
        rest: list[nn.Parameter] = []
        for name, parameter in model.named_parameters():
            matrix = parameter.ndim == 2 and "layers." in name
            (hidden if matrix else rest).append(parameter)
        self._parts: list[torch.optim.Optimizer] = [
            torch.optim.Muon(hidden, lr=learning_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(rest, lr=learning_rate, betas=(0.9, 0.95), weight_decay=0.01),
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
