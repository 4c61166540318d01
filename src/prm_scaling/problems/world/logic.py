"""Logic: rules are followed in order, each with a condition on the colour that a light shows now."""

import re

import numpy as np

from prm_scaling.problems.world.domain import LABELS, READ, WAIT, Derivation, Move, Surface

COLOURS = ("red", "blue", "green", "white", "black", "pink", "gold", "gray", "brown", "violet")
THINGS = ("light", "flag", "lamp", "sign")
VERBS = ("turns", "becomes", "goes", "shows")
# No negation: whether a step's yes or no is right would be a parity, which models of this size learn too late.
CONDITIONS = {"if": "{0}", "or": "{0} or {1}"}
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
    reads = True

    def sample(self, rng: np.random.Generator, steps: int, surface: Surface) -> tuple[Derivation, str]:
        """See :class:`Domain`. Half of the rules fire, so that following them matters."""
        thing = THINGS[rng.integers(len(THINGS))]
        start = value = COLOURS[rng.integers(len(COLOURS))]
        moves, sentences = [], [f"The {thing} is {start}."]
        for label in LABELS[:steps]:
            rule = self._rule(rng, value)
            moves += [Move(READ, (label, rule.op, *rule.args)), rule]
            frame = FRAMES[surface.frames[rng.integers(len(surface.frames))]]
            verb = VERBS[rng.integers(min(surface.verbs, len(VERBS)))]
            told = frame.format(condition=self._condition(rule.op, rule.args), verb=verb, result=rule.args[-1])
            sentences.append(f"{label}: {told}")
            value = self.apply(rule, value)
        return Derivation(start, tuple(moves)), "\n".join([*sentences, "Which colour?\n"])

    @staticmethod
    def _rule(rng: np.random.Generator, value: str) -> Move:
        op = ("if", "or")[rng.choice(2, p=[0.6, 0.4])]
        fires = rng.random() < 0.6
        others = [c for c in COLOURS if c != value]
        first, second, result = (others[i] for i in rng.choice(len(others), 3, replace=False))
        if op == "if":
            return Move(op, (value if fires else first, result))
        pair = [value if fires else first, second]
        rng.shuffle(pair)
        return Move(op, (*pair, result))

    @staticmethod
    def _condition(op: str, args: tuple) -> str:
        return CONDITIONS[op].format(*args)

    @staticmethod
    def _fires(rule: Move, value: str) -> bool:
        return value in rule.args[:-1]

    def apply(self, move: Move, value: str) -> str:
        """See :class:`Domain`."""
        return move.args[-1] if move.op != READ and self._fires(move, value) else value

    def step(self, index: int, move: Move, value: str) -> str:
        """See :class:`Domain`.

        >>> Logic().step(0, Move("read", ("a", "or", "red", "blue", "green")), "red")
        'a: red or blue, green'
        >>> Logic().step(1, Move("or", ("red", "blue", "green")), "red")
        'now red, red or blue: yes green'
        """
        if move.op == READ:
            label, op, *args = move.args
            return f"{label}: {self._condition(op, tuple(args))}, {args[-1]}"
        return self._line(move, value, self._fires(move, value), self.apply(move, value))

    def _line(self, rule: Move, value: str, fires: bool, result: str) -> str:
        # The condition again, after the colour that it is held against: met or not is then told by one line alone.
        return f"now {value}, {self._condition(rule.op, rule.args)}: {'yes' if fires else 'no'} {result}"

    def conclude(self, count: int, value: str) -> str:
        """See :class:`Domain`."""
        return f"#### {value}"

    def wrong_step(self, rng: np.random.Generator, index: int, move: Move, value: str) -> tuple[str, str]:
        """A colour of the rule, read or applied, is another; or the verdict, the present or the resulting colour is."""
        args = list(move.args)
        if move.op == READ:
            place = rng.integers(2, len(args))
            args[place] = _other(rng, args[place])
            return self.step(index, Move(READ, tuple(args)), value), value
        kind = rng.integers(4)
        if kind < 2:
            return self._error(rng, int(kind), move, value)
        if kind == 2:
            value = _other(rng, value)
        else:
            place = rng.integers(len(args) - 1)
            args[place] = _other(rng, args[place])
            move = Move(move.op, tuple(args))
        return self.step(index, move, value), self.apply(move, value)

    def misconception(self, rng: np.random.Generator, index: int, move: Move, value: str) -> tuple[str, str]:
        """See :class:`Domain`: the verdict or the resulting colour is another."""
        return self._error(rng, int(rng.integers(2)), move, value)

    def _error(self, rng: np.random.Generator, kind: int, move: Move, value: str) -> tuple[str, str]:
        fires, right = self._fires(move, value), self.apply(move, value)
        if kind == 0:
            result = value if fires else move.args[-1]
            return self._line(move, value, not fires, result), result
        result = _other(rng, right)
        return self._line(move, value, fires, result), result

    def wrong_conclusion(self, rng: np.random.Generator, count: int, value: str) -> str:
        """See :class:`Domain`."""
        return self.conclude(count, _other(rng, value))

    def topic(self, move: Move, value: str) -> tuple:
        """See :class:`Domain`: how a kind of rule goes with a colour."""
        return (value, move.op) if move.op != READ else ()

    def accepts(self, index: int, move: Move, value: str, line: str) -> bool:
        """See :class:`Domain`."""
        return re.sub(rf"^{WAIT}, ", "", line) == self.step(index, move, value)

    def holds(self, place: int, value, lines: list[str]) -> bool:
        """See :class:`Domain`; each line states the value that it works on, so any error can be taken back."""
        return True

    def correction(self, line: str) -> str:
        """See :class:`Domain`."""
        return f"{WAIT}, {line}"

    def is_correction(self, line: str) -> bool:
        """See :class:`Domain`."""
        return line.startswith(f"{WAIT},")

    def grading(self, rng: np.random.Generator, derivation: Derivation, value: str) -> tuple[str, str]:
        """See :class:`Domain`."""
        return value, "[]"


def _other(rng: np.random.Generator, colour: str) -> str:
    """Any other colour."""
    others = [c for c in COLOURS if c != colour]
    return others[rng.integers(len(others))]
