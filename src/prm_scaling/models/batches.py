"""What each step of a training sees: batches of like length, parts of them, and their tensors, padded or packed."""

import math
from collections.abc import Sequence

import torch
from torch.utils.data import Dataset

from prm_scaling.models.example import Example
from prm_scaling.seeds import stream


class Batches:
    """Batches of like length in a seeded order, as many as there are steps; item i is step i's batch."""

    def __init__(self, examples: Sequence[Example], steps: int, batch: int, seed: int):
        self._examples = examples
        order: list[list[int]] = []
        epoch = 0
        while len(order) < steps:
            order += self._epoch(batch, stream(seed, "order", epoch))
            epoch += 1
        self._order = order[:steps]

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


class Parts(Dataset):
    """The parts of all batches that one process computes, in order: ``turns`` of them a step.

    Args:
        batches: a batch a step.
        packed: tensors of :func:`packed` in place of those of :func:`padded`.
        process, processes: which process this is, of how many that share every batch.
    """

    def __init__(self, batches: Batches, turns: int, packed: bool, process: int = 0, processes: int = 1):
        self._batches, self._turns, self._packed = batches, turns, packed
        self._process, self._processes = process, processes

    def __len__(self) -> int:
        return len(self._batches) * self._turns

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        step, turn = divmod(index, self._turns)
        rows, weight = part(self._batches[step], turn, self._turns, self._process, self._processes)
        return {**(packed(rows) if self._packed else padded(rows)), "weight": torch.tensor(weight)}


def part(
    batch: list[Example], turn: int = 0, turns: int = 1, process: int = 0, processes: int = 1
) -> tuple[list[Example], float]:
    """The rows of a batch that a process computes in one of its turns, and the weight of their loss.

    The weight is the number of parts times the share of the batch's targets that these rows have. The mean over parts
    of a loss that is a mean over targets, so weighted, is that loss of the whole batch.
    """
    counts = [sum(not math.isnan(t) for t in e.targets) for e in batch]
    # Neighbours are of like length: a turn takes those next to each other, and its processes share them evenly.
    own = range(len(batch))[len(batch) * turn // turns : len(batch) * (turn + 1) // turns][process::processes]
    rows = [i for i in own if counts[i]]
    weight = turns * processes * sum(counts[i] for i in rows) / sum(counts)
    # Who has nothing to do computes what counts for nothing, so that all processes take part in every step.
    return [batch[i] for i in rows or [counts.index(max(counts))]], weight


def padded(rows: list[Example]) -> dict[str, torch.Tensor]:
    """``input_ids`` and ``targets`` (rows, longest), nan where there is none.

    No attention mask: the padding is on the right, where no token of a causal model looks and no target is, and
    attention without a mask is faster.
    """
    ids = torch.zeros((len(rows), max(len(e.tokens) for e in rows)), dtype=torch.long)
    targets = torch.full(ids.shape, math.nan)
    for row, example in enumerate(rows):
        ids[row, : len(example.tokens)] = torch.tensor(example.tokens)
        targets[row, : len(example.targets)] = torch.tensor(example.targets)
    return {"input_ids": ids, "targets": targets}


def packed(rows: list[Example]) -> dict[str, torch.Tensor]:
    """All rows one after the other: ``input_ids``, ``targets`` and ``position_ids`` (1, tokens), no padding.

    Positions begin anew with each row. By that transformers knows where one ends, and lets no token see another row.
    """
    return {
        "input_ids": torch.tensor([[t for e in rows for t in e.tokens]]),
        "targets": torch.tensor([[t for e in rows for t in e.targets]]),
        "position_ids": torch.tensor([[i for e in rows for i in range(len(e.tokens))]]),
    }


def read(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor | bool]:
    """What a model is given of a batch.

    No cache of keys and values: training has no use for it, and beside one transformers takes packed rows for one.
    """
    return {**{k: batch[k] for k in ("input_ids", "position_ids") if k in batch}, "use_cache": False}
