"""Logic: rules are followed in order, each with a condition on the colour that a light shows now."""

import re

import numpy as np

from prm_scaling.problems.world.domain import WAIT, Clause, Derivation, Surface

COLOURS = ("red", "blue", "green", "white", "black")
THINGS = ("light", "flag", "lamp", "sign")
VERBS = ("turns", "becomes", "goes", "shows")
CONDITIONS = {"if": "{0}", "or": "{0} or {1}", "not": "not {0}"}
# Frames 0-2 are for training; 3-4 only ever appear in the unseen test sets.
FRAMES = (
    "If {condition}, it {verb} {result}.",
    "Then it {verb} {result} if {condition}.",
    "When {condition}, then it {verb} {result}.",
    "Then if {condition}, it {verb} {result}.",
    "When {condition}, it {verb} {result}.",
)


class Logic:
    """Rule following; values are colours."""

    name = "logic"

    def sample(self, rng: np.random.Generator, steps: int, surface: Surface) -> tuple[Derivation, str]:
        """See :class:`Domain`. Half of the rules fire, so that following them matters."""
        thing = THINGS[rng.integers(len(THINGS))]
        start = value = COLOURS[rng.integers(len(COLOURS))]
        clauses, sentences = [], [f"The {thing} is {start}."]
        for _ in range(steps):
            clause = self._clause(rng, value, surface)
            clauses.append(clause)
            frame = FRAMES[surface.frames[rng.integers(len(surface.frames))]]
            sentences.append(frame.format(condition=self._condition(clause), verb=clause.verb, result=clause.args[-1]))
            value = self.apply(clause, value)
        return Derivation(start, tuple(clauses)), " ".join(sentences) + " Which colour?\n"

    def _clause(self, rng: np.random.Generator, value: str, surface: Surface) -> Clause:
        op = ("if", "or", "not")[rng.choice(3, p=[0.5, 0.25, 0.25])]
        fires = rng.random() < 0.6
        others = [c for c in COLOURS if c != value]
        first, second, result = (others[i] for i in rng.choice(len(others), 3, replace=False))
        verb = VERBS[rng.integers(min(surface.verbs, len(VERBS)))]
        if op == "not":
            return Clause(op, verb, (first if fires else value, result))
        if op == "if":
            return Clause(op, verb, (value if fires else first, result))
        pair = [value if fires else first, second]
        rng.shuffle(pair)
        return Clause(op, verb, (*pair, result))

    @staticmethod
    def _condition(clause: Clause) -> str:
        return CONDITIONS[clause.op].format(*clause.args)

    @staticmethod
    def _fires(clause: Clause, value: str) -> bool:
        return (value in clause.args[:-1]) != (clause.op == "not")

    def apply(self, clause: Clause, value: str) -> str:
        """See :class:`Domain`."""
        return clause.args[-1] if self._fires(clause, value) else value

    def step(self, index: int, clause: Clause, value: str) -> str:
        """See :class:`Domain`.

        >>> Logic().step(0, Clause("or", "turns", ("red", "blue", "green")), "red")
        'red or blue, green: red yes green'
        """
        return self._line(clause, value, self._fires(clause, value), self.apply(clause, value))

    def _line(self, clause: Clause, value: str, fires: bool, result: str) -> str:
        return f"{self._condition(clause)}, {clause.args[-1]}: {value} {'yes' if fires else 'no'} {result}"

    def conclude(self, count: int, value: str) -> str:
        """See :class:`Domain`."""
        return f"#### {value}"

    def wrong_step(
        self, rng: np.random.Generator, index: int, clause: Clause, value: str, misread: bool = True
    ) -> tuple[str, str]:
        """A wrong verdict on the condition, a wrong present or resulting colour; or a colour of the rule is misread."""
        fires, kind = self._fires(clause, value), rng.integers(4 if misread else 3)
        if kind == 1:
            seen = _other(rng, value)
            return self.step(index, clause, seen), self.apply(clause, seen)
        right = self.apply(clause, value)
        if kind == 2:
            result = _other(rng, right)
            return self._line(clause, value, fires, result), result
        if kind == 3:
            args = list(clause.args)
            place = rng.integers(len(args))
            args[place] = _other(rng, args[place])
            other = Clause(clause.op, clause.verb, tuple(args))
            return self.step(index, other, value), self.apply(other, value)
        result = value if fires else clause.args[-1]
        return self._line(clause, value, not fires, result), result

    def accepts(self, index: int, clause: Clause, value: str, line: str) -> bool:
        """See :class:`Domain`."""
        return re.sub(rf"^{WAIT}, ", "", line) == self.step(index, clause, value)

    def holds(self, place: int, value, lines: list[str]) -> bool:
        """See :class:`Domain`; each line states the value that it works on, so any error can be taken back."""
        return True

    def correction(self, line: str) -> str:
        """See :class:`Domain`."""
        return f"{WAIT}, {line}"

    def is_correction(self, line: str) -> bool:
        """See :class:`Domain`."""
        return line.startswith(f"{WAIT},")

    def values(self) -> tuple[str, ...]:
        """See :class:`Domain`."""
        return COLOURS

    def grading(self, rng: np.random.Generator, derivation: Derivation, value: str) -> tuple[str, str]:
        """See :class:`Domain`."""
        return value, "[]"


def _other(rng: np.random.Generator, colour: str) -> str:
    """Any other colour."""
    others = [c for c in COLOURS if c != colour]
    return others[rng.integers(len(others))]
