"""Math: word problems whose clauses add, take away or multiply, modulo a small prime."""

import re

import numpy as np

from prm_scaling.problems.world.domain import WAIT, Clause, Derivation, Surface

NAMES = ("Mia", "Sam", "Ana", "Leo", "Zoe", "Max")
ITEMS = ("apples", "coins", "books", "cards", "shells", "pens")
VERBS = {
    "+": ("buys", "finds", "wins", "picks"),
    "-": ("loses", "sells", "drops", "eats"),
    "*": ("scales", "boosts", "grows", "copies"),
}
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

    def __init__(self, modulus: int):
        self.modulus = modulus

    def sample(self, rng: np.random.Generator, steps: int, surface: Surface) -> tuple[Derivation, str]:
        """See :class:`Domain`."""
        name, items = NAMES[rng.integers(len(NAMES))], ITEMS[rng.integers(len(ITEMS))]
        start = int(rng.integers(self.modulus))
        clauses, sentences = [], [f"{name} has {start} {items}."]
        for _ in range(steps):
            if surface.distractors and rng.random() < 0.15:
                idle = IDLE[rng.integers(min(surface.verbs, len(IDLE)))]
                sentences.append(self._sentence(rng, surface, name, idle, int(rng.integers(1, 4)), items))
            op = "+-*"[rng.choice(3, p=[0.4, 0.4, 0.2])]
            n = int(rng.integers(2, 4) if op == "*" else rng.integers(1, 4))
            verb = VERBS[op][rng.integers(min(surface.verbs, len(VERBS[op])))]
            clauses.append(Clause(op, verb, (n,)))
            sentences.append(self._sentence(rng, surface, name, verb, n, items))
        text = " ".join(sentences) + f" How many {items}?\n"
        return Derivation(start, tuple(clauses)), text

    @staticmethod
    def _sentence(rng, surface: Surface, name: str, verb: str, n: int, items: str) -> str:
        frame = FRAMES[surface.frames[rng.integers(len(surface.frames))]]
        return frame.format(name=name, verb=verb, n=n, items=items)

    def apply(self, clause: Clause, value: int) -> int:
        """See :class:`Domain`."""
        n = clause.args[0]
        return {"+": value + n, "-": value - n, "*": value * n}[clause.op] % self.modulus

    def step(self, index: int, clause: Clause, value: int) -> str:
        """See :class:`Domain`.

        >>> Math(13).step(0, Clause("+", "buys", (5,)), 10)
        'buys 5: 10 + 5 = 2'
        """
        return self._line(clause, clause.op, value, clause.args[0], self.apply(clause, value))

    @staticmethod
    def _line(clause: Clause, op: str, left: int, right: int, result: int) -> str:
        return f"{clause.verb} {clause.args[0]}: {left} {op} {right} = {result}"

    def conclude(self, count: int, value: int) -> str:
        """See :class:`Domain`."""
        return f"#### {value}"

    def wrong_step(
        self, rng: np.random.Generator, index: int, clause: Clause, value: int, misread: bool = True
    ) -> tuple[str, int]:
        """A slip in arithmetic, a wrong operation, a wrong left operand; or a wrong number or verb is read."""
        kind = rng.integers(5 if misread else 3)
        if kind == 1:
            op = "+-*".replace(clause.op, "")[rng.integers(2)]
            result = self.apply(Clause(op, clause.verb, clause.args), value)
            return self._line(clause, op, value, clause.args[0], result), result
        if kind == 2:
            left = int((value + rng.integers(1, self.modulus)) % self.modulus)
            result = self.apply(clause, left)
            return self._line(clause, clause.op, left, clause.args[0], result), result
        if kind >= 3:
            other = self._misread(rng, clause, number=kind == 3)
            return self.step(index, other, value), self.apply(other, value)
        result = int((self.apply(clause, value) + rng.integers(1, self.modulus)) % self.modulus)
        return self._line(clause, clause.op, value, clause.args[0], result), result

    @staticmethod
    def _misread(rng: np.random.Generator, clause: Clause, number: bool) -> Clause:
        """``clause`` with another number, or with another verb (and the operation of that)."""
        if number:
            others = [n for n in (1, 2, 3) if n != clause.args[0]]
            return Clause(clause.op, clause.verb, (others[rng.integers(len(others))],))
        verbs = [(op, verb) for op, known in VERBS.items() for verb in known if verb != clause.verb]
        op, verb = verbs[rng.integers(len(verbs))]
        return Clause(op, verb, clause.args)

    def accepts(self, index: int, clause: Clause, value: int, line: str) -> bool:
        """See :class:`Domain`; the operands of a commutative operation may stand either way round."""
        line = re.sub(rf"^{WAIT}, ", "", line)
        forms = {self.step(index, clause, value)}
        if clause.op in "+*":
            forms.add(self._line(clause, clause.op, clause.args[0], value, self.apply(clause, value)))
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

    def values(self) -> tuple[int, ...]:
        """See :class:`Domain`."""
        return tuple(range(self.modulus))

    def grading(self, rng: np.random.Generator, derivation: Derivation, value: int) -> tuple[str, str]:
        """See :class:`Domain`."""
        return str(value), "[]"
