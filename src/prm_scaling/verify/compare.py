"""Whether what a program gave is what was expected, by the rules of the data sets.

Outputs are compared here, outside the sandbox, as plain data (``inside.plain``): no method of a program's classes runs.
"""

import json
import math
import re
from decimal import Decimal
from typing import Any

# Numbers as judges of whole programs read them. Longer words than this are compared as words.
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_LONGEST = 400
# In hexadecimal: what Python still writes in decimal, and hence JSON.
_LONGEST_INTEGER = 3500


def loosen(data: Any) -> Any:
    """An encoded value as the JSON that it would be: tuples are lists, keys of dictionaries strings.

    Sets, bytes and complex numbers are no JSON and equal to nothing that a data set expects; they stay tagged, sets in
    a fixed order.

    >>> loosen({"t": "dict", "v": [[1, {"t": "tuple", "v": [2, 3]}]]})
    {'1': [2, 3]}
    """
    if isinstance(data, list):
        kinds = set(map(type, data))
        return [loosen(value) for value in data] if dict in kinds or list in kinds else data
    if not isinstance(data, dict):
        return data
    tag, value = data.get("t"), data.get("v")
    if tag == "int" and isinstance(value, str) and len(value) < _LONGEST_INTEGER:
        return int(value, 16)
    if tag == "tuple" and isinstance(value, list):
        return loosen(value)
    if tag == "dict" and isinstance(value, list):
        return {_key(k): loosen(v) for k, v in value}
    if tag in ("set", "frozenset") and isinstance(value, list):
        return ("set", sorted((loosen(v) for v in value), key=_order))
    return (str(tag), json.dumps(value))


def _key(data: Any) -> str:
    value = loosen(data)
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _order(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def same_value(output: Any, expected: Any, tolerance: float = 0.0, unordered: bool = False) -> bool:
    """Whether a loosened output equals the expected JSON, as ``==`` does; numbers within ``tolerance``, if any.

    >>> same_value([1, 2.0], [1.0, 2]), same_value([2, 1], [1, 2]), same_value([2, 1], [1, 2], unordered=True)
    (True, False, True)
    """
    if isinstance(expected, list):
        if not isinstance(output, list) or len(output) != len(expected):
            return False
        if unordered:
            output, expected = sorted(output, key=_order), sorted(expected, key=_order)
        return all(same_value(a, b, tolerance) for a, b in zip(output, expected, strict=True))
    if isinstance(expected, dict):
        return (
            isinstance(output, dict)
            and output.keys() == expected.keys()
            and all(same_value(output[key], value, tolerance) for key, value in expected.items())
        )
    if isinstance(output, list | dict | tuple):
        return False
    if isinstance(expected, int | float) and isinstance(output, int | float):
        return bool(output == expected) or _close(output, expected, tolerance)
    return bool(output == expected)


def _close(a: float, b: float, tolerance: float) -> bool:
    try:
        return tolerance > 0 and math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance)
    except OverflowError:  # an integer beyond the floats
        return False


def same_text(output: str, expected: str, tolerance: float = 0.0) -> bool:
    """Whether printed text is the expected one, word by word; words that are numbers are compared as numbers.

    >>> same_text("1.50  a\\n\\n", "1.5\\na"), same_text("0.3333", "0.333333"), same_text("0.3333", "0.333333", 1e-3)
    (True, False, True)
    """
    ours, theirs = output.split(), expected.split()
    return len(ours) == len(theirs) and all(_same_word(a, b, tolerance) for a, b in zip(ours, theirs, strict=True))


def _same_word(a: str, b: str, tolerance: float) -> bool:
    if a == b:
        return True
    if max(len(a), len(b)) > _LONGEST or not (_NUMBER.fullmatch(a) and _NUMBER.fullmatch(b)):
        return False
    return Decimal(a) == Decimal(b) or _close(float(a), float(b), tolerance)
