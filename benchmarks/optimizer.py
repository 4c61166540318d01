"""One step of Muon over a model's hidden matrices: all of a shape in one product, against torch's own, one by one.

    PYTHONPATH=src OMP_NUM_THREADS=1 python benchmarks/optimizer.py

Both steps in turns on the same gradients, in processor time.
"""

import time
from statistics import median

import torch
from common import SHAPES, model, record

from prm_scaling.models.optimizer import StackedMuon

REPEATS = 50


def measured(size: str) -> dict:
    """A row: milliseconds a step of both, and their ratio, over the hidden matrices of a model of this size."""
    steps: dict[str, list[float]] = {"stacked": [], "torch": []}
    ours, theirs = (
        [p for name, p in model(size).named_parameters() if p.ndim == 2 and "layers." in name] for _ in range(2)
    )
    optimizers = {
        "stacked": StackedMuon(ours, lr=0.005, weight_decay=0.01),
        "torch": torch.optim.Muon(theirs, lr=0.005, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
    }
    for _ in range(REPEATS):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        for name, optimizer in optimizers.items():
            began = time.process_time()
            optimizer.step()
            steps[name].append(1e3 * (time.process_time() - began))
    found = {name: median(times) for name, times in steps.items()}
    return {
        "model": size,
        "matrices": len(ours),
        **{f"{name} ms": value for name, value in found.items()},
        "times faster": found["torch"] / found["stacked"],
    }


if __name__ == "__main__":
    record("optimizer", {"repeats": REPEATS}, [measured(size) for size in SHAPES if size != "100m"])
