"""Assertions that a call of the program equals a literal, which most of MBPP's are: read here instead of run.

So what they expect never enters the sandbox, and a program takes one process instead of two.
"""

import ast
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from prm_scaling.verify.inside.plain import Unplain, encode


@dataclass(frozen=True)
class Equalities:
    """Calls of one function and what they should give.

    Attributes:
        function: its name.
        calls: a list of arguments a call.
        expected: a value a call, encoded as outputs are (``inside.plain``); without sets and dictionaries, so that two
            are equal in Python if they are equal encoded.
    """

    function: str
    calls: list[list]
    expected: list[Any]


@lru_cache(maxsize=64)
def equalities(tests: tuple[str, ...]) -> Equalities | None:
    """The calls that tests are made of, or ``None`` if any of them is more than ``assert f(1, [2]) == "three"``.

    >>> equalities(("assert f(1, [2]) == (3, 'a')",))
    Equalities(function='f', calls=[[1, [2]]], expected=[{'t': 'tuple', 'v': [3, 'a']}])
    >>> equalities(("assert len(f(1)) == 2",)) is None
    True
    """
    try:
        read = [_read(test) for test in tests]
    except (_More, Unplain, ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    functions = {function for function, _, _ in read}
    if len(functions) != 1:
        return None
    return Equalities(functions.pop(), [args for _, args, _ in read], [value for _, _, value in read])


class _More(Exception):
    """A test that has to be run."""


def _read(test: str) -> tuple[str, list, Any]:
    match ast.parse(test).body:
        case [
            ast.Assert(
                ast.Compare(ast.Call(ast.Name(function), args, []), [ast.Eq()], [expected]),
                None,
            )
        ] if not any(isinstance(node, ast.Set | ast.Dict) for node in ast.walk(expected)):
            value = encode(ast.literal_eval(expected))
            return function, [ast.literal_eval(argument) for argument in args], value
    raise _More
