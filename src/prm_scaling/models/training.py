"""One training loop for causal LMs and PRMs, on transformers' Trainer: resumable, with kept checkpoints.

Several processes, which torchrun starts, train one model: each computes some rows of every batch, and holds some of
every tensor of the model, of its gradients and of the optimizer's moments (FSDP, through accelerate).
"""

import json
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.utils.data import DataLoader
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from prm_scaling.models.batches import Batches, Parts
from prm_scaling.models.checkpoints import (
    METRICS,
    copy_kept,
    cut,
    identity,
    kept_at,
    last_whole_checkpoint,
    saving,
    step_of,
    vouch,
)
from prm_scaling.models.example import Example
from prm_scaling.models.lora import merged
from prm_scaling.models.optimizer import optimizer_of

Loss = Callable[[PreTrainedModel, dict[str, torch.Tensor]], torch.Tensor]
Report = Callable[[int, int, float], None]
ADVICE = "lower the learning rate (models.pretraining.learning_rate or train.learning_rate) and run again"


class Diverged(RuntimeError):
    """The training loss is not finite."""


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes:
        steps, batch: optimizer steps, and examples in each.
        learning_rate: at its peak.
        optimizer: ``muon`` (with AdamW for what is no hidden matrix; one process) or ``adamw``.
        precision: ``float32``, or ``bfloat16`` for activations and products; weights and moments stay float32.
        micro_batch: examples that a process computes at once, gradients being summed over them; null: all its own.
        gradient_checkpointing: layers are computed again in the backward pass, which saves their activations' memory.
        packing: examples of a (micro-)batch are one row, without padding.
        chance: the loss of who knows the labels' base rate only; a training that stays above it is reported.
    """

    steps: int
    batch: int
    learning_rate: float
    seed: int
    optimizer: str = "muon"
    precision: str = "float32"
    micro_batch: int | None = None
    gradient_checkpointing: bool = False
    packing: bool = False
    chance: float | None = None

    @property
    def warmup(self) -> int:
        """Steps over which the rate rises; after them it falls linearly to zero."""
        return min(50, max(1, self.steps // 10))

    def turns(self, processes: int) -> int:
        """Micro-batches a step, in each of the processes."""
        return math.ceil(self.batch / (self.micro_batch * processes)) if self.micro_batch else 1


def is_first() -> bool:
    """Whether this is the only process of a training, or the first of those that torchrun started."""
    return PartialState().is_main_process


def save(model: PreTrainedModel, folder: Path) -> None:
    """Writes a model that is or was trained, for ``from_pretrained``; all processes of its training must call this."""
    state = model.state_dict()
    if PartialState().num_processes > 1:
        state = get_model_state_dict(model, options=StateDictOptions(full_state_dict=True, cpu_offload=True))
    if is_first():
        whole, weights = merged(model, state)
        whole.save_pretrained(folder, state_dict=weights)


class _Fit(Trainer):
    """Trainer with a loss function of the caller's; of several processes each computes a share of every batch."""

    def __init__(self, loss: Loss, settings: Settings, **kwargs: Any):
        super().__init__(**kwargs)
        self._loss, self._settings = loss, settings

    def create_optimizer(self, model=None) -> torch.optim.Optimizer:
        """The one that the settings name."""
        if self.optimizer is None:  # type: ignore[has-type]
            self.optimizer = optimizer_of(self.model, self._settings.optimizer, self._settings.learning_rate)
        return self.optimizer

    def get_train_dataloader(self) -> DataLoader:
        """What the data set has for this process: Trainer's own would deal batches out to the processes."""
        if self.args.world_size == 1:
            return super().get_train_dataloader()
        return DataLoader(self.train_dataset, batch_size=1, collate_fn=_only)

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """The caller's loss, of a part of the batch as :func:`prm_scaling.models.batches.part` weighs it."""
        weight = inputs.pop("weight")
        with self.accelerator.autocast():
            return self._loss(model, inputs) * weight

    def _save_checkpoint(self, model, trial) -> None:
        with saving(Path(self.args.output_dir), self.state.global_step):
            super()._save_checkpoint(model, trial)


