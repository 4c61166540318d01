"""Plain data as text: how values cross from a program under test to whoever looks at them.

Numbers, strings, bytes, lists, tuples, sets, dictionaries, ``None`` and truth values go over by value, as JSON with
tags; whatever a program hangs on them (an ``__eq__`` that is always true) stays behind. JSON and not pickle: reading
it runs nothing.
"""

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

DEEPEST = 100
MOST_VALUES = 4_000_000
# Of one message, in bytes.
MOST_BYTES = 64 << 20
# Integers below this are written in decimal, which takes Python quadratic time, and has a limit there.
_NATIVE = 10**1000
_SIMPLE = {float, str, bool, type(None)}


class Unplain(ValueError):
    """A value that is not plain data, or too much of it."""


class _Encoder:
    """Counts what it has seen: ten lists, each ten times in the next, are few objects and a great many values."""

    def __init__(self, other: Callable[[Any], Any] | None) -> None:
        self.left = MOST_VALUES
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

    def _list(self, values: Iterable[Any], depth: int) -> list:
        """The common case first: long lists of numbers or strings."""
        values = list(values)
        kinds = set(map(type, values))
        if kinds <= _SIMPLE or (kinds == {int} and -_NATIVE < min(values) and max(values) < _NATIVE):
            self.left -= len(values)
            if self.left < 0:
                raise Unplain("too large or too deep")
            return values
        return [self.encode(v, depth) for v in values]

    def _tagged(self, value: Any, depth: int) -> Any:
        if isinstance(value, dict):
            pairs = [[self.encode(k, depth), self.encode(v, depth)] for k, v in dict.items(value)]
            return {"t": "dict", "v": pairs}
        for kind in (tuple, set, frozenset):
            if isinstance(value, kind):
                return {"t": kind.__name__, "v": self._list(kind.__iter__(value), depth)}
        if isinstance(value, list):
            return self._list(list.__iter__(value), depth)
        for plain, convert in ((int, int.__int__), (float, float.__float__), (str, str.__str__)):
            if isinstance(value, plain):
                return self.encode(plain(convert(value)), depth)
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


def encode(value: Any, other: Callable[[Any], Any] | None = None) -> Any:
    """JSON for plain data; ``other`` gives JSON for what is not.

    >>> encode([1, (2.5, "a"), {1: None}])
    [1, {'t': 'tuple', 'v': [2.5, 'a']}, {'t': 'dict', 'v': [[1, None]]}]

    Raises:
        Unplain: it is no plain data, or too much.
    """
    return _Encoder(other).encode(value)


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
    tag, value = data.get("t"), data.get("v")
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
    except (TypeError, ValueError) as error:
        raise Unplain(f"no plain data: {tag}") from error
    if other is not None:
        return other(data)
    raise Unplain(f"no plain data: {tag}")


def dump(message: Any) -> bytes:
    """A message as bytes, its length before it.

    Raises:
        Unplain: it is too long.
    """
    text = json.dumps(message, separators=(",", ":")).encode()
    if len(text) > MOST_BYTES:
        raise Unplain("too large")
    return len(text).to_bytes(4, "big") + text
