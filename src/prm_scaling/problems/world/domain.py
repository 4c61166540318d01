"""What every domain of the embedded world offers: problems whose every step can be checked.

A problem is a start value and a list of labelled clauses, each of which turns the value into another.
A solution takes them in order and ends with a line that gives the conclusion. In word problems and
deductions a clause takes two lines: one reads it, under its label, and the next applies what was read.
Labels and reading apart from applying are what lets models of two layers learn to verify within
minutes: a line has little to be compared with, and it is known where. Arithmetic modulo a small prime
is that of iGSM ("Physics of Language Models: Part 2.1", arXiv 2407.20311).
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

WAIT = "wait"
# Of the clauses of a problem, in order; without f, the function that a code problem asks for.
LABELS = tuple("abcdeghk")


@dataclass(frozen=True)
class Move:
    """What one line of a solution does: ``op`` with ``args``, whatever words the problem has for it."""

    op: str
    args: tuple


# The move that reads a clause and leaves the value as it is; its arguments begin with the clause's label.
READ = "read"


@dataclass(frozen=True)
class Derivation:
    """The truth of a problem: the start value and the moves that a solution makes, in order."""

    start: int | str | tuple[int, ...]
    moves: tuple[Move, ...]


@dataclass(frozen=True)
class Surface:
    """Which surface templates may be used: the first ``verbs`` words per operation, these frames."""

    name: str
    verbs: int
    frames: tuple[int, ...]
    distractors: bool


class Domain(Protocol):
    """A domain of the embedded world.

    Attributes:
        name: ``math``, ``code`` or ``logic``.
        reads: whether a clause takes two moves, one that reads it and one that applies it. The second can
            then be judged without the problem.
    """

    name: str
    reads: bool

    def sample(self, rng: np.random.Generator, steps: int, surface: Surface) -> tuple[Derivation, str]:
        """A derivation of ``steps`` clauses and the problem's text."""
        ...

    def apply(self, move: Move, value):
        """The value after ``move``."""
        ...

    def step(self, index: int, move: Move, value) -> str:
        """The line of ``move``, the derivation's at ``index`` (0-based), at ``value``."""
        ...

    def conclude(self, count: int, value) -> str:
        """The last line, after ``count`` moves that ended at ``value``."""
        ...

    def wrong_step(self, rng: np.random.Generator, index: int, move: Move, value) -> tuple[str, Any]:
        """A planted error in place of ``move``: its line and the value that a solver then holds."""
        ...

    def misconception(self, rng: np.random.Generator, index: int, move: Move, value) -> tuple[str, Any]:
        """What one writes, and then holds, who is mistaken about the topic of ``move`` at ``value``."""
        ...

    def wrong_conclusion(self, rng: np.random.Generator, count: int, value) -> str:
        """A conclusion other than that after ``count`` moves that ended at ``value``."""
        ...

    def topic(self, move: Move, value) -> tuple:
        """What one has to know to make ``move`` at ``value``, which one can be mistaken about; empty if nothing."""
        ...

    def accepts(self, index: int, move: Move, value, line: str) -> bool:
        """Whether ``line`` makes ``move``, the derivation's at ``index``, at ``value``."""
        ...

    def holds(self, place: int, value, lines: list[str]) -> bool:
        """Whether ``lines``, some of them wrong, leave a solver able to go on from ``value`` at ``place``."""
        ...

    def correction(self, line: str) -> str:
        """``line`` written as a self-correction of the line before it."""
        ...

    def is_correction(self, line: str) -> bool:
        """Whether ``line`` is marked as a self-correction."""
        ...

    def grading(self, rng: np.random.Generator, derivation: Derivation, value) -> tuple[str, str]:
        """``(reference, public_inputs)`` of the problem record."""
        ...
