"""The training of one PRM, in one process or, through torchrun, in one a GPU of one node or of several.

All processes see the same batches and each computes some of their rows (`models/training.py`), so the number of
processes changes the losses by rounding only. Each holds the whole model.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prm_scaling.annotate.select import Selected
from prm_scaling.chains.record import Chain
from prm_scaling.models.ladder import non_embedding_parameters
from prm_scaling.models.source import source_of
from prm_scaling.models.tokenizer import load_tokenizer
from prm_scaling.models.training import Settings, fit, is_first
from prm_scaling.prm.model import example, new_prm, step_loss
from prm_scaling.storage import read_records, write_json

FACTS = "facts.json"


@dataclass(frozen=True)
class Training:
    """What to train, and where to put it.

    Attributes:
        base: description of the causal LM that the PRM starts from.
        selected, chains: the training set, and the files of the chains that it names.
        batch, epochs, learning_rate, seed: as in ``train`` of the parameters.
        kept: (share of the steps, folder) of the checkpoints to keep.
        folder: of the PRM.
        work: of what a killed training goes on from.
    """

    base: str
    selected: str
    chains: tuple[str, ...]
    batch: int
    epochs: float
    learning_rate: float
    seed: int
    kept: tuple[tuple[float, str], ...]
    folder: str
    work: str


@dataclass(frozen=True)
class Facts:
    """What a training was like; ``kept``: the step of each kept checkpoint, ``tokens``: a chain's, on average."""

    parameters: int
    vocabulary: int
    chains: int
    tokens: float
    steps: int
    kept: tuple[int, ...]


def train(training: Training, report: Any = lambda step, steps, loss: None) -> Facts:
    """Trains in this process, alone or as one of those that torchrun started; the first of them writes the results."""
    source, _ = source_of(training.base)
    chains = {c.id: c for path in training.chains for c in read_records(path, Chain)}
    examples = [example(chains[s.chain], s.labels) for s in read_records(training.selected, Selected)]
    steps = max(1, int(len(examples) * training.epochs / training.batch))
    prm = new_prm(source, training.seed)
    marks = [max(1, round(share * steps)) for share, _ in training.kept]
    # In a short training two shares may fall on one step.
    keep = {step: Path(place) for step, (_, place) in reversed(list(zip(marks, training.kept, strict=True)))}
    settings = Settings(steps, training.batch, training.learning_rate, training.seed)
    metrics = fit(prm, examples, step_loss, settings, Path(training.work), keep, report)
    if is_first():
        for step, (_, place) in zip(marks, training.kept, strict=True):
            for name in ("config.json", "model.safetensors") if keep[step] != Path(place) else ():
                Path(place).mkdir(parents=True, exist_ok=True)
                shutil.copy(keep[step] / name, place)
        prm.save_pretrained(training.folder)
        write_json(Path(training.folder, "metrics.json"), [{"step": m["step"], "loss": m["loss"]} for m in metrics])
    return Facts(
        parameters=non_embedding_parameters(prm),
        vocabulary=len(load_tokenizer(source)),
        chains=len(examples),
        tokens=sum(len(e.tokens) for e in examples) / len(examples),
        steps=steps,
        kept=tuple(marks),
    )


def train_in(processes: int, nodes: int, training: Training, threads: int = 1) -> Facts:
    """Trains in ``processes`` processes on ``nodes`` nodes of this SLURM job, a GPU each where there are any.

    ``threads``: of each node, for all its processes.

    Raises:
        subprocess.CalledProcessError: a process failed; its words are in the job's log.
    """
    work = Path(training.work)
    work.mkdir(parents=True, exist_ok=True)
    (work / FACTS).unlink(missing_ok=True)
    # torchrun, by this Python, which may not be first on PATH.
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes // nodes}"]
    command += [f"--nnodes={nodes}", "--rdzv-backend=c10d"]
    # Port 0 on one node: any that is free. Nodes must agree on one, which follows from the job's number.
    job = int(os.environ.get("SLURM_JOB_ID", "0"))
    endpoint = "localhost:0" if nodes == 1 else f"{os.uname().nodename}:{20000 + job % 20000}"
    command += [f"--rdzv-id={job}", f"--rdzv-endpoint={endpoint}", "-m", __name__, json.dumps(asdict(training))]
    if nodes > 1:
        # One that fails ends the others, which would wait for it.
        tasks = [f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", f"--cpus-per-task={threads}"]
        command = ["srun", *tasks, "--kill-on-bad-exit=1", *command]
    own = {**os.environ, "OMP_NUM_THREADS": str(max(1, threads * nodes // processes))}
    subprocess.run(command, check=True, env=own, stdout=sys.stdout, stderr=sys.stderr)
    facts = json.loads((work / FACTS).read_text())
    return Facts(**{**facts, "kept": tuple(facts["kept"])})


def main() -> None:
    """What torchrun starts: one process of a training, which is told as JSON."""
    told = json.loads(sys.argv[1])
    training = Training(
        **{**told, "chains": tuple(told["chains"]), "kept": tuple((share, place) for share, place in told["kept"])}
    )
    facts = train(training)
    if is_first():
        write_json(Path(training.work, FACTS), asdict(facts))


if __name__ == "__main__":
    main()
