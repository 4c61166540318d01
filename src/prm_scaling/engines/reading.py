"""A model reads trees of tokens: each token once, whatever paths it belongs to.

New tokens of a tree that continue one held prefix form a row, in which each attends to its ancestors alone (tree
attention, as in SpecInfer, Miao et al. 2023); rows of many trees form a batch.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from prm_scaling.engines.faults import out_of_memory
from prm_scaling.engines.radix import Node
from prm_scaling.engines.seats import Seats
from prm_scaling.engines.stepping import run_by, stepping
from prm_scaling.engines.store import Store, StoredCache

# New tokens of a row that branches: beyond that the attention that is masked costs more than a second pass.
ROW = 256
# Entries of a batch's attention mask.
MASK = 2**24
# Tokens of padding that cost more than another pass does.
PADDING = 256


@dataclass
class Row:
    """New tokens that continue one held prefix.

    Attributes:
        above: slots of the held prefix.
        nodes: with the place of each in the row, and of its parent's last token (-1 is the held prefix).
        tokens, slots: of the new tokens, all nodes' in a row.
    """

    above: np.ndarray
    nodes: list[tuple[Node, int, int]]
    tokens: list[int]
    slots: list[np.ndarray]

    @property
    def total(self) -> int:
        """Tokens that are attended to."""
        return len(self.above) + len(self.tokens)

    @property
    def plain(self) -> bool:
        """Whether each token attends to all before it, and to nothing else."""
        return len(self.nodes) == 1 and not len(self.above)

    def last_of(self, node: Node) -> int:
        """The place of a node's last token."""
        return next(start for n, start, _ in self.nodes if n is node) + len(node.tokens) - 1


def row_below(front: Node) -> tuple[Row, list[Node]]:
    """A row of what is to be computed from ``front`` down, and the nodes at which the rest goes on."""
    assert front.parent is not None
    row, rest = Row(front.parent.path_slots(), [], [], []), []
    stack = [(front, -1)]
    while stack:
        node, above = stack.pop()
        if row.tokens and len(row.tokens) + len(node.tokens) > ROW:
            rest.append(node)
            continue
        start = len(row.tokens)
        row.nodes.append((node, start, above))
        row.tokens.extend(node.tokens)
        row.slots.append(node.slots)
        stack.extend((child, len(row.tokens) - 1) for child in node.children.values())
    return row, rest


def last_token(node: Node) -> Row:
    """A row that computes the last token of a prefix again: its keys and values are held, its logits are not."""
    slots = node.path_slots()
    return Row(slots[:-1], [(node, 1 - len(node.tokens), -1)], [node.tokens[-1]], [slots[-1:]])


def batches(rows: Sequence[Row], tokens: int) -> Iterator[list[Row]]:
    """Rows in batches of one kind and of like size, largest first, each of at most ``tokens`` with its padding."""
    batch: list[Row] = []
    longest = padding = 0
    for row in sorted(rows, key=lambda r: (r.plain, -len(r.tokens), -r.total)):
        size, longest = len(batch) + 1, max(longest, row.total)
        widest = len(batch[0].tokens) if batch else len(row.tokens)
        padding += widest - len(row.tokens)
        full = size * widest > tokens or size * widest * longest > MASK or padding > PADDING
        if batch and (full or row.plain != batch[0].plain):
            yield batch
            batch, longest, padding = [], row.total, 0
        batch.append(row)
    if batch:
        yield batch


