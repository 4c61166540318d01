"""A radix tree of token sequences: which tokens have been computed, and in which slots their keys and values are.

After SGLang's RadixAttention (Zheng et al. 2023): an edge holds a run of tokens, the least recently used leaves go
first when room is wanted. Here every named tree has a root of its own.
"""

import heapq
from collections.abc import Iterator, Sequence

import numpy as np


class Node:
    """The tokens between its parent's end and its own.

    Attributes:
        tokens: the run of tokens.
        slots: (tokens,) where the keys and values of each are.
        depth: tokens from the root to the end of this node.
        pins: how many users need the node to stay.
        ready: whether its keys and values have been computed.
    """

    __slots__ = ("children", "depth", "parent", "pins", "ready", "slots", "tokens", "used")

    def __init__(self, tokens: tuple[int, ...], slots: np.ndarray, parent: "Node | None", ready: bool):
        self.tokens, self.slots, self.parent, self.ready = tokens, slots, parent, ready
        self.depth: int = len(tokens) + (parent.depth if parent else 0)
        self.children: dict[int, Node] = {}
        self.pins = self.used = 0

    def path(self) -> "list[Node]":
        """The nodes from the root's child down to this one."""
        nodes: list[Node] = []
        node = self
        while node.parent is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]

    def path_slots(self) -> np.ndarray:
        """(depth,) the slots of all tokens from the root to the end of this node."""
        slots = [node.slots for node in self.path()]
        return np.concatenate(slots) if slots else EMPTY


EMPTY = np.empty(0, dtype=np.int64)


def shared(run: Sequence[int], tokens: Sequence[int], start: int) -> int:
    """How many tokens of ``run`` are also those of ``tokens`` from ``start`` on.

    >>> shared((1, 2, 3), (0, 1, 2, 9), 1)
    2
    """
    part = tokens[start : start + len(run)]
    if part == run:
        return len(run)
    return next((i for i, (a, b) in enumerate(zip(run, part, strict=False)) if a != b), min(len(run), len(part)))


class Radix:
    """The trees. ``size`` counts the tokens that they hold, each distinct prefix once."""

    def __init__(self) -> None:
        self._roots: dict[str, Node] = {}
        self._clock = 0
        self.size = 0

    def match(self, name: str, tokens: tuple[int, ...]) -> tuple[Node, int]:
        """The node at which ``tokens`` leave tree ``name``, pinned, and how many of them it holds."""
        root = self._roots.get(name)
        if root is None:
            root = self._roots[name] = Node((), EMPTY, None, True)
        node, at = self.walk(root, tokens)
        node.pins += 1
        return node, at

    def walk(self, node: Node, tokens: tuple[int, ...]) -> tuple[Node, int]:
        """As far along ``tokens`` as the tree goes; a node is split where they part."""
        self._clock += 1
        at = 0
        while at < len(tokens):
            child = node.children.get(tokens[at])
            if child is None:
                break
            same = shared(child.tokens, tokens, at)
            node = child if same == len(child.tokens) else self._split(child, same)
            node.used = self._clock
            at += same
        return node, at

    def attach(self, parent: Node, tokens: tuple[int, ...], slots: np.ndarray, ready: bool) -> Node:
        """A new node below ``parent``, which has none that begins alike."""
        node = Node(tokens, slots, parent, ready)
        node.used = self._clock
        parent.children[tokens[0]] = node
        self.size += len(tokens)
        return node

    @staticmethod
    def _split(node: Node, at: int) -> Node:
        """Puts a new node before ``node``, which keeps its end, and so its pins."""
        assert node.parent is not None
        upper = Node(node.tokens[:at], node.slots[:at], node.parent, node.ready)
        node.parent.children[upper.tokens[0]] = upper
        node.tokens, node.slots, node.parent = node.tokens[at:], node.slots[at:], upper
        upper.children[node.tokens[0]] = node
        return upper

    def evict(self, count: int) -> np.ndarray:
        """Slots of the least recently used leaves that nobody needs: at least ``count`` if there are as many."""
        heap = [(n.used, i, n) for i, n in enumerate(self._nodes()) if not n.children and not n.pins]
        heapq.heapify(heap)
        freed: list[np.ndarray] = []
        found, order = 0, len(heap) + self.size
        while heap and found < count:
            _, _, node = heapq.heappop(heap)
            parent = node.parent
            assert parent is not None
            del parent.children[node.tokens[0]]
            freed.append(node.slots)
            found += len(node.slots)
            if parent.parent is not None and not parent.children and not parent.pins:
                order += 1
                heapq.heappush(heap, (parent.used, order, parent))
        self.size -= found
        self._roots = {k: root for k, root in self._roots.items() if root.children or root.pins}
        return np.concatenate(freed) if freed else EMPTY

    def _nodes(self) -> Iterator[Node]:
        stack = [node for root in self._roots.values() for node in root.children.values()]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(node.children.values())
