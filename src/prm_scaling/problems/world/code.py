"""Code: write a small function; a chain's steps are lines of Python, one variable a step."""

import ast
import json
from collections.abc import Callable

import numpy as np

from prm_scaling.problems.code_tests import Calls
from prm_scaling.problems.world.domain import LABELS, WAIT, Derivation, Move, Surface

VARIABLES = ("x", *LABELS)
PHRASES = {
    "add": ("add {n}", "plus {n}", "raise by {n}", "increase by {n}"),
    "sub": ("subtract {n}", "minus {n}", "lower by {n}", "decrease by {n}"),
    "mul": ("multiply by {n}", "times {n}", "scale by {n}", "product with {n}"),
    "mod": ("remainder by {n}", "modulo {n}", "rest by {n}", "mod {n}"),
    "max": ("at least {n}", "maximum with {n}", "floor at {n}", "not below {n}"),
    "min": ("at most {n}", "minimum with {n}", "cap at {n}", "not above {n}"),
    "even": ("if even add {n}", "when even plus {n}", "if even raise by {n}", "when even increase by {n}"),
}
EXPRESSIONS = {
    "add": "{v} + {n}",
    "sub": "{v} - {n}",
    "mul": "{v} * {n}",
    "mod": "{v} % {n}",
    "max": "max({v}, {n})",
    "min": "min({v}, {n})",
    "even": "{v} + {n} if {v} % 2 == 0 else {v}",
}
FUNCTIONS: dict[str, Callable[[int, int], int]] = {
    "add": lambda x, n: x + n,
    "sub": lambda x, n: x - n,
    "mul": lambda x, n: x * n,
    "mod": lambda x, n: x % n,
    "max": max,
    "min": min,
    "even": lambda x, n: x + n if x % 2 == 0 else x,
}
SWAPS = {"add": "sub", "sub": "add", "mul": "add", "mod": "sub", "max": "min", "min": "max", "even": "add"}
# Frames 0-2 are for training; 3-4 only ever appear in the unseen test sets.
FRAMES = ("{phrase}", "now {phrase}", "then {phrase};", "{phrase};", "then now {phrase}")
PROBES = (-7, -2, 0, 1, 3, 4, 9, 14)
SUFFIX = f"  # {WAIT}"


