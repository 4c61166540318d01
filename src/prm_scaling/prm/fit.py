"""The training of one PRM, in one process or, through torchrun, in one a GPU of one node or of several.

All processes see the same batches; each computes some of their rows and holds some of every tensor
(`models/training.py`), so the number of processes changes the losses by rounding only.
"""

import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prm_scaling.annotate.labels import class_weights
from prm_scaling.annotate.select import Selected
from prm_scaling.chains.record import Chain
from prm_scaling.models.example import Example
from prm_scaling.models.ladder import context_of, non_embedding_parameters
from prm_scaling.models.lora import adapted
from prm_scaling.models.source import source_of
from prm_scaling.models.tokenizer import load_tokenizer
from prm_scaling.models.training import Loss, Settings, fit, is_first, save
from prm_scaling.prm.model import example, fingerprint, new_prm, step_loss, weighted_step_loss
from prm_scaling.storage import read_records, write_json

FACTS = "facts.json"


@dataclass(frozen=True)
class Training:
    """What to train, and where to put it.

    Attributes:
        base: description of the causal LM that the PRM starts from.
        tokenizer: description of the model whose tokens the chains are made of.
        selected, chains: the training set, and the files of the chains that it names.
        head, class_weight: see :class:`prm_scaling.prm.settings.TrainingSet`.
        batch, epochs, learning_rate, seed, optimizer, precision, micro_batch, gradient_checkpointing, packing, lora:
            as in ``train`` of the parameters.
        kept: (share of the steps, folder) of the checkpoints to keep.
        folder: of the PRM.
        work: of what a killed training goes on from.
    """

    base: str
    tokenizer: str
    selected: str
    chains: tuple[str, ...]
    head: str
    class_weight: str | None
    batch: int
    epochs: float
    learning_rate: float
    seed: int
    kept: tuple[tuple[float, str], ...]
    folder: str
    work: str
    optimizer: str = "muon"
    precision: str = "float32"
    micro_batch: int | None = None
    gradient_checkpointing: bool = False
    packing: bool = False
    lora: dict[str, Any] | None = None


@dataclass(frozen=True)
class Facts:
    """What a training was like.

    Attributes:
        tokenizer: its fingerprint.
        chains, dropped: trained on, and longer than the base's context, so left out.
        tokens: of a chain, on average.
        kept: the step of each kept checkpoint.
    """

    parameters: int
    vocabulary: int
    tokenizer: str
    chains: int
    dropped: int
    tokens: float
    steps: int
    kept: tuple[int, ...]


def train(training: Training, report: Any = lambda step, steps, loss: None) -> Facts:
    """Trains in this process, alone or as one of those that torchrun started; the first of them writes the results."""
    source, revision = source_of(training.base)
    tokenizer = load_tokenizer(source, revision)
    if (own := fingerprint(load_tokenizer(*source_of(training.tokenizer)))) != fingerprint(tokenizer):
        raise ValueError(
            f"{training.base}: this base numbers its tokens otherwise ({fingerprint(tokenizer)}) than the chains' "
            f"policy {training.tokenizer} ({own}); take a base with the policy's tokenizer (models.ladder, "
            "chains.policy)"
        )
    chains = {c.id: c for path in training.chains for c in read_records(path, Chain)}
    selected = read_records(training.selected, Selected)
    prm = new_prm(source, training.seed, training.head, revision)
    examples, dropped = within([example(chains[s.chain], s.labels) for s in selected], context_of(prm), training.base)
    loss: Loss = step_loss
    if training.class_weight:
        loss = weighted_step_loss(*class_weights([s.labels for s in selected]))
    steps = max(1, int(len(examples) * training.epochs / training.batch))
    parameters = non_embedding_parameters(prm)
    # The head is new: an adapter beside what is random would not be enough.
    trained = adapted(prm, **training.lora, whole=["score"]) if training.lora else prm
    marks = [max(1, round(share * steps)) for share, _ in training.kept]
    # In a short training two shares may fall on one step.
    keep = {step: Path(place) for step, (_, place) in reversed(list(zip(marks, training.kept, strict=True)))}
    settings = Settings(
        steps,
        training.batch,
        training.learning_rate,
        training.seed,
        training.optimizer,
        training.precision,
        training.micro_batch,
        training.gradient_checkpointing,
        training.packing,
        base_rate_loss(examples),
    )
    # A checkpoint of a training with another loss is none to go on from.
    work = Path(training.work, training.class_weight or "")
    metrics = fit(trained, examples, loss, settings, work, keep, report)
    save(trained, Path(training.folder))
    if is_first():
        for step, (_, place) in zip(marks, training.kept, strict=True):
            for name in ("config.json", "model.safetensors") if keep[step] != Path(place) else ():
                Path(place).mkdir(parents=True, exist_ok=True)
                shutil.copy(keep[step] / name, place)
        write_json(Path(training.folder, "metrics.json"), [{"step": m["step"], "loss": m["loss"]} for m in metrics])
    return Facts(
        parameters=parameters,
        vocabulary=len(tokenizer),
        tokenizer=fingerprint(tokenizer),
        chains=len(examples),
        dropped=dropped,
        tokens=sum(len(e.tokens) for e in examples) / len(examples),
        steps=steps,
        kept=tuple(marks),
    )


def base_rate_loss(examples: Sequence[Example]) -> float:
    """The loss, in nats a step, of who gives every step the mean of all labels: their entropy."""
    labels = [t for e in examples for t in e.targets if not math.isnan(t)]
    rate = sum(labels) / len(labels)
    return -sum(p * math.log(p) for p in (rate, 1 - rate) if p)


def within(examples: list[Example], context: int, base: str) -> tuple[list[Example], int]:
    """The examples that a context of so many tokens holds, and how many it does not: a chain is never cut.

    Raises:
        ValueError: it holds none.
    """
    held = [e for e in examples if len(e.tokens) <= context]
    if not held:
        raise ValueError(
            f"{base}: each of the {len(examples)} chains is longer than its context of {context} tokens; train a PRM "
            "on a base with a longer one, or sample shorter chains (chains.max_tokens)"
        )
    if dropped := len(examples) - len(held):
        print(f"{dropped} of {len(examples)} chains are longer than the context of {context} tokens: left out")
    return held, dropped


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
