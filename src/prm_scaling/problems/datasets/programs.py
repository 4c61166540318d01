"""What the sets of code problems share: suites of hidden tests, and inputs that may be seen."""

import ast
import json
import re
from typing import Any

from pydantic import ValidationError

from prm_scaling.problems.code_tests import Calls, Stdin, Suite
from prm_scaling.problems.datasets.fields import shown
from prm_scaling.problems.datasets.record import Malformed

# Inputs that a voter may run programs on, the first of a suite; the statement shows these as its samples.
PUBLIC = 3
# Characters of the arguments of a call that are looked at.
LONGEST = 1000
# Of numbers that programs print: APPS compares them by numpy.allclose, contests mostly allow 1e-6.
TOLERANCE = 1e-6
# As LeetCode says it: "You may return the answer in any order."
ANY_ORDER = re.compile(r"\breturn\b[^.\n]*\bin any order\b", re.IGNORECASE)
STDIN_NOTE = "Read from standard input and write to standard output."


def dumped(kind: type[Suite], field: str, **values: Any) -> str:
    """The JSON of a suite of ``kind``; ``field`` is to blame where there can be none."""
    try:
        return kind(**values).model_dump_json()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise Malformed(field, f"tests: {where}: {first['msg']}; got {shown(first['input'])}") from None
    except ValueError as error:  # a number or a text that JSON cannot hold
        raise Malformed(field, f"tests: {error}") from None


def from_input_output(
    tests: Any, statement: str, starter: str, field: str, wrapped: bool | None, seconds: float | None
) -> tuple[str, str]:
    """``(reference, public_inputs)`` of the layout of APPS and TACO: ``inputs``, ``outputs`` and perhaps ``fn_name``.

    Args:
        tests: the parsed field.
        statement: of the problem, which may leave the order of a list open.
        starter: starter code; where it has a class ``Solution``, the function is a method of that.
        field: its name.
        wrapped: whether the expected values of calls stand in lists of one; ``None`` if that is to be told from them.
        seconds: limit of one test.
    """
    if not isinstance(tests, dict) or not all(isinstance(tests.get(k), list) for k in ("inputs", "outputs")):
        raise Malformed(field, f"not an object with lists `inputs` and `outputs`: {shown(tests)}")
    inputs, outputs = tests["inputs"], tests["outputs"]
    if len(inputs) != len(outputs):
        raise Malformed(field, f"{len(inputs)} inputs and {len(outputs)} outputs")
    if not inputs:
        raise Malformed(field, "no tests")
    name = tests.get("fn_name")
    if name is None:
        pairs = [(lines(i, field), lines(o, field)) for i, o in zip(inputs, outputs, strict=True)]
        suite = dumped(Stdin, field, tests=pairs, seconds=seconds, tolerance=TOLERANCE)
        return suite, json.dumps([i for i, _ in pairs[:PUBLIC]])
    if wrapped is None:
        wrapped = all(isinstance(o, list) and len(o) == 1 for o in outputs)
    if wrapped:
        outputs = [o[0] if isinstance(o, list) and len(o) == 1 else o for o in outputs]
    calls = list(zip(inputs, outputs, strict=True))
    unordered = any_order(statement)
    suite = dumped(Calls, field, function=method(name, starter), tests=calls, unordered=unordered, seconds=seconds)
    return suite, json.dumps(inputs[:PUBLIC])


def any_order(statement: str) -> bool:
    """Whether a problem says that the list to be returned may have any order.

    >>> any_order("Return all of them. You may return the answer in any order."), any_order("Visit them in any order.")
    (True, False)
    """
    return bool(ANY_ORDER.search(statement))


def method(name: Any, starter: str) -> str:
    """The function's name, with that of its class where the starter code has one."""
    return f"Solution.{name}" if re.search(r"^\s*class\s+Solution\b", starter, re.MULTILINE) else str(name)


def lines(value: Any, field: str) -> str:
    """Standard input or output, which some records give as a list of lines."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    if not isinstance(value, str):
        raise Malformed(field, f"neither a text nor a list of lines: {shown(value)}")
    return value


def literal_calls(text: str, function: str) -> str:
    """JSON list of the arguments of the calls of ``function`` in a text, of those that JSON can hold as they are.

    >>> literal_calls("assert f([1, 2]) == 3, and f(x) is f((1,)) or f([1, 2])", "f")
    '[[[1, 2]]]'
    """
    found: list[list] = []
    for match in re.finditer(rf"(?<![\w.]){re.escape(function)}\(", text):
        arguments = literals(text[match.end() - 1 : match.end() + LONGEST])
        # Tuples, sets and keys that are no texts would come back as something else.
        if arguments is not None and json.loads(json.dumps(arguments)) == arguments and arguments not in found:
            found.append(arguments)
    return json.dumps(found)


def literals(text: str) -> list | None:
    """The literals in the pair of parentheses that ``text`` begins with; ``None`` if it has others, or does not end."""
    for match in re.finditer(r"\)", text):
        try:
            call = ast.parse(f"f{text[: match.end()]}", mode="eval").body
        except (SyntaxError, ValueError, MemoryError):  # not yet the closing one
            continue
        try:
            assert isinstance(call, ast.Call)
            arguments = [ast.literal_eval(argument) for argument in call.args]
            json.dumps(arguments)
        except (ValueError, TypeError):
            return None
        return None if call.keywords else arguments
    return None