class Code:
    """Pipelines on an integer; the value of a derivation is the tuple of its values on ``PROBES``."""

    name = "code"
    reads = False

    def sample(self, rng: np.random.Generator, steps: int, surface: Surface) -> tuple[Derivation, str]:
        """See :class:`Domain`."""
        moves, items = [], []
        for label in LABELS[:steps]:
            op = tuple(PHRASES)[rng.choice(len(PHRASES), p=[0.22, 0.22, 0.2, 0.09, 0.09, 0.09, 0.09])]
            n = int(rng.integers(2, 6))
            verb = PHRASES[op][rng.integers(min(surface.verbs, len(PHRASES[op])))]
            moves.append(Move(op, (n,)))
            frame = FRAMES[surface.frames[rng.integers(len(surface.frames))]]
            items.append(f"{label}: {frame.format(phrase=verb.format(n=n))}")
        return Derivation(PROBES, tuple(moves)), "\n".join(["Write f.", *items, "def f(x):\n"])

    def apply(self, move: Move, value: tuple[int, ...]) -> tuple[int, ...]:
        """See :class:`Domain`."""
        return tuple(FUNCTIONS[move.op](x, move.args[0]) for x in value)

    def step(self, index: int, move: Move, value) -> str:
        """See :class:`Domain`.

        >>> Code().step(1, Move("mul", (3,)), PROBES)
        '    b = a * 3'
        """
        return self._line(index, move.op, move.args[0])

    @staticmethod
    def _line(index: int, op: str, n: int, source: int | None = None) -> str:
        operand = VARIABLES[index if source is None else source]
        return f"    {VARIABLES[index + 1]} = {EXPRESSIONS[op].format(v=operand, n=n)}"

    def conclude(self, count: int, value) -> str:
        """See :class:`Domain`."""
        return f"    return {VARIABLES[count]}"

    def wrong_step(self, rng: np.random.Generator, index: int, move: Move, value) -> tuple[str, object]:
        """A wrong constant, a wrong operation, or a wrong operand (where there is another)."""
        kind = int(rng.integers(3))
        if kind == 2 and index:
            return self._line(index, move.op, move.args[0], source=int(rng.integers(index))), value
        return self._error(rng, kind % 2, index, move, value)

    def misconception(self, rng: np.random.Generator, index: int, move: Move, value) -> tuple[str, object]:
        """See :class:`Domain`: another constant or operation."""
        return self._error(rng, int(rng.integers(2)), index, move, value)

    def _error(self, rng: np.random.Generator, kind: int, index: int, move: Move, value) -> tuple[str, object]:
        n = move.args[0]
        if kind == 0:
            other = [m for m in range(2, 6) if m != n][rng.integers(3)]
            return self._line(index, move.op, other), value
        return self._line(index, SWAPS[move.op], n), value

    def wrong_conclusion(self, rng: np.random.Generator, count: int, value) -> str:
        """See :class:`Domain`; the result of an earlier line is returned."""
        return self.conclude(int(rng.integers(count)), value)

    def topic(self, move: Move, value) -> tuple:
        """See :class:`Domain`: how an operation with a number is written."""
        return (move.op, *move.args)

    def accepts(self, index: int, move: Move, value, line: str) -> bool:
        """Whether ``line`` assigns the step's variable what ``move`` makes of the variable before it.

        Meaning counts, not spelling: ``3 * a`` is as right as ``a * 3``. The comparison is on probe
        values of the operand, by an evaluator of arithmetic alone: nothing is executed.
        """
        if line.removesuffix(SUFFIX) == self.step(index, move, value):
            return True
        right = FUNCTIONS[move.op]
        try:
            target, expression = _assignment(line)
            return target == VARIABLES[index + 1] and all(
                _evaluate(expression, {VARIABLES[index]: probe}) == right(probe, move.args[0])
                for probe in range(-12, 20)
            )
        except (_NotArithmetic, RecursionError):
            return False

    def holds(self, place: int, value: tuple[int, ...], lines: list[str]) -> bool:
        """See :class:`Domain`; the lines are followed on ``PROBES``.

        A wrong line may have left the function, overwritten the variable that the next clause reads, or
        broken the program: no later line takes that back.
        """
        names: dict[str, tuple[int, ...]] = {VARIABLES[0]: PROBES}
        try:
            for line in lines:
                if not line.partition("#")[0].strip():  # a comment does no harm
                    continue
                target, expression = _assignment(line)
                names[target] = tuple(
                    _evaluate(expression, {n: values[i] for n, values in names.items()}) for i in range(len(PROBES))
                )
        except (_NotArithmetic, RecursionError):
            return False
        return names.get(VARIABLES[place]) == value

    def correction(self, line: str) -> str:
        """See :class:`Domain`."""
        return line + SUFFIX

    def is_correction(self, line: str) -> bool:
        """See :class:`Domain`."""
        return line.endswith(SUFFIX)

    def grading(self, rng: np.random.Generator, derivation: Derivation, value) -> tuple[str, str]:
        """Hidden tests on inputs drawn for the problem; the public inputs are others, without outputs."""
        inputs = [int(x) for x in rng.choice(np.arange(-30, 60), 14, replace=False)]
        outputs = tuple(inputs[:8])
        for move in derivation.moves:
            outputs = self.apply(move, outputs)
        suite = Calls(function="f", tests=[([x], y) for x, y in zip(inputs[:8], outputs, strict=True)])
        return suite.model_dump_json(), json.dumps([[x] for x in inputs[8:]])


class _NotArithmetic(ValueError):
    """The expression is not made of the few things that a step may use."""


_BINARY = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Mod: lambda a, b: a % b,
}


def _assignment(line: str) -> tuple[str, ast.expr]:
    """The variable and the expression of a line that assigns one; raises ``_NotArithmetic`` for all else."""
    try:
        tree = ast.parse(line[4:]).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = []
    match tree:
        case [ast.Assign(targets=[ast.Name(id=name)], value=expression)] if name in VARIABLES:
            if line.startswith("    ") and not line[4].isspace():
                return name, expression
    raise _NotArithmetic(line)


def _evaluate(node: ast.expr, names: dict[str, int]) -> int:
    """The value of an arithmetic expression over ``names``; raises ``_NotArithmetic`` for all else."""
    match node:
        case ast.Constant(value=int(value)) if abs(value) < 1000:
            return int(value)
        case ast.Name(id=name) if name in names:
            return names[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            a, b = _evaluate(left, names), _evaluate(right, names)
            if isinstance(op, ast.Mod) and b == 0:
                raise _NotArithmetic("remainder by zero")
            return _BINARY[type(op)](a, b)
        case ast.Call(func=ast.Name(id="max" | "min" as function), args=[left, right], keywords=[]):
            return {"max": max, "min": min}[function](_evaluate(left, names), _evaluate(right, names))
        case ast.IfExp(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]), body=body, orelse=orelse):
            equal = _evaluate(left, names) == _evaluate(right, names)
            return _evaluate(body if equal else orelse, names)
    raise _NotArithmetic(ast.dump(node))
