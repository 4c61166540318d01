"""Solutions, self-corrections, planted errors and critiques of embedded problems: what the LMs learn."""

import numpy as np

from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.truth import decode_derivation, domain_of, truth_of

# What follows the problem when its solution is to be judged rather than written.
CHECK = "Check:\n"
# A verdict follows the text of the step that it judges.
RIGHT, WRONG = " ok", " wrong"


def solution(problem: Problem, rng: np.random.Generator, self_correction_rate: float) -> list[str]:
    """A right solution, line by line; a share of its steps is first done wrong and then taken back."""
    derivation, modulus = decode_derivation(problem.derivation)
    domain = domain_of(problem.domain, modulus)
    value, lines = derivation.start, []
    for index, clause in enumerate(derivation.clauses):
        line = domain.step(index, clause, value)
        if rng.random() < self_correction_rate:
            lines.append(domain.wrong_step(rng, index, clause, value)[0])
            line = domain.correction(line)
        lines.append(line)
        value = domain.apply(clause, value)
    return [*lines, domain.conclude(len(derivation.clauses), value)]


def flawed(problem: Problem, rng: np.random.Generator, error_rate: float, self_correction_rate: float) -> list[str]:
    """A chain in which each clause is, at ``error_rate``, done wrong or skipped, and then built upon."""
    derivation, modulus = decode_derivation(problem.derivation)
    domain = domain_of(problem.domain, modulus)
    value, lines, skipped = derivation.start, [], 0
    for position, clause in enumerate(derivation.clauses):
        index = position - skipped
        line = domain.step(index, clause, value)
        draw = rng.random()
        if draw < error_rate / 4 and len(derivation.clauses) > 1:
            skipped += 1
            continue
        if draw < error_rate:
            line, value = domain.wrong_step(rng, index, clause, value)
            lines.append(line)
            continue
        if rng.random() < self_correction_rate:
            lines.append(domain.wrong_step(rng, index, clause, value)[0])
            line = domain.correction(line)
        lines.append(line)
        value = domain.apply(clause, value)
    return [*lines, domain.conclude(len(derivation.clauses) - skipped, value)]


def critique(problem: Problem, steps: list[str]) -> list[tuple[str, str]]:
    """A true critique: (step, verdict) in order, up to the first error that is not taken back.

    The verdict follows its step at once: a small model that had to read the whole chain first and then
    quote or count its steps did not learn to judge within minutes.
    """
    truth = truth_of(problem, steps)
    judged = len(steps) if truth.first_error < 0 else truth.first_error + 1
    return [(step, RIGHT if ok else WRONG) for step, ok in zip(steps[:judged], truth.on_track, strict=False)]
