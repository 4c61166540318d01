"""The keys and values of tokens: one slot a token, whatever paths it belongs to, within a budget of memory."""

import numpy as np
import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache

from prm_scaling.engines.radix import EMPTY, Node, Radix

# By how much the tensors grow at once: few copies, and little that stands empty.
GROWTH = 1.15


class CacheTooSmall(ValueError):
    """The budget does not hold one path; the message has the number that would."""


class Store:
    """Slots for keys and values, and the trees of tokens that they belong to.

    Slot 0 belongs to no token: padding is written there and read from there, masked.

    Attributes:
        radix: which tokens are in which slots.
        values: (slots,) one number a token, for whoever computes one (the PRM's probability).
        most: tokens that the budget holds.
        bytes_per_token: keys and values of one token in all layers.
    """

    def __init__(self, model: PreTrainedModel, megabytes: int):
        """A budget of ``megabytes`` (2**20 bytes); ``ValueError`` for a model with other attention than full."""
        config = model.config.get_text_config()
        kinds = set(getattr(config, "layer_types", None) or [_kind(config)])
        if kinds != {"full_attention"}:
            raise ValueError(
                f"{config.model_type}: its layers are {sorted(kinds)}, and this engine keeps keys and values of full "
                "attention only; use `engine.name: vllm`"
            )
        heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self._shape, self._layers = (2, heads, width), config.num_hidden_layers
        self._dtype, self._device = model.dtype, model.device
        self.bytes_per_token = self._layers * 2 * heads * width * torch.finfo(model.dtype).bits // 8
        self.most = megabytes * 2**20 // self.bytes_per_token
        self.megabytes = megabytes
        self.layers = [self._tensor(1) for _ in range(self._layers)]
        self.values = np.zeros(1, dtype=np.float32)
        self._free, self._count = EMPTY, 0
        self.radix = Radix()
        self._last: tuple[str, tuple[int, ...], Node | None] = "", (), None
        self.reserved = 0

    def _tensor(self, slots: int) -> torch.Tensor:
        return torch.zeros((slots, *self._shape), dtype=self._dtype, device=self._device)

    @property
    def capacity(self) -> int:
        """Tokens that the tensors hold now."""
        return self.layers[-1].shape[0] - 1

    @property
    def bytes(self) -> int:
        """Bytes of all keys and values."""
        return sum(layer.numel() * layer.element_size() for layer in self.layers)

    def check(self, tokens: int) -> None:
        """:class:`CacheTooSmall` if a path of ``tokens`` does not fit the whole budget."""
        if tokens > self.most:
            needed = -(-tokens * self.bytes_per_token // 2**20)
            raise CacheTooSmall(
                f"engine.cache_megabytes {self.megabytes} holds the keys and values of {self.most:,} tokens; one path "
                f"may have {tokens:,} here, which takes {needed}: set engine.cache_megabytes to {needed} or more"
            )

    def plan(self, name: str, tokens: tuple[int, ...], reserve: int = 0) -> tuple[Node, int] | None:
        """A pinned node for ``tokens`` and how many of them are to be computed; ``None`` where there is no room yet.

        Args:
            name: the tree.
            tokens: the prefix.
            reserve: tokens for which room is kept beyond them.
        """
        node, held = self._match(name, tokens)
        lacking = len(tokens) - held
        if not self._make_room(lacking + reserve):
            node.pins -= 1
            return None
        self.reserved += reserve
        if lacking:
            above, node = node, self.radix.attach(node, tokens[held:], self.allocate(lacking), ready=False)
            above.pins -= 1
            node.pins += 1
        self._last = name, tokens, node
        return node, lacking

    def _match(self, name: str, tokens: tuple[int, ...]) -> tuple[Node, int]:
        """As :meth:`Radix.match`; samples of one prefix come one after the other, and only the first walks the tree."""
        last_name, last_tokens, node = self._last
        # A node that somebody needs is still in the tree, and is still where its tokens end.
        if node is not None and node.pins and last_name == name and last_tokens == tokens:
            node.pins += 1
            return node, len(tokens)
        return self.radix.match(name, tokens)

    def adopt(self, node: Node, tokens: tuple[int, ...]) -> tuple[np.ndarray, int]:
        """Slots for the last tokens of ``tokens``, those that no path below ``node`` has yet, and their number."""
        last, held = self.radix.walk(node, tokens)
        new = len(tokens) - held
        slots = self.allocate(new)
        if new:
            self.radix.attach(last, tokens[held:], slots, ready=True)
        return slots, new

    def _room(self) -> int:
        return self._count + self.most - self.capacity

    def _make_room(self, count: int) -> bool:
        lacking = count + self.reserved - self._room()
        if lacking > 0:
            # Some more than now: a walk through the tree should pay.
            self.free(self.radix.evict(max(lacking, self.most // 16)))
        return count + self.reserved <= self._room()

    def allocate(self, count: int) -> np.ndarray:
        """(count,) free slots; there must be room."""
        if count > self._count:
            self._grow(count - self._count)
        self._count -= count
        return self._free[self._count : self._count + count].copy()

    def free(self, slots: np.ndarray) -> None:
        """Take slots back."""
        if self._count + len(slots) > len(self._free):
            self._free = np.concatenate([self._free[: self._count], slots])
        else:
            self._free[self._count : self._count + len(slots)] = slots
        self._count += len(slots)

    def _grow(self, count: int) -> None:
        old = self.capacity
        new = min(self.most, max(old + count, int(old * GROWTH) + 256))
        assert new >= old + count
        for index, layer in enumerate(self.layers):
            if layer.shape[0] <= new:
                larger = self._tensor(new + 1)
                larger[: layer.shape[0]] = layer
                self.layers[index] = larger
        self.values = np.concatenate([self.values, np.zeros(new + 1 - len(self.values), dtype=np.float32)])
        # The lowest are taken first.
        self.free(np.arange(new, old, -1, dtype=np.int64))

    def forget(self) -> None:
        """Empty all trees; the memory is kept for the next."""
        self.radix, self._last = Radix(), ("", (), None)
        self._free, self._count, self.reserved = EMPTY, 0, 0
        self.free(np.arange(self.capacity, 0, -1, dtype=np.int64))


def _kind(config) -> str:
    """Of the layers of a model whose configuration does not list their kinds."""
    window = getattr(config, "sliding_window", None)
    return "full_attention" if window is None or window >= config.max_position_embeddings else "sliding_attention"


class StoredCache(Cache):
    """A store as transformers' models see it, pointed at the tokens of one forward pass."""

    def __init__(self, store: Store):
        super().__init__(layers=[])
        self._store = store
        self._fresh = torch.empty(0, dtype=torch.long)
        self._table: torch.Tensor | None = None

    def point(self, fresh: torch.Tensor, table: torch.Tensor | None) -> None:
        """What the next forward pass writes and reads.

        Args:
            fresh: (batch, new) slots of the tokens that are fed.
            table: (batch, all) slots of all that is attended to; ``None`` for the fed tokens alone.
        """
        self._fresh, self._table = fresh.reshape(-1), table

    def update(self, key_states, value_states, layer_idx, *args, **kwargs):
        """Writes new keys and values (batch, heads, new, dim); (batch, heads, all, dim) of both."""
        layer = self._store.layers[layer_idx]
        heads, width = layer.shape[2:]
        if not (key_states.shape[1::2] == value_states.shape[1::2] == (heads, width)):
            raise ValueError(
                f"keys {tuple(key_states.shape)} and values {tuple(value_states.shape)} where the model's "
                f"configuration says {heads} heads of {width}: this engine cannot keep them; use `engine.name: vllm`"
            )
        both = torch.stack((key_states.transpose(1, 2), value_states.transpose(1, 2)), dim=2)
        # A masked NaN would still spread to its neighbours in a batch, as 0 times NaN is NaN.
        layer.index_copy_(0, self._fresh, both.nan_to_num_().view(-1, *layer.shape[1:]))
        if self._table is None:
            return key_states, value_states
        read = layer.index_select(0, self._table.reshape(-1)).view(*self._table.shape, *layer.shape[1:])
        return read[:, :, 0].transpose(1, 2), read[:, :, 1].transpose(1, 2)

    def get_seq_length(self, layer_idx=0):
        """None is held as far as a model is concerned: positions and masks are given to it."""
        return 0

    def get_query_offset(self, layer_idx=0):
        """See :meth:`get_seq_length`."""
        return 0

    def get_mask_sizes(self, query_length, layer_idx=0):
        """See :meth:`get_seq_length`."""
        return query_length, 0
