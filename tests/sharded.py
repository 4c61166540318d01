"""One of the processes that train a toy PRM together; `test_spread.py` starts them by torchrun.

    torchrun --nproc-per-node=2 tests/sharded.py FOLDER STOP

With a model of their own they write into FOLDER the steps that each reported, metrics and the PRM; STOP is the step at
whose report the first dies, 0 for none.
"""

import os
import sys
from pathlib import Path

from test_training import judged_chains, toy

from prm_scaling.models.training import Settings, fit, save
from prm_scaling.prm.model import example, new_prm, step_loss
from prm_scaling.storage import write_json

SETTINGS = Settings(20, 8, 0.01, 0, optimizer="adamw", micro_batch=2, gradient_checkpointing=True)


def main(folder: Path, stop: int) -> None:
    """Trains, and says which steps this process reported."""
    rank = os.environ.get("RANK", "0")
    if rank == "0" and not (folder / "base").is_dir():
        toy().save_pretrained(folder / "base")
    chains, labels = judged_chains(32, "sharded")
    examples = [example(c, row) for c, row in zip(chains, labels, strict=True)]
    model = new_prm(folder / "base", seed=1)
    seen: list[int] = []

    def report(step: int, steps: int, loss: float) -> None:
        seen.append(step)
        if step == stop:
            os._exit(9)

    metrics = fit(model, examples, step_loss, SETTINGS, folder / "work", {6: folder / "kept"}, report)
    write_json(folder / f"seen-{rank}.json", seen)
    save(model, folder / "prm")
    if rank == "0":
        write_json(folder / "metrics.json", metrics)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