def _only(items: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    (item,) = items
    return item


class _Record(TrainerCallback):
    """Writes metrics as they come, keeps checkpoints at marked steps, tells of a training that goes wrong."""

    def __init__(self, work: Path, key: str, keep: Collection[int], settings: Settings, report: Report):
        self._work, self._key, self._keep, self._settings, self._report = work, key, keep, settings, report
        self._warned = False

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model=None, **kwargs
    ) -> None:
        """Keeps a checkpoint at a marked step."""
        if state.global_step not in self._keep:
            return
        folder = kept_at(self._work, state.global_step)
        with saving(self._work, state.global_step):
            save(model, folder)
            if state.is_world_process_zero:
                vouch(folder, self._key)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs) -> None:
        """Says of a checkpoint that has been written that it is whole, and of which training."""
        if state.is_world_process_zero:
            with saving(self._work, state.global_step):
                vouch(self._work / f"checkpoint-{state.global_step}", self._key)

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        """One line of metrics."""
        if not logs or "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise Diverged(f"the loss at step {state.global_step} is {logs['loss']}; {ADVICE}")
        if not state.is_world_process_zero:
            return
        with saving(self._work, state.global_step), (self._work / METRICS).open("a") as file:
            file.write(json.dumps({"step": state.global_step, **logs}) + "\n")
        self._warn(state.global_step, logs["loss"])
        self._report(state.global_step, state.max_steps, logs["loss"])

    def _warn(self, step: int, loss: float) -> None:
        chance = self._settings.chance
        # As long again as the warm-up: only then has the full rate had its time.
        if chance is None or self._warned or step <= 2 * self._settings.warmup or loss <= chance:
            return
        self._warned = True
        print(
            f"the loss at step {step}, {loss:.4f}, is above {chance:.4f}, that of who knows the labels' base rate "
            f"only: nothing is learnt, or it diverges; if later lines do not fall below it, {ADVICE}, or look at "
            "the labels",
            flush=True,
        )


def fit(
    model: PreTrainedModel,
    examples: Sequence[Example],
    loss: Loss,
    settings: Settings,
    work: Path,
    keep: dict[int, Path],
    report: Report = lambda step, steps, loss: None,
) -> list[dict[str, float]]:
    """Trains ``model`` in place and returns its metrics; a killed run resumes from ``work``.

    In a process that torchrun started it is one of several that train the same model; the first returns the metrics,
    and :func:`save` writes the model.

    Args:
        loss: of a model and a batch of :mod:`prm_scaling.models.batches`, a mean over its targets.
        work: folder for resumable checkpoints and metrics; not a result.
        keep: step -> folder where the model at that step is saved.
        report: called with (step, steps, loss).

    Raises:
        Diverged: the loss is not finite.
        NotSaved: a checkpoint could not be written.
        ValueError: the optimizer does not train in several processes.
    """
    work.mkdir(parents=True, exist_ok=True)
    arguments = _arguments(settings, work)
    processes = arguments.world_size
    turns = settings.turns(processes)
    arguments.gradient_accumulation_steps = turns
    if processes > 1 and settings.optimizer == "muon":
        raise ValueError("train.optimizer: muon works on whole matrices, so in one process only; use adamw")
    key, checkpoint = _begun(model, examples, settings, work, keep)
    batches = Batches(examples, settings.steps, settings.batch, settings.seed)
    trainer = _Fit(
        loss,
        settings,
        model=model,
        args=arguments,
        train_dataset=Parts(batches, turns, settings.packing, arguments.process_index, processes),
        data_collator=_only,
        callbacks=[_Record(work, key, keep, settings, report)],
    )
    # It would print each line of metrics a second time.
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=checkpoint)
    if not is_first():
        return []
    copy_kept(work, keep)
    rows = {row["step"]: row for row in map(json.loads, (work / METRICS).read_text().splitlines())}
    return [rows[step] for step in sorted(rows)]


def _begun(
    model: PreTrainedModel, examples: Sequence[Example], settings: Settings, work: Path, keep: Collection[int]
) -> tuple[str, str | None]:
    """The training's identity and the checkpoint to go on from, as the first process finds them, told to all."""
    found: list[Any] = [None, None]
    if is_first():
        key = identity(model, examples, settings, PartialState().num_processes)
        checkpoint = last_whole_checkpoint(work, key, keep)
        cut(work / METRICS, 0 if checkpoint is None else step_of(checkpoint))
        found = [key, checkpoint and str(checkpoint)]
    key, checkpoint = broadcast_object_list(found)
    return key, checkpoint


def _arguments(settings: Settings, work: Path) -> TrainingArguments:
    logging = max(1, settings.steps // 40)
    several = PartialState(cpu=not torch.cuda.is_available()).num_processes > 1
    sharding = {
        "version": 2,
        # Each process writes what it holds: nobody has room for the whole, with its moments.
        "state_dict_type": "SHARDED_STATE_DICT",
        "activation_checkpointing": settings.gradient_checkpointing,
    }
    return TrainingArguments(
        output_dir=str(work),
        per_device_train_batch_size=1,
        max_steps=settings.steps,
        warmup_steps=settings.warmup,
        lr_scheduler_type="linear",
        max_grad_norm=1.0,
        seed=settings.seed,
        bf16=settings.precision == "bfloat16",
        gradient_checkpointing=settings.gradient_checkpointing and not several,
        fsdp=True if several else None,
        fsdp_config=sharding if several else None,
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
        dataloader_pin_memory=torch.cuda.is_available(),
    )