class Reader:
    """A model and the store of what it has read."""

    def __init__(self, model: PreTrainedModel, store: Store, tokens: int):
        """``tokens`` bounds one batch, padding included; it is halved when memory runs out."""
        self._store, self._tokens = store, tokens
        self._model = _bare(model.base_model)
        self._stepping = stepping(model.base_model)
        # A model looks these up among its parameters each time.
        self._cache, self._device, self._dtype = StoredCache(store), model.device, model.dtype
        self.halvings = 0

    def compute(self, nodes: Iterable[Node], take: Callable[[torch.Tensor, list[Row]], None]) -> None:
        """Computes all of ``nodes`` and above them that is not yet; ``take`` gets each batch's hidden states.

        Hidden states are (rows, longest, width), padded on the right.
        """
        fronts = list(dict.fromkeys(front for node in nodes if (front := _front(node)) is not None))
        while fronts:
            made = [row_below(front) for front in fronts]
            self.feed([row for row, _ in made], take)
            fronts = [node for _, rest in made for node in rest]

    def feed(self, rows: Sequence[Row], take: Callable[[torch.Tensor, list[Row]], None]) -> None:
        """Feeds rows in batches; halves the batch when memory runs out, down to one row."""
        waiting = list(batches(rows, self._tokens))
        while waiting:
            batch = waiting.pop(0)
            try:
                hidden = self._batch(batch)
                take(hidden, batch)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error) or len(batch) == 1:
                    raise
                self.halvings += 1
                self._tokens = max(1, self._tokens // 2)
                middle = len(batch) // 2
                waiting = [batch[:middle], batch[middle:], *waiting]
                continue
            for row in batch:
                for node, _, _ in row.nodes:
                    node.ready = True

    def _batch(self, rows: list[Row]) -> torch.Tensor:
        widest, longest = max(len(r.tokens) for r in rows), max(r.total for r in rows)
        ids, fresh, positions = (np.zeros((len(rows), widest), dtype=np.int64) for _ in range(3))
        for i, row in enumerate(rows):
            ids[i, : len(row.tokens)] = row.tokens
            fresh[i, : len(row.tokens)] = np.concatenate(row.slots)
            for node, start, _ in row.nodes:
                size = len(node.tokens)
                positions[i, max(0, start) : start + size] = np.arange(node.depth - min(size, start + size), node.depth)
        if all(row.plain for row in rows):
            # Plain causal attention: the padding is on the right, where no token looks.
            return self._forward(ids, positions, fresh, None, None)
        table = np.zeros((len(rows), longest), dtype=np.int64)
        seen = np.zeros((len(rows), widest, longest), dtype=bool)
        for i, row in enumerate(rows):
            held = len(row.above)
            table[i, :held] = row.above
            table[i, held : row.total] = fresh[i, : len(row.tokens)]
            seen[i, : len(row.tokens), :held] = True
            for node, start, above in row.nodes:
                first, end = max(0, start), start + len(node.tokens)
                if above >= 0:
                    seen[i, first:end, held : held + first] = seen[i, above, held : held + first]
                seen[i, first:end, held + first : held + end] = np.tri(end - first, dtype=bool)
        return self._forward(ids, positions, fresh, table, torch.from_numpy(seen))

    def step(self, seats: Seats, count: int) -> torch.Tensor:
        """Feeds the newest token of the first ``count`` seats; (count, width) hidden states."""
        ids, positions, seen = seats.point(count)
        if self._stepping is None:
            hidden = self._run(ids, positions, seen, seats)[:, 0]
        else:
            hidden = self._stepping(
                input_ids=ids.to(self._device),
                position_ids=positions.to(self._device),
                attention_mask=self._mask(seen),
                past_key_values=seats,
            )
        seats.length[:count] += 1
        return hidden

    def _forward(self, ids, positions, fresh, table, seen) -> torch.Tensor:
        place = self._device
        self._cache.point(
            torch.from_numpy(fresh).to(place), None if table is None else torch.from_numpy(table).to(place)
        )
        return self._run(torch.from_numpy(ids), torch.from_numpy(positions), seen, self._cache)

    def _run(self, ids: torch.Tensor, positions: torch.Tensor, seen: torch.Tensor | None, cache: Cache) -> torch.Tensor:
        return self._model(
            input_ids=ids.to(self._device),
            attention_mask=self._mask(seen),
            position_ids=positions.to(self._device),
            past_key_values=cache,
            use_cache=True,
        ).last_hidden_state

    def _mask(self, seen: torch.Tensor | None) -> torch.Tensor | None:
        """What is added to the attention scores; finite, so that a row of padding does not make NaN."""
        if seen is None:
            return None
        least = torch.finfo(self._dtype).min
        return torch.where(seen.to(self._device), 0.0, least).to(self._dtype).unsqueeze(1)


def _bare(model: PreTrainedModel) -> nn.Module:
    """The same modules, weights and hooks, run by the model's own code alone.

    What transformers wraps around it (defaults of the configuration, outputs that are not asked for here) takes a tenth
    of a small model's time. A model whose code was replaced (offloading, say) is left as it is.
    """
    if "forward" in vars(model):
        return model
    return run_by(model, inspect.unwrap(type(model).forward))


def _front(node: Node) -> Node | None:
    """The first node on the path that is to be computed."""
    front = None
    while node.parent is not None:
        if not node.ready:
            front = node
        node = node.parent
    return front
