"""Pickles in data sets, read without running anything."""

import base64
import binascii
import pickletools
import zlib
from typing import Any

from prm_scaling.problems.datasets.record import Malformed

# What a pickle of texts, lists and dicts is made of. Everything else could name code to run (GLOBAL, REDUCE,
# BUILD, ...), and a number here or there would be harmless, but is not needed.
MARK = object()
SILENT = {"PROTO", "FRAME"}
# Of one problem's hidden tests, unpacked: the largest of LiveCodeBench have some ten megabytes.
LIMIT = 2**28


def unpickled(encoded: str, field: str) -> Any:
    """The texts, lists and dicts of texts that a base64 text of a zlib stream of a pickle holds.

    The pickle is read opcode by opcode and only those of texts, lists and dicts are known, so there is nothing in
    it that could be looked up or called.

    Raises:
        Malformed: it holds anything else, or is none.
    """
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(encoded, validate=True), LIMIT)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise Malformed(field, f"not base64 of a zlib stream ({error})") from None
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise Malformed(field, f"a zlib stream that is cut off or holds more than {LIMIT} bytes")
    try:
        return _read(data, field)
    except Malformed:
        raise
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Malformed(field, f"not a whole pickle ({error})") from None


def _read(data: bytes, field: str) -> Any:
    stack: list[Any] = []
    memo: dict[Any, Any] = {}

    def marked() -> list:
        start = max(i for i, value in enumerate(stack) if value is MARK)
        values = stack[start + 1 :]
        del stack[start:]
        return values

    for opcode, argument, _ in pickletools.genops(data):
        name: str = opcode.name
        if name in SILENT:
            continue
        if name in ("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"):
            stack.append(argument)
        elif name in ("EMPTY_LIST", "EMPTY_DICT"):
            stack.append([] if name == "EMPTY_LIST" else {})
        elif name == "MARK":
            stack.append(MARK)
        elif name == "APPEND":
            value = stack.pop()
            stack[-1].append(value)
        elif name == "APPENDS":
            values = marked()
            stack[-1].extend(values)
        elif name == "SETITEM":
            value, key = stack.pop(), stack.pop()
            stack[-1][key] = value
        elif name == "SETITEMS":
            values = marked()
            stack[-1].update(zip(values[::2], values[1::2], strict=True))
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "STOP":
            return stack.pop()
        else:
            raise Malformed(field, f"a pickle with {name}, which no data needs: it is not loaded")
    raise Malformed(field, "a pickle without an end")
