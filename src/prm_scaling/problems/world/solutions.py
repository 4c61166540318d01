"""Solutions, self-corrections, planted errors and critiques of embedded problems: what the LMs learn."""

import numpy as np

from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.domain import Clause, Domain
from prm_scaling.problems.world.truth import decode_derivation, domain_of, truth_of

# What follows the problem when its solution is to be judged rather than written.
CHECK = "Check:\n"
# A verdict follows the text of the step that it judges.
RIGHT, WRONG = " ok", " wrong"


def solution(problem: Problem, rng: np.random.Generator, self_correction_rate: float) -> list[str]:
    """A right solution, line by line; a share of its steps is first done wrong and then taken back.

    What is first done wrong is an error of the domain's kinds or, one time in four, the clause after next.
    """
    derivation, modulus = decode_derivation(problem.derivation)
    domain = domain_of(problem.domain, modulus)
    value, lines = derivation.start, []
    for index, clause in enumerate(derivation.clauses):
        line = domain.step(index, clause, value)
        if rng.random() < self_correction_rate:
            lines.append(_wrong(rng, domain, derivation.clauses, index, value))
            line = domain.correction(line)
        lines.append(line)
        value = domain.apply(clause, value)
    return [*lines, domain.conclude(len(derivation.clauses), value)]


def _wrong(rng: np.random.Generator, domain: Domain, clauses: tuple[Clause, ...], index: int, value) -> str:
    """A wrong line in place of step ``index``."""
    skipped = index + 1 < len(clauses) and rng.random() < 0.25
    line = domain.step(index, clauses[index + 1], value) if skipped else None
    if line is None or domain.accepts(index, clauses[index], value, line):
        line = domain.wrong_step(rng, index, clauses[index], value)[0]
    return line


def critique(problem: Problem, steps: list[str]) -> list[tuple[str, str]]:
    """A true critique: (step, verdict) in order.

    The verdict follows its step at once: a small model that had to read the whole chain first and then
    quote or count its steps did not learn to judge within minutes.
    """
    return [(step, RIGHT if ok else WRONG) for step, ok in zip(steps, truth_of(problem, steps).on_track, strict=True)]


def drill(problem: Problem, rng: np.random.Generator, lines: int, error_rate: float) -> list[tuple[str, str]]:
    """Isolated steps with their verdicts: (line, verdict), right if the line is right for some value.

    Practice at what a line alone can tell (arithmetic, conditions); empty for domains where it tells nothing.
    """
    derivation, modulus = decode_derivation(problem.derivation)
    domain = domain_of(problem.domain, modulus)
    values, result = domain.values(), []
    for _ in range(lines if values else 0):
        clause = derivation.clauses[rng.integers(len(derivation.clauses))]
        value = values[rng.integers(len(values))]
        line = domain.step(0, clause, value)
        if rng.random() < error_rate:
            line = domain.wrong_step(rng, 0, clause, value, misread=False)[0]
        right = any(domain.accepts(0, clause, v, line) for v in values)
        result.append((line, RIGHT if right else WRONG))
    return result
