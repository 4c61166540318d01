"""One training loop for causal LMs and PRMs, on transformers' Trainer: resumable, with kept checkpoints."""

import hashlib
import json
import math
import shutil
from array import array
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from torch.utils.data import DataLoader, Dataset
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    get_linear_schedule_with_warmup,
)

from prm_scaling.models.example import Example
from prm_scaling.models.optimizer import MuonWithAdamW
from prm_scaling.seeds import stream
from prm_scaling.storage import whole, write_json

Loss = Callable[[PreTrainedModel, dict[str, torch.Tensor]], torch.Tensor]


class Diverged(RuntimeError):
    """The training loss is not finite."""


@dataclass(frozen=True)
class Settings:
    """How to train: optimizer steps, examples a step, peak learning rate, seed."""

    steps: int
    batch: int
    learning_rate: float
    seed: int

    @property
    def warmup(self) -> int:
        """Steps over which the rate rises; after them it falls linearly to zero."""
        return min(50, max(1, self.steps // 10))


class Batches(Dataset):
    """Batches of like length in a seeded order, as many as there are steps; item i is step i's batch."""

    def __init__(self, examples: Sequence[Example], settings: Settings):
        self._examples = examples
        order: list[list[int]] = []
        epoch = 0
        while len(order) < settings.steps:
            order += self._epoch(settings.batch, stream(settings.seed, "order", epoch))
            epoch += 1
        self._order = order[: settings.steps]

    def _epoch(self, batch: int, rng) -> list[list[int]]:
        # Sorted within windows of some batches: little padding, and still a random mixture.
        indices = rng.permutation(len(self._examples)).tolist()
        result = []
        for start in range(0, len(indices), batch * 16):
            window = sorted(indices[start : start + batch * 16], key=lambda i: len(self._examples[i].tokens))
            result += [window[i : i + batch] for i in range(0, len(window), batch)]
        return [result[i] for i in rng.permutation(len(result))]

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> list[Example]:
        return [self._examples[i] for i in self._order[index]]


def collate(batches: list[list[Example]]) -> dict[str, torch.Tensor]:
    """``input_ids`` and ``targets`` (batch, longest), nan where there is none.

    No attention mask: the padding is on the right, where no token of a causal model looks and no target is, and
    attention without a mask is faster.
    """
    (batch,) = batches
    return _padded(batch)


def collate_share(batches: list[list[Example]], process: int, processes: int) -> dict[str, torch.Tensor]:
    """Of each batch every ``processes``-th row from row ``process``, as :func:`collate` has them, and ``weight``.

    ``weight``, a scalar: ``processes`` times the share of the batch's targets that these rows have. The mean over
    processes of a loss that is a mean over targets, so weighted, is that loss of the whole batch.
    """
    (batch,) = batches
    counts = [sum(not math.isnan(t) for t in e.targets) for e in batch]
    rows = [i for i in range(process, len(batch), processes) if counts[i]]
    weight = processes * sum(counts[i] for i in rows) / sum(counts)
    # Who has nothing to do computes what counts for nothing, so that all processes take part in every step.
    own = _padded([batch[i] for i in rows or [counts.index(max(counts))]])
    return {**own, "weight": torch.tensor(weight)}


def _padded(batch: list[Example]) -> dict[str, torch.Tensor]:
    ids = torch.zeros((len(batch), max(len(e.tokens) for e in batch)), dtype=torch.long)
    targets = torch.full(ids.shape, math.nan)
    for row, example in enumerate(batch):
        ids[row, : len(example.tokens)] = torch.tensor(example.tokens)
        targets[row, : len(example.targets)] = torch.tensor(example.targets)
    return {"input_ids": ids, "targets": targets}


def is_first() -> bool:
    """Whether this is the only process of a training, or the first of those that torchrun started."""
    return PartialState().is_main_process


METRICS = "metrics.jsonl"
# Of a checkpoint: of which training it is, and the hashes of its files.
SUMS = "sums.json"


class _Fit(Trainer):
    """Trainer with a loss function of the caller's; of several processes each computes a share of every batch."""

    def __init__(self, loss: Loss, **kwargs: Any):
        super().__init__(**kwargs)
        self._loss = loss

    def get_train_dataloader(self) -> DataLoader:
        """All batches for every process: Trainer's own gives each process other ones, which makes other steps."""
        if self.args.world_size == 1:
            return super().get_train_dataloader()
        share = partial(collate_share, process=self.args.process_index, processes=self.args.world_size)
        return DataLoader(self.train_dataset, batch_size=1, collate_fn=share)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """The caller's loss."""
        weight = inputs.pop("weight", 1.0)
        return self._loss(model, inputs) * weight


class _Record(TrainerCallback):
    """Writes metrics as they come, keeps checkpoints at marked steps, stops on a loss that is not finite."""

    def __init__(self, work: Path, key: str, keep: Collection[int], report: Callable[[int, int, float], None]):
        self._work, self._key, self._keep, self._report = work, key, keep, report

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model=None, **kwargs
    ) -> None:
        """Keeps a checkpoint at a marked step."""
        if state.global_step in self._keep and state.is_world_process_zero:
            folder = _kept(self._work, state.global_step)
            model.save_pretrained(folder)
            _vouch(folder, self._key)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs) -> None:
        """Says of a checkpoint that has been written that it is whole, and of which training."""
        if state.is_world_process_zero:
            _vouch(self._work / f"checkpoint-{state.global_step}", self._key)

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        """One line of metrics."""
        if not logs or "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise Diverged(
                f"the loss at step {state.global_step} is {logs['loss']}; lower the learning rate "
                "(models.pretraining.learning_rate or train.learning_rate) and run again"
            )
        if not state.is_world_process_zero:
            return
        with (self._work / METRICS).open("a") as file:
            file.write(json.dumps({"step": state.global_step, **logs}) + "\n")
        self._report(state.global_step, state.max_steps, logs["loss"])


