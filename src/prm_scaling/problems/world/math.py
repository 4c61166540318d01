"""Math: word problems whose clauses add, take away or multiply, modulo a small prime."""

import re

import numpy as np

from prm_scaling.problems.world.domain import LABELS, READ, WAIT, Derivation, Move, Surface

NAMES = ("Mia", "Sam", "Ana", "Leo", "Zoe", "Max")
ITEMS = ("apples", "coins", "books", "cards", "shells", "pens")
VERBS = {
    "+": ("buys", "finds", "wins", "picks"),
    "-": ("loses", "sells", "drops", "eats"),
    "*": ("scales", "boosts", "grows", "copies"),
}
NUMBERS = ("one", "two", "three", "four", "five", "six")
# A distractor changes nothing and must be left out of the chain.
IDLE = ("sees", "counts", "likes", "paints")
# Frames 0-2 are for training; 3-4 only ever appear in the unseen test sets.
FRAMES = (
    "{name} {verb} {n}.",
    "Then {name} {verb} {n} {items}.",
    "Next, {n} {items} is what {name} {verb}.",
    "Then {n} is what {name} {verb}.",
    "Next, {name} {verb} {n} {items}.",
)


class Math:
    """Word problems; values are integers modulo ``modulus``."""

    name = "math"
    reads = True

    def __init__(self, modulus: int):
        self.modulus = modulus

    def sample(self, rng: np.random.Generator, steps: int, surface: Surface) -> tuple[Derivation, str]:
        """See :class:`Domain`."""
        name, items = NAMES[rng.integers(len(NAMES))], ITEMS[rng.integers(len(ITEMS))]
        start = int(rng.integers(self.modulus))
        moves, sentences = [], [f"{name} has {start} {items}."]
        for label in LABELS[:steps]:
            if surface.distractors and rng.random() < 0.15:
                idle = IDLE[rng.integers(min(surface.verbs, len(IDLE)))]
                sentences.append(self._sentence(rng, surface, name, idle, int(rng.integers(1, 7)), items))
            op = "+-*"[rng.choice(3, p=[0.4, 0.4, 0.2])]
            n = int(rng.integers(2, 4) if op == "*" else rng.integers(1, 7))
            verb = VERBS[op][rng.integers(min(surface.verbs, len(VERBS[op])))]
            moves += [Move(READ, (label, op, n)), Move(op, (n,))]
            sentences.append(f"{label}: {self._sentence(rng, surface, name, verb, n, items)}")
        return Derivation(start, tuple(moves)), "\n".join([*sentences, f"How many {items}?\n"])

    @staticmethod
    def _sentence(rng, surface: Surface, name: str, verb: str, n: int, items: str) -> str:
        frame = FRAMES[surface.frames[rng.integers(len(surface.frames))]]
        return frame.format(name=name, verb=verb, n=NUMBERS[n - 1], items=items)

    def apply(self, move: Move, value: int) -> int:
        """See :class:`Domain`."""
        n = move.args[-1]
        return {READ: value, "+": value + n, "-": value - n, "*": value * n}[move.op] % self.modulus

    def step(self, index: int, move: Move, value: int) -> str:
        """See :class:`Domain`.

        >>> Math(13).step(0, Move("read", ("a", "+", 5)), 10), Math(13).step(1, Move("+", (5,)), 10)
        ('a: + 5', '10 + 5 = 2')
        """
        if move.op == READ:
            label, op, n = move.args
            return f"{label}: {op} {n}"
        return self._line(value, move.op, move.args[0], self.apply(move, value))

    @staticmethod
    def _line(left: int, op: str, right: int, result: int) -> str:
        return f"{left} {op} {right} = {result}"

    def conclude(self, count: int, value: int) -> str:
        """See :class:`Domain`."""
        return f"#### {value}"

    def wrong_step(self, rng: np.random.Generator, index: int, move: Move, value: int) -> tuple[str, int]:
        """Another operation or number, read or applied; applied, also a slip in arithmetic or another left operand."""
        return self._error(rng, int(rng.integers(2 if move.op == READ else 4)), index, move, value)

    def misconception(self, rng: np.random.Generator, index: int, move: Move, value: int) -> tuple[str, int]:
        """See :class:`Domain`: another operation, number or result."""
        return self._error(rng, int(rng.integers(3)), index, move, value)

    def _error(self, rng: np.random.Generator, kind: int, index: int, move: Move, value: int) -> tuple[str, int]:
        *label, op, n = move.args if move.op == READ else (move.op, *move.args)
        if kind == 0:
            op = "+-*".replace(op, "")[rng.integers(2)]
        elif kind == 1:
            numbers = [m for m in range(1, len(NUMBERS) + 1) if m != n]
            n = numbers[rng.integers(len(numbers))]
        elif kind == 2:
            result = self._other(rng, self.apply(move, value))
            return self._line(value, op, n, result), result
        else:
            # Nor the right operand, as those of a sum may stand either way round.
            others = [v for v in range(self.modulus) if v not in (value, n)]
            value = others[rng.integers(len(others))]
        other = Move(READ, (*label, op, n)) if label else Move(op, (n,))
        return self.step(index, other, value), self.apply(other, value)

    def _other(self, rng: np.random.Generator, value: int) -> int:
        return int((value + rng.integers(1, self.modulus)) % self.modulus)

    def wrong_conclusion(self, rng: np.random.Generator, count: int, value: int) -> str:
        """See :class:`Domain`."""
        return self.conclude(count, self._other(rng, value))

    def topic(self, move: Move, value: int) -> tuple:
        """See :class:`Domain`: a fact of arithmetic."""
        return (value, move.op, move.args[-1]) if move.op != READ else ()

    def accepts(self, index: int, move: Move, value: int, line: str) -> bool:
        """See :class:`Domain`; the operands of a commutative operation may stand either way round."""
        line = re.sub(rf"^{WAIT}, ", "", line)
        forms = {self.step(index, move, value)}
        if move.op in ("+", "*"):
            forms.add(self._line(move.args[0], move.op, value, self.apply(move, value)))
        return line in forms

    def holds(self, place: int, value, lines: list[str]) -> bool:
        """See :class:`Domain`; each line states the value that it works on, so any error can be taken back."""
        return True

    def correction(self, line: str) -> str:
        """See :class:`Domain`."""
        return f"{WAIT}, {line}"

    def is_correction(self, line: str) -> bool:
        """See :class:`Domain`."""
        return line.startswith(f"{WAIT},")

    def grading(self, rng: np.random.Generator, derivation: Derivation, value: int) -> tuple[str, str]:
        """See :class:`Domain`."""
        return str(value), "[]"
