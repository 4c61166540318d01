"""Fields of records, checked; each function raises :class:`Malformed` with the field's name."""

import json
import reprlib
from collections.abc import Sequence
from typing import Any

from prm_scaling.problems.datasets.record import Malformed, Record

# Values in reasons are cut short, in width and in depth: they may be anything.
BRIEF = reprlib.Repr()
BRIEF.maxlevel, BRIEF.maxstring, BRIEF.maxother, BRIEF.maxlong = 2, 80, 80, 40


def shown(value: object) -> str:
    """A value in short."""
    return BRIEF.repr(value)


def loads(text: str, field: str) -> Any:
    """The JSON value that ``text``, of ``field``, holds."""
    try:
        text.encode()
        value = json.loads(text)
        if "\\ud" in text.lower():
            # Half a surrogate pair is legal in JSON, but no text.
            json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Malformed(field, "half a surrogate pair, which is no character") from None
    except RecursionError:
        raise Malformed(field, "JSON that is nested too deeply") from None
    except ValueError as error:
        raise Malformed(field, f"not JSON ({error}): {shown(text)}") from None
    return value


def value_of(record: Record, field: str) -> Any:
    """A field that must be there."""
    if record.get(field) is None:
        raise Malformed(field, "missing")
    return record[field]


def text(record: Record, field: str) -> str:
    """A field that is a text with something in it."""
    value = value_of(record, field)
    if not isinstance(value, str):
        raise Malformed(field, f"not a text: {shown(value)}")
    if not value.strip():
        raise Malformed(field, "empty")
    return value


def optional_text(record: Record, field: str) -> str:
    """A field that is a text; empty where it is missing."""
    value = record.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed(field, f"not a text: {shown(value)}")
    return value


def integer(record: Record, field: str) -> int:
    """A field that is a whole number."""
    value = value_of(record, field)
    if isinstance(value, str) and value.lstrip("-").isdecimal():  # as in CSV
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise Malformed(field, f"not a whole number: {shown(value)}")
    return value


def items(record: Record, field: str, kind: type | tuple[type, ...] = str) -> list:
    """A field that is a list whose items are of ``kind``."""
    value = value_of(record, field)
    if not isinstance(value, list):
        raise Malformed(field, f"not a list: {shown(value)}")
    for i, item in enumerate(value):
        if not isinstance(item, kind) or (isinstance(item, bool) and kind is int):
            raise Malformed(f"{field}[{i}]", f"of the wrong type: {shown(item)}")
    return value


def mapping(record: Record, field: str) -> Record:
    """A field that is an object."""
    value = value_of(record, field)
    if not isinstance(value, dict):
        raise Malformed(field, f"not an object: {shown(value)}")
    return value


def parsed(record: Record, field: str) -> Any:
    """A field that holds JSON as a text."""
    return loads(text(record, field), field)


def choice(record: Record, field: str, among: Sequence[str]) -> str:
    """A field that is one of these."""
    value = text(record, field)
    if value not in among:
        raise Malformed(field, f"{shown(value)} is not one of {list(among)}")
    return value
