"""The truth of every step of a chain over an embedded problem, also of chains that a model sampled.

A solver holds a place (how many moves are made) and a value. A line is *on track* if it makes the next
move rightly at that value, or is the correct conclusion after the last one. A line that is not leaves
the solver's true place where it was, so a later line may take the error back by making that move
again, rightly; until then every line is off track. A line that makes the last move once more is on
track too and changes nothing: one that doubts a right line ("wait, ...") says no more than that.
Skipped clauses, misread ones, wrong operations, slips and chains that reach the right answer by a wrong
way all fall out of that rule. In a program some errors cannot be taken back (see ``Domain.holds``): all
that follows one is off track.
"""

import json
from dataclasses import asdict, dataclass

from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.code import Code
from prm_scaling.problems.world.domain import Derivation, Domain, Move
from prm_scaling.problems.world.logic import Logic
from prm_scaling.problems.world.math import Math


@dataclass(frozen=True)
class Truth:
    """What is true of a chain.

    Attributes:
        on_track: per step, whether the solution so far, up to and including it, is right.
        first_error: 0-based index of the first error that is never taken back; -1 if none.
        corrections: per step, whether it is marked as a self-correction.
    """

    on_track: tuple[bool, ...]
    first_error: int
    corrections: tuple[bool, ...]


def domain_of(name: str, modulus: int) -> Domain:
    """The embedded domain of that name."""
    domains: dict[str, Domain] = {"math": Math(modulus), "code": Code(), "logic": Logic()}
    return domains[name]


def is_correction(domain: str, step: str) -> bool:
    """Whether ``step`` is marked, in the manner of its domain, as a self-correction."""
    return domain_of(domain, modulus=2).is_correction(step)


def encode_derivation(derivation: Derivation, modulus: int) -> str:
    """The derivation as the JSON text that a problem record holds."""
    return json.dumps({**asdict(derivation), "modulus": modulus})


def decode_derivation(text: str) -> tuple[Derivation, int]:
    """The inverse of :func:`encode_derivation`; ``ValueError`` where a problem has no derivation."""
    if not text:
        raise ValueError("this problem has no derivation: the truth of its steps is not known")
    raw = json.loads(text)
    start = tuple(raw["start"]) if isinstance(raw["start"], list) else raw["start"]
    moves = tuple(Move(m["op"], tuple(m["args"])) for m in raw["moves"])
    return Derivation(start, moves), raw["modulus"]


def truth_of(problem: Problem, steps: list[str]) -> Truth:
    """The truth of the chain ``steps`` (lines without their separators) for ``problem``."""
    derivation, modulus = decode_derivation(problem.derivation)
    domain = domain_of(problem.domain, modulus)
    place, value, before = 0, derivation.start, derivation.start
    on_track: list[bool] = []
    for index, line in enumerate(steps):
        right = False
        if all(on_track) or domain.holds(place, value, steps[:index]):
            if place == len(derivation.moves):
                right = line == domain.conclude(place, value)
            elif domain.accepts(place, move := derivation.moves[place], value, line):
                right, place, value, before = True, place + 1, domain.apply(move, value), value
            if not right and place:
                right = domain.accepts(place - 1, derivation.moves[place - 1], before, line)
        on_track.append(right)
    return Truth(tuple(on_track), _first_error(on_track), tuple(domain.is_correction(line) for line in steps))


def _first_error(on_track: list[bool]) -> int:
    """The start of the run of wrong steps that lasts to the end; -1 if the last step is right.

    >>> _first_error([True, False, True, False, False])
    3
    """
    first = len(on_track)
    while first > 0 and not on_track[first - 1]:
        first -= 1
    return first if first < len(on_track) else -1
