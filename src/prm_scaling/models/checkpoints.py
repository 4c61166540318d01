"""Checkpoints of a training: which are whole and its own, where they lie, and the metrics beside them."""

import hashlib
import json
import shutil
from array import array
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers import PreTrainedModel

from prm_scaling.models.example import Example
from prm_scaling.models.lora import scale_of
from prm_scaling.storage import whole, write_json

METRICS = "metrics.jsonl"
# Of a checkpoint: of which training it is, and the hashes of its files.
SUMS = "sums.json"


class NotSaved(OSError):
    """A checkpoint could not be written; the message says where, why, and the way out."""


@contextmanager
def saving(work: Path, step: int) -> Iterator[None]:
    """Tells of a checkpoint that cannot be written, whatever the libraries that write it raise.

    Raises:
        NotSaved: the disk is full or read-only, or writing failed in another way.
    """
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        free = shutil.disk_usage(work).free / 1e6
        raise NotSaved(
            f"the checkpoint of step {step} could not be written to {work} ({free:,.0f} MB are free there): {error}; "
            "make room and run again: training goes on from its last whole checkpoint"
        ) from error


def identity(model: PreTrainedModel, examples: Sequence[Example], settings: Any, processes: int) -> str:
    """A hash of what a training's checkpoints follow from: the model that it starts with, its examples, its settings.

    And whether there is more than one process, as these write checkpoints of another form.
    """
    digest = hashlib.sha256(f"{settings!r} {processes > 1} {scale_of(model)}".encode())
    for name, tensor in model.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.double().sum().item()!r}".encode())
    for example in examples:
        digest.update(array("q", example.tokens).tobytes() + array("d", example.targets).tobytes())
    return digest.hexdigest()


def step_of(checkpoint: Path) -> int:
    """The step of a resumable checkpoint, from its name."""
    return int(checkpoint.name.rsplit("-", 1)[1])


def kept_at(work: Path, step: int) -> Path:
    """Where a checkpoint that is to be kept lies until the end: what lies in a job's outputs is lost with a kill."""
    return work / f"kept-{step}"


def vouch(folder: Path, key: str) -> None:
    """Says of a checkpoint that has been written that it is whole, and of which training."""
    write_json(folder / SUMS, {"training": key, "files": _sums(folder)})


def copy_kept(work: Path, keep: dict[int, Path]) -> None:
    """Copies the kept checkpoints to where they belong."""
    for step, folder in keep.items():
        shutil.copytree(kept_at(work, step), folder, ignore=shutil.ignore_patterns(SUMS), dirs_exist_ok=True)


def _sums(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file of a checkpoint; other processes may still be writing their random states."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != SUMS and not path.name.startswith("rng_state"):
            with path.open("rb") as file:
                found[str(path.relative_to(folder))] = hashlib.file_digest(file, "sha256").hexdigest()
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


def last_whole_checkpoint(work: Path, key: str, keep: Collection[int]) -> Path | None:
    """The newest whole checkpoint before which all that was to be kept is there, whole too."""
    for folder in sorted(work.glob("checkpoint-*"), key=step_of, reverse=True):
        earlier = (kept_at(work, step) for step in keep if step <= step_of(folder))
        if all(_is_whole(path, key) for path in (folder, *earlier)):
            return folder
    return None


def cut(metrics: Path, step: int) -> None:
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
