"""What every domain of the embedded world offers: problems whose every step can be checked.

A problem is a start value and a list of clauses, each of which turns the value into another. A
solution restates one clause a line and ends with a line that gives the conclusion. Restating is
what lets small models learn to verify within minutes; arithmetic modulo a small prime is that of
iGSM ("Physics of Language Models: Part 2.1", arXiv 2407.20311).
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

WAIT = "wait"


@dataclass(frozen=True)
class Clause:
    """One clause: ``verb`` is the surface word that steps restate, ``op`` what it does with ``args``."""

    op: str
    verb: str
    args: tuple


@dataclass(frozen=True)
class Derivation:
    """The truth of a problem: the start value and the clauses that change it, in order."""

    start: int | str | tuple[int, ...]
    clauses: tuple[Clause, ...]


@dataclass(frozen=True)
class Surface:
    """Which surface templates may be used: the first ``verbs`` words per operation, these frames."""

    name: str
    verbs: int
    frames: tuple[int, ...]
    distractors: bool


class Domain(Protocol):
    """A domain of the embedded world."""

    name: str

    def sample(self, rng: np.random.Generator, steps: int, surface: Surface) -> tuple[Derivation, str]:
        """A derivation of ``steps`` clauses and the problem's text."""
        ...

    def apply(self, clause: Clause, value):
        """The value after ``clause``."""
        ...

    def step(self, index: int, clause: Clause, value) -> str:
        """The line that applies ``clause`` as step ``index`` (0-based) to ``value``."""
        ...

    def conclude(self, count: int, value) -> str:
        """The last line, after ``count`` steps that ended at ``value``."""
        ...

    def wrong_step(
        self, rng: np.random.Generator, index: int, clause: Clause, value, misread: bool = True
    ) -> tuple[str, Any]:
        """A planted error in place of ``clause``: its line and the value that a solver then holds.

        Without ``misread`` the clause itself is restated rightly, so that only its application may be wrong.
        """
        ...

    def accepts(self, index: int, clause: Clause, value, line: str) -> bool:
        """Whether ``line`` is a correct step ``index`` that applies ``clause`` to ``value``."""
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

    def values(self) -> tuple:
        """All values that a step may start from; empty if a step's rightness needs more than its own line."""
        ...

    def grading(self, rng: np.random.Generator, derivation: Derivation, value) -> tuple[str, str]:
        """``(reference, public_inputs)`` of the problem record."""
        ...
