"""The paths that are decoded together: each has a seat while it grows, which the next one takes when it ends."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from transformers.cache_utils import Cache

from prm_scaling.engines.decoding import uniforms
from prm_scaling.engines.interface import Extend
from prm_scaling.engines.radix import Node
from prm_scaling.engines.store import Store

# Columns by which the seats' keys and values grow at once.
COLUMNS = 32


@dataclass
class Ready:
    """A request whose prefix has been read.

    Attributes:
        index: its place in the call.
        node: where its prefix ends.
        limit: new tokens at most.
        computed: prefix tokens that were computed for it.
    """

    index: int
    request: Extend
    node: Node
    limit: int
    computed: int


class Seats(Cache):
    """State of the paths under way, and their keys and values as transformers' models see them.

    Attention reads keys and values of a step where they lie together, so each path has a copy of its prefix's here,
    and gives the store its own tokens' when it leaves. The paths under way sit at 0, 1, ... without a gap.

    Attributes:
        ready: (seated,) who sits there.
        tokens: (seats, longest) what was drawn.
        drawn: (seats,) how many tokens were drawn.
        length: (seats,) tokens of the path that were fed, prefix included.
        stopping: (vocabulary,) tokens that may complete a stop text of the call.
    """

    def __init__(self, seats: int, longest: int, stopping: np.ndarray, store: Store, device: torch.device):
        """``longest`` is that of the call's extensions."""
        super().__init__(layers=[])
        self._store, self._device = store, device
        self.stopping = stopping
        self.ready: list[Ready] = []
        self.tokens = np.zeros((seats, longest), dtype=np.int64)
        self.drawn, self.length, self.limit = (np.zeros(seats, dtype=np.int64) for _ in range(3))
        self._noise = np.zeros((seats, longest), dtype=np.float32)
        self._temperature, self._top_p = np.zeros(seats, dtype=np.float32), np.ones(seats, dtype=np.float32)
        self._layers: list[tuple[torch.Tensor, torch.Tensor]] = [
            (self._tensor(0, layer), self._tensor(0, layer)) for layer in store.layers
        ]
        self._rows = self._ends = torch.empty(0, dtype=torch.long)
        self._longest, self._level = 0, False

    def _tensor(self, columns: int, layer: torch.Tensor) -> torch.Tensor:
        _, _, heads, width = layer.shape
        # Zeros: what is masked must still be a number.
        return torch.zeros((len(self.drawn), heads, columns, width), dtype=layer.dtype, device=self._device)

    def _widen(self, columns: int) -> None:
        held = self._layers[0][0].shape[2]
        if columns <= held:
            return
        columns = -(-columns // COLUMNS) * COLUMNS
        for index, (pair, layer) in enumerate(zip(self._layers, self._store.layers, strict=True)):
            wider = (self._tensor(columns, layer), self._tensor(columns, layer))
            for old, new in zip(pair, wider, strict=True):
                new[: len(self.ready), :, :held] = old[: len(self.ready)]
            self._layers[index] = wider

    def take(self, entering: Sequence[Ready]) -> None:
        """Seats paths behind those that sit already."""
        start, depths = len(self.ready), [one.node.depth for one in entering]
        widest = max(depths)
        self._widen(widest + 1)
        slots: dict[Node, np.ndarray] = {}
        rows = np.zeros((len(entering), widest), dtype=np.int64)
        for row, one in zip(rows, entering, strict=True):
            if one.node not in slots:
                slots[one.node] = one.node.path_slots()
            row[: one.node.depth] = slots[one.node]
        table = torch.from_numpy(rows).to(self._device)
        for pair, layer in zip(self._layers, self._store.layers, strict=True):
            read = layer.index_select(0, table.reshape(-1)).view(*table.shape, *layer.shape[1:])
            for which, tensor in enumerate(pair):
                tensor[start : start + len(entering), :, :widest] = read[:, :, which].transpose(1, 2)
        for seat, one in enumerate(entering, start):
            sampling = one.request.sampling
            self._temperature[seat], self._top_p[seat] = sampling.temperature, sampling.top_p
            self.limit[seat] = one.limit
            if sampling.temperature > 0:
                self._noise[seat, : one.limit] = uniforms(one.request.seed, one.limit)
        end = start + len(entering)
        self.drawn[start:end], self.length[start:end] = 0, depths
        self.ready.extend(entering)

    def sampling(self, seats: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(seats,) temperature, top_p, and the uniform number of each one's next token."""
        return self._temperature[seats], self._top_p[seats], self._noise[seats, self.drawn[seats]]

    def note(self, seats: np.ndarray, tokens: np.ndarray) -> None:
        """Notes a drawn token a seat."""
        self.tokens[seats, self.drawn[seats]] = tokens
        self.drawn[seats] += 1

    def keep(self, seats: Sequence[int]) -> None:
        """Gives the store the keys and values of what these paths were fed, as far as no other path has."""
        where, columns, kept = [], [], []
        for seat in seats:
            one = self.ready[seat]
            count = int(self.length[seat]) - one.node.depth
            if count:
                slots, new = self._store.adopt(one.node, tuple(self.tokens[seat, :count].tolist()))
                kept.append(slots)
                where.append(np.full(new, seat))
                columns.append(np.arange(self.length[seat] - new, self.length[seat]))
            self._store.reserved -= one.limit
            one.node.pins -= 1
        if not kept:
            return
        parts = (np.concatenate(part) for part in (where, columns, kept))
        at, column, kept_in = (torch.from_numpy(part).to(self._device) for part in parts)
        for (keys, values), layer in zip(self._layers, self._store.layers, strict=True):
            layer[kept_in] = torch.stack((keys[at, :, column], values[at, :, column]), dim=1)

    def leave(self, seats: Sequence[int]) -> None:
        """Frees seats; the last ones move into the gaps."""
        left = len(self.ready) - len(seats)
        gaps = sorted(seat for seat in seats if seat < left)
        movers = sorted(set(range(left, len(self.ready))) - set(seats))
        if movers:
            to, of = torch.tensor(gaps, device=self._device), torch.tensor(movers, device=self._device)
            columns = int(self.length[movers].max())
            for pair in self._layers:
                for tensor in pair:
                    tensor[to, :, :columns] = tensor[of, :, :columns]
            for state in (self.tokens, self.drawn, self.length, self.limit):
                state[gaps] = state[movers]
            for noise in (self._noise, self._temperature, self._top_p):
                noise[gaps] = noise[movers]
            for gap, mover in zip(gaps, movers, strict=True):
                self.ready[gap] = self.ready[mover]
        del self.ready[left:]

    def point(self, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Makes the next forward pass one of the first ``count`` seats' newest tokens.

        Returns:
            (count, 1) tokens, (count, 1) their positions, (count, 1, longest) what each attends to, ``None`` for all.
        """
        newest, length = self.tokens[np.arange(count), self.drawn[:count] - 1], self.length[:count]
        self._longest = int(length.max()) + 1
        self._level = int(length.min()) + 1 == self._longest
        self._widen(self._longest)
        self._ends = torch.from_numpy(length.copy()).to(self._device)
        seen = None
        if not self._level:
            self._rows = torch.arange(count, device=self._device)
            seen = (torch.arange(self._longest, device=self._device) <= self._ends.unsqueeze(1)).unsqueeze(1)
        return torch.from_numpy(newest).unsqueeze(1), self._ends.unsqueeze(1), seen

    def update(self, key_states, value_states, layer_idx, *args, **kwargs):
        """Writes the newest keys and values (count, heads, 1, dim); those of all tokens of these seats."""
        count, pair = len(self._ends), self._layers[layer_idx]
        for tensor, states in zip(pair, (key_states, value_states), strict=True):
            if self._level:
                tensor[:count, :, self._longest - 1] = states[:, :, 0]
            else:
                tensor[self._rows, :, self._ends] = states[:, :, 0]
        keys, values = (tensor[:count, :, : self._longest] for tensor in pair)
        return keys, values

    def get_seq_length(self, layer_idx=0):
        """None is held as far as a model is concerned: positions and masks are given to it."""
        return 0