def fit(
    model: PreTrainedModel,
    examples: Sequence[Example],
    loss: Loss,
    settings: Settings,
    work: Path,
    keep: dict[int, Path],
    report: Callable[[int, int, float], None] = lambda step, steps, loss: None,
) -> list[dict[str, float]]:
    """Trains ``model`` in place and returns its metrics; a killed run resumes from ``work``.

    In a process that torchrun started it is one of several that train the same model; the first returns the metrics.

    Args:
        loss: of a model and a batch of :func:`collate`.
        work: folder for resumable checkpoints and metrics; not a result.
        keep: step -> folder where the model at that step is saved.
        report: called with (step, steps, loss).
    """
    work.mkdir(parents=True, exist_ok=True)
    optimizer = MuonWithAdamW(model, settings.learning_rate)
    schedule = get_linear_schedule_with_warmup(optimizer, settings.warmup, settings.steps)
    logging = max(1, settings.steps // 40)
    arguments = TrainingArguments(
        output_dir=str(work),
        per_device_train_batch_size=1,
        max_steps=settings.steps,
        max_grad_norm=1.0,
        seed=settings.seed,
        # A multiple of the logging's: a resumed run then logs the same means as an unbroken one.
        save_steps=logging * max(1, settings.steps // 5 // logging),
        save_total_limit=2,
        logging_steps=logging,
        # A loss that is not finite must be seen, not replaced by the last one that was.
        logging_nan_inf_filter=False,
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        train_sampling_strategy="sequential",
        use_cpu=not torch.cuda.is_available(),
        ddp_find_unused_parameters=False,
        dataloader_pin_memory=torch.cuda.is_available(),
    )
    metrics, key = work / METRICS, identity(model, examples, settings)
    trainer = _Fit(
        loss=loss,
        model=model,
        args=arguments,
        train_dataset=Batches(examples, settings),
        data_collator=collate,
        optimizers=(optimizer, schedule),
        callbacks=[_Record(work, key, keep, report)],
    )
    # It would print each line of metrics a second time.
    trainer.remove_callback(PrinterCallback)
    checkpoint = _last_whole_checkpoint(work, key, keep)
    if is_first():
        _cut(metrics, 0 if checkpoint is None else _step(checkpoint))
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    if not is_first():
        return []
    for step, folder in keep.items():
        shutil.copytree(_kept(work, step), folder, ignore=shutil.ignore_patterns(SUMS), dirs_exist_ok=True)
    rows = {row["step"]: row for row in map(json.loads, metrics.read_text().splitlines())}
    return [rows[step] for step in sorted(rows)]


def identity(model: PreTrainedModel, examples: Sequence[Example], settings: Settings) -> str:
    """A hash of what a training follows from: the model that it starts with, its examples and its settings."""
    digest = hashlib.sha256(repr(settings).encode())
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.double().sum().item()!r}".encode())
    for example in examples:
        digest.update(array("q", example.tokens).tobytes() + array("d", example.targets).tobytes())
    return digest.hexdigest()


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rsplit("-", 1)[1])


def _kept(work: Path, step: int) -> Path:
    """Where a checkpoint that is to be kept lies until the end: what lies in a job's outputs is lost with a kill."""
    return work / f"kept-{step}"


def _vouch(folder: Path, key: str) -> None:
    """Says of a checkpoint that has been written that it is whole, and of which training."""
    write_json(folder / SUMS, {"training": key, "files": _sums(folder)})


def _sums(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of a checkpoint; other processes may still be writing their random states."""
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name != SUMS and not path.name.startswith("rng_state"):
            with path.open("rb") as file:
                found[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _is_whole(folder: Path, key: str) -> bool:
    """Whether a checkpoint is of this very training, was written to its end and is as it was written."""
    try:
        told = json.loads((folder / SUMS).read_text())
    except (FileNotFoundError, ValueError):  # a kill, or a full disk, ended the writing
        return False
    if told["training"] != key:
        print(f"{folder} is of another training (other parameters, examples or base): not used")
        return False
    if told["files"] != _sums(folder):
        print(f"{folder} is not as it was written: not used")
        return False
    return True


def _last_whole_checkpoint(work: Path, key: str, keep: Collection[int]) -> Path | None:
    """The newest whole checkpoint before which all that was to be kept is there, whole too."""
    for folder in sorted(work.glob("checkpoint-*"), key=_step, reverse=True):
        earlier = (_kept(work, step) for step in keep if step <= _step(folder))
        if all(_is_whole(path, key) for path in (folder, *earlier)):
            return folder
    return None


def _cut(metrics: Path, step: int) -> None:
    """Leaves only the lines of metrics up to a step: what comes after is written again, and the last may be a half."""
    lines = metrics.read_text().splitlines() if metrics.exists() else []
    kept = []
    for line in lines:
        try:
            if json.loads(line)["step"] <= step:
                kept.append(f"{line}\n")
        except ValueError:
            break
    with whole(metrics) as temporary:
        temporary.write_text("".join(kept))
