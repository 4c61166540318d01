"""An independent reading of the embedded world: from a problem's text alone, which lines of a chain are right.

By other means than the package's: words are looked up here, arithmetic is redone, code lines are executed.
"""

import re
from collections.abc import Callable, Sequence

import numpy as np
from conftest import MODULUS

from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.truth import decode_derivation, domain_of

PROBES = (-7, -2, 0, 1, 3, 4, 9, 14)


def expected_first_error(right: Sequence[bool]) -> int:
    """The first of the wrong steps at the end, -1 if the chain ends rightly."""
    joined = "".join("T" if r else "F" for r in right)
    return -1 if joined.endswith("T") else len(joined.rstrip("F"))


MATH_VERBS = {
    **dict.fromkeys(["buys", "finds", "wins", "picks"], "+"),
    **dict.fromkeys(["loses", "sells", "drops", "eats"], "-"),
    **dict.fromkeys(["scales", "boosts", "grows", "copies"], "*"),
}


def math_on_track(problem: Problem, lines: Sequence[str]) -> list[bool]:
    """Redoes the arithmetic from the words of the problem."""
    first, *sentences = problem.text.split(". ")
    value = int(re.search(r"has (\d+)", first)[1])
    todo = []
    for sentence in sentences:
        verbs = [w for w in re.findall(r"[a-z]+", sentence) if w in MATH_VERBS]
        if verbs:
            todo.append((verbs[0], int(re.search(r"\d+", sentence)[0])))
    right = []
    for line in lines:
        if not todo:
            right.append(line == f"#### {value}")
            continue
        verb, n = todo[0]
        m = re.fullmatch(r"(?:wait, )?([a-z]+) (\d+): (\d+) ([-+*]) (\d+) = (\d+)", line)
        good = False
        if m and m[1] == verb and int(m[2]) == n and m[4] == MATH_VERBS[verb]:
            a, b, stated = int(m[3]), int(m[5]), int(m[6])
            result = {"+": a + b, "-": a - b, "*": a * b}[m[4]] % MODULUS
            in_order = (a, b) == (value, n) or (m[4] != "-" and (b, a) == (value, n))
            good = in_order and stated == result
        if good:
            value = int(m[6])
            todo.pop(0)
        right.append(good)
    return right


COLOURS = "red|blue|green|white|black|pink|gold|gray"


def logic_on_track(problem: Problem, lines: Sequence[str]) -> list[bool]:
    """Follows the rules again, as the problem's words state them."""
    first, *sentences = problem.text.split(". ")
    value = re.search(COLOURS, first)[0]
    todo = []
    for sentence in (s for s in sentences if "colour?" not in s):
        result = re.search(rf"(?:turns|becomes|goes|shows) ({COLOURS})", sentence)[1]
        condition = re.search(rf"(?:If|if|When|when) (not )?({COLOURS})(?: or ({COLOURS}))?", sentence)
        todo.append((bool(condition[1]), [c for c in condition.groups()[1:] if c], result))
    assert sentences[-1].endswith("Which colour?\n") or "Which colour?" in sentences[-1]
    right = []
    for line in lines:
        if not todo:
            right.append(line == f"#### {value}")
            continue
        negated, colours, result = todo[0]
        fires = (value not in colours) if negated else (value in colours)
        after = result if fires else value
        words = ("not " if negated else "") + " or ".join(colours)
        good = line.removeprefix("wait, ") == f"{words}, {result}: {value} {'yes' if fires else 'no'} {after}"
        if good:
            value = after
            todo.pop(0)
        right.append(good)
    return right


CODE_WORDS: list[tuple[str, Callable[[int, int], int]]] = [
    (r"(?:if even|when even) (?:add|plus|raise by|increase by)", lambda v, n: v if v % 2 else v + n),
    (r"add|plus|raise by|increase by", lambda v, n: v + n),
    (r"subtract|minus|lower by|decrease by", lambda v, n: v - n),
    (r"multiply by|times|scale by|product with", lambda v, n: v * n),
    (r"remainder by|modulo|rest by|mod", lambda v, n: v % n),
    (r"at least|maximum with|floor at|not below", lambda v, n: v if v > n else n),
    (r"at most|minimum with|cap at|not above", lambda v, n: v if v < n else n),
]
NAMES = "xabcdeghk"


def ran(source: str, names: dict) -> dict | None:
    """The names after ``source`` was executed; ``None`` if it raised. Only for lines made by these tests."""
    scope = dict(names)
    try:
        exec(source, {"__builtins__": {"max": max, "min": min}}, scope)
    except Exception:  # noqa: BLE001 - whatever it raises, the program is broken
        return None
    return scope


def code_on_track(problem: Problem, lines: Sequence[str]) -> list[bool]:
    """Executes the lines: each alone on its operand, and the program so far as a whole."""
    todo = []
    for item in re.split(r"\(\d+\) ", problem.text.split("\n")[0])[1:]:
        function = next(f for words, f in CODE_WORDS if re.match(rf"(?:then |now )*(?:{words}) \d", item))
        todo.append((function, int(re.search(r"\d+", item)[0])))
    place, values, right = 0, list(PROBES), []
    for i, line in enumerate(lines):
        good = False
        if place == len(todo):
            # "return" cannot be executed outside of a function: what follows one is dead code.
            good = line == f"    return {NAMES[place]}" and (all(right) or holds(lines[:i], NAMES[place], values))
        elif holds(lines[:i], NAMES[place], values):
            function, n = todo[place]
            operand, target = NAMES[place], NAMES[place + 1]
            after = [function(v, n) for v in values]
            alone = [ran(line.strip(), {operand: p}) for p in range(-12, 20)]
            good = holds(lines[: i + 1], target, after) and all(
                a is not None and set(a) <= {operand, target} and a.get(target) == function(p, n)
                for a, p in zip(alone, range(-12, 20), strict=True)
            )
            if good:
                place, values = place + 1, after
        right.append(good)
    return right


def holds(lines: Sequence[str], name: str, values: Sequence[int]) -> bool:
    """Whether the program so far, executed as a whole, leaves these values in ``name``."""
    source = "if 1:\n" + "\n".join([*lines, "    pass"])
    scopes = [ran(source, {"x": p}) for p in PROBES]
    return all(s is not None and s.get(name) == v for s, v in zip(scopes, values, strict=True))


ON_TRACK = {"math": math_on_track, "logic": logic_on_track, "code": code_on_track}


# --- chains to judge ---


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
