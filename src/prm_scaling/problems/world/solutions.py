"""Solutions, self-corrections, planted errors and critiques of embedded problems: what the LMs learn."""

from typing import NamedTuple

import numpy as np

from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.domain import LABELS, Domain, Move
from prm_scaling.problems.world.truth import decode_derivation, domain_of, truth_of
from prm_scaling.seeds import stream

# What follows the problem when its solution is to be judged rather than written.
CHECK = "Check:\n"
# A verdict follows the text of the step that it judges.
RIGHT, WRONG = " ok", " wrong"
# Clauses of a drill.
DRILLED = 5
# How often a misconception shows where it could.
MISLED = 0.7
# How often a right step of a critique is doubted: said once more, as a correction. Policies often do that.
DOUBTED = 0.05
# Of the errors of a review: how often one is taken back at once, how often a clause is left out instead.
TAKEN_BACK, LEFT_OUT = 0.3, 0.15


class Judged(NamedTuple):
    """A step, its verdict, and the step that is right in its place (itself if it is right)."""

    step: str
    verdict: str
    right: str


def solution(
    problem: Problem, rng: np.random.Generator, self_correction_rate: float, misconceptions: float = 0.0
) -> list[str]:
    """A solution, line by line; a share of its steps is first done wrong and then taken back.

    What is first done wrong is an error of the domain's kinds or, one time in four, a later line. Otherwise
    the solution is right, unless its writer has misconceptions: of a share of the topics he believes
    something wrong, always the same, acts on it most of the time and goes on from there.
    """
    derivation, modulus = decode_derivation(problem.derivation)
    domain = domain_of(problem.domain, modulus)
    value, lines = derivation.start, []
    for index, move in enumerate(derivation.moves):
        topic = domain.topic(move, value)
        belief = stream("misconception", problem.domain, modulus, *topic)
        if topic and belief.random() < misconceptions and rng.random() < MISLED:
            line, value = domain.misconception(belief, index, move, value)
            lines.append(line)
            continue
        line = domain.step(index, move, value)
        if rng.random() < self_correction_rate:
            lines.append(_wrong(rng, domain, derivation.moves, index, value))
            line = domain.correction(line)
        lines.append(line)
        value = domain.apply(move, value)
    return [*lines, domain.conclude(len(derivation.moves), value)]


def _wrong(rng: np.random.Generator, domain: Domain, moves: tuple[Move, ...], index: int, value) -> str:
    """A wrong line in place of the move at ``index``."""
    later = index + 1 + int(rng.integers(2))
    # A program would not survive it: a later line of code reads a variable that does not exist yet.
    skipped = domain.reads and later < len(moves) and rng.random() < 0.25
    line = domain.step(later, moves[later], value) if skipped else None
    if line is None or domain.accepts(index, moves[index], value, line):
        line = domain.wrong_step(rng, index, moves[index], value)[0]
    return line


def _early(rng: np.random.Generator, domain: Domain, moves: tuple[Move, ...], index: int, value) -> str:
    """The conclusion or, as often, one of the next lines in place of the move at ``index``."""
    later = index + 1 + int(rng.integers(2))
    if later < len(moves) and rng.random() < 0.5:
        line = domain.step(later, moves[later], value)
        if not domain.accepts(index, moves[index], value, line):
            return line
    return domain.conclude(index, value)


def critique(problem: Problem, rng: np.random.Generator, error_rate: float) -> list[Judged]:
    """A true critique of a solution in which a share of the steps is first done wrong and then taken back.

    It may also end there: in a wrong conclusion or, one wrong step in five, in a line that comes too early.
    The verdict follows its step at once: a small model that had to read the whole chain first and then
    quote or count its steps did not learn to judge within minutes.
    """
    derivation, modulus = decode_derivation(problem.derivation)
    domain = domain_of(problem.domain, modulus)
    value = derivation.start
    judged: list[Judged] = []
    for index, move in enumerate(derivation.moves):
        right = domain.step(index, move, value)
        if rng.random() < error_rate:
            if rng.random() < 0.2:
                return [*judged, Judged(_early(rng, domain, derivation.moves, index, value), WRONG, right)]
            judged.append(Judged(_wrong(rng, domain, derivation.moves, index, value), WRONG, right))
            right = domain.correction(right)
        judged.append(Judged(right, RIGHT, right))
        if rng.random() < DOUBTED:
            judged.append(Judged(again := domain.correction(domain.step(index, move, value)), RIGHT, again))
        value = domain.apply(move, value)
    count = len(derivation.moves)
    end = domain.conclude(count, value)
    if rng.random() < error_rate:
        return [*judged, Judged(domain.wrong_conclusion(rng, count, value), WRONG, end)]
    return [*judged, Judged(end, RIGHT, end)]


def review(problem: Problem, rng: np.random.Generator, error_rate: float) -> list[tuple[str, bool]]:
    """The lines of a solution whose errors are mostly built upon, each with whether it is on track.

    So errors look in the chains that a PRM rates: four of five wrong steps of a policy stand behind an earlier
    one. A solver makes an error at ``error_rate`` of the steps and then goes on from it; or takes it back at
    once; or, where a clause takes two lines, leaves its first or second line out.
    """
    derivation, modulus = decode_derivation(problem.derivation)
    domain = domain_of(problem.domain, modulus)
    value, lines = derivation.start, []
    for index, move in enumerate(derivation.moves):
        line, after = domain.step(index, move, value), domain.apply(move, value)
        if rng.random() >= error_rate:
            lines.append(line)
            if rng.random() < DOUBTED:
                lines.append(domain.correction(line))
        elif domain.reads and rng.random() < LEFT_OUT:
            after = value
        else:
            wrong, held = domain.wrong_step(rng, index, move, value)
            lines.append(wrong)
            if rng.random() < TAKEN_BACK:
                lines.append(domain.correction(line))
            else:
                after = held
        value = after
    count = len(derivation.moves)
    wrong_end = rng.random() < error_rate
    lines.append(domain.wrong_conclusion(rng, count, value) if wrong_end else domain.conclude(count, value))
    return list(zip(lines, truth_of(problem, lines).on_track, strict=True))


def drill(problem: Problem, rng: np.random.Generator, error_rate: float) -> tuple[str, list[Judged]]:
    """A start and a critique of lines that follow from it, by clauses that no problem states.

    Practice at what a line owes to the lines before it alone: whether it goes on from their result, and
    applies rightly what was read. Empty for a domain whose lines tell nothing without the problem.
    """
    derivation, modulus = decode_derivation(problem.derivation)
    domain = domain_of(problem.domain, modulus)
    value = derivation.start
    judged: list[Judged] = []
    for index, label in enumerate(LABELS[:DRILLED] if domain.reads else ()):
        place = 2 * int(rng.integers(len(derivation.moves) // 2))
        read, move = derivation.moves[place : place + 2]
        line = domain.step(2 * index, Move(read.op, (label, *read.args[1:])), value)
        right = domain.step(2 * index + 1, move, value)
        judged.append(Judged(line, RIGHT, line))
        if rng.random() < error_rate:
            judged.append(Judged(domain.wrong_step(rng, 2 * index + 1, move, value)[0], WRONG, right))
            right = domain.correction(right)
        judged.append(Judged(right, RIGHT, right))
        value = domain.apply(move, value)
    return f"From {derivation.start}.\n", judged
