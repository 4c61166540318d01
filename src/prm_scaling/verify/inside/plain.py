"""Plain data as text: how values cross from a program under test to whoever looks at them.

Numbers, strings, bytes, lists, tuples, sets, dictionaries, ``None`` and truth values go over by value, as JSON with
tags; whatever a program hangs on them (an ``__eq__`` that is always true) stays behind. JSON and not pickle: reading
it runs nothing.
"""

import json
import sys
from collections.abc import Callable, Iterable
from itertools import chain
from string import ascii_letters, digits
from typing import Any

DEEPEST = 100
MOST_VALUES = 8_000_000
# Of one message, in bytes.
MOST_BYTES = 64 << 20
# Of one message to tests that are code, which have memory of their own: a problem of MBPP+ hands them 128 million
# strings, and they are of five kinds. Such rows go over as one text, a letter a cell.
MOST_TABLE_BYTES = 192 << 20
TABLE_ROWS = 1000
CELLS = ascii_letters + digits
# Integers below this are written in decimal, which takes Python quadratic time, and has a limit there.
_NATIVE = 10**1000
# One for all messages: `json.dumps` makes another each time that it is told the separators.
_ENCODER = json.JSONEncoder(separators=(",", ":"))
_SIMPLE = {float, str, bool, type(None)}


class Unplain(ValueError):
    """A value that is not plain data, or too much of it."""


class _Letters(dict):
    """A letter for each different cell, as long as there are letters."""

    def __missing__(self, cell: Any) -> str:
        if len(self) == len(CELLS):
            raise LookupError
        self[cell] = CELLS[len(self)]
        return self[cell]


class _Encoder:
    """Counts what it has seen: ten lists, each ten times in the next, are few objects and a great many values."""

    def __init__(self, other: Callable[[Any], Any] | None, tables: bool) -> None:
        self.left = MOST_VALUES
        self.cells_left = MOST_TABLE_BYTES if tables else 0
        self.other = other

    def encode(self, value: Any, depth: int = 0) -> Any:
        """JSON for ``value``; subclasses of plain types count as those."""
        self.left -= 1
        if self.left < 0 or depth > DEEPEST:
            raise Unplain("too large or too deep")
        kind = type(value)
        if value is None or kind is bool or kind is str or kind is float:
            return value
        if kind is int:
            return value if -_NATIVE < value < _NATIVE else {"t": "int", "v": hex(value)}
        if kind is list:
            return self._list(value, depth + 1)
        return self._tagged(value, depth + 1)

    def _list(self, values: Iterable[Any], depth: int) -> list | dict:
        """The common case first: long lists of numbers or strings."""
        values = list(values)
        kinds = set(map(type, values))
        if kinds <= _SIMPLE or (kinds == {int} and min(values) > -_NATIVE and max(values) < _NATIVE):
            self.left -= len(values)
            if self.left < 0:
                raise Unplain("too large or too deep")
            return values
        return self._table(values, kinds, depth) or [self.encode(v, depth) for v in values]

    def _table(self, rows: list, kinds: set[type], depth: int) -> dict | None:
        """Many rows as the text of their cells, if they are equally long and of few different strings or integers."""
        if not self.cells_left or len(rows) < TABLE_ROWS or kinds not in ({tuple}, {list}):
            return None
        width = len(rows[0])
        if set(map(len, rows)) != {width} or not 0 < width * len(rows) <= self.cells_left:
            return None
        letters = _Letters()
        # In blocks: what is joined is first a list of letters.
        blocks = (rows[i : i + TABLE_ROWS] for i in range(0, len(rows), TABLE_ROWS))
        try:
            text = "".join(["".join(map(letters.__getitem__, chain.from_iterable(block))) for block in blocks])
        except (LookupError, TypeError):  # too many different cells, or cells that are no keys
            return None
        # Of one kind, as 1, 1.0 and True are one key.
        if set(map(type, chain.from_iterable(rows))) not in ({str}, {int}):
            return None
        self.cells_left -= len(text)
        return {"t": "table", "v": [kinds.pop().__name__, width, [self.encode(c, depth) for c in letters], text]}

    def _tagged(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            pairs = [[self.encode(k, depth), self.encode(v, depth)] for k, v in dict.items(value)]
            return {"t": "dict", "v": pairs}
        kind: Any
        for kind in (tuple, set, frozenset):
            if isinstance(value, kind):
                return {"t": kind.__name__, "v": self._list(kind.__iter__(value), depth)}
        if isinstance(value, list):
            return self._list(list.__iter__(value), depth)
        if isinstance(value, int):
            return self.encode(int.__int__(value), depth)
        if isinstance(value, float):
            return float.__float__(value)
        if isinstance(value, str):
            return str.__str__(value)
        if isinstance(value, complex):
            return {"t": "complex", "v": [value.real, value.imag]}
        if isinstance(value, bytes | bytearray):
            return {"t": "bytes", "v": bytes(value).hex()}
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.generic | numpy.ndarray):
            plain = value.tolist()
            if not isinstance(plain, numpy.generic):
                return self.encode(plain, depth)
        if self.other is not None:
            return self.other(value)
        raise Unplain(f"a value of type {type(value).__name__[:80]}")


def encode(value: Any, other: Callable[[Any], Any] | None = None, tables: bool = False) -> Any:
    """JSON for plain data; ``other`` gives JSON for what is not, ``tables`` allows more of it, where rows are alike.

    >>> encode([1, (2.5, "a"), {1: None}])
    [1, {'t': 'tuple', 'v': [2.5, 'a']}, {'t': 'dict', 'v': [[1, None]]}]

    Raises:
        Unplain: it is no plain data, or too much.
    """
    return _Encoder(other, tables).encode(value)


def decode(data: Any, other: Callable[[Any], Any] | None = None) -> Any:
    """The value again; ``other`` reads what ``encode``'s ``other`` wrote.

    >>> decode(encode([1, (2.5, "a"), {1: None}, {2}, 1 << 70, b"x", 1j]))
    [1, (2.5, 'a'), {1: None}, {2}, 1180591620717411303424, b'x', 1j]

    Raises:
        Unplain: no encoded value.
    """
    if isinstance(data, list):
        kinds = set(map(type, data))
        return [decode(v, other) for v in data] if dict in kinds or list in kinds else data
    if not isinstance(data, dict):
        return data
    tag: Any = data.get("t")
    value: Any = data.get("v")
    try:
        match tag:
            case "int":
                return int(value, 16)
            case "tuple":
                return tuple(decode(value, other))
            case "set" | "frozenset":
                return (set if tag == "set" else frozenset)(decode(value, other))
            case "dict":
                return {decode(k, other): decode(v, other) for k, v in value}
            case "complex":
                return complex(*value)
            case "bytes":
                return bytes.fromhex(value)
            case "table":
                kind, width, cells, text = value
                of = dict(zip(CELLS, decode(cells), strict=False))
                rows = zip(*[map(of.__getitem__, text)] * min(width, len(text)), strict=True)
                return list(rows if kind == "tuple" else map(list, rows))
    except (TypeError, ValueError, LookupError) as error:
        raise Unplain(f"no plain data: {tag}") from error
    if other is not None:
        return other(data)
    raise Unplain(f"no plain data: {tag}")


def dump(message: Any, most: int = MOST_BYTES) -> bytes:
    """A message as bytes, its length before it.

    Raises:
        Unplain: it is of more than ``most`` bytes.
    """
    text = _ENCODER.encode(message).encode()
    if len(text) > most:
        raise Unplain("too large")
    return len(text).to_bytes(4, "big") + text
