"""An independent reading of the embedded world: from a problem's text alone, which lines of a chain are right.

By other means than the package's: words are looked up here, arithmetic is redone, code lines are executed.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from conftest import MODULUS

from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.truth import decode_derivation, domain_of

PROBES = (-7, -2, 0, 1, 3, 4, 9, 14)


def expected_first_error(right: Sequence[bool]) -> int:
    """The first of the wrong steps at the end, -1 if the chain ends rightly."""
    joined = "".join("T" if r else "F" for r in right)
    return -1 if joined.endswith("T") else len(joined.rstrip("F"))


LABELS = "abcdeghk"


def moves_of(problem: Problem) -> int:
    """Lines of a solution before its conclusion: a program has one a clause, all else a second that reads it."""
    return problem.difficulty * (1 if problem.domain == "code" else 2)


NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
MATH_VERBS = {
    **dict.fromkeys(["buys", "finds", "wins", "picks"], "+"),
    **dict.fromkeys(["loses", "sells", "drops", "eats"], "-"),
    **dict.fromkeys(["scales", "boosts", "grows", "copies"], "*"),
}


def clauses_of(problem: Problem) -> list[str]:
    """The labelled lines of a problem without their labels, which must be the first ones, in order."""
    found = re.findall(r"^([a-z]): (.*)$", problem.text, re.MULTILINE)
    assert "".join(label for label, _ in found) == LABELS[: len(found)]
    return [clause for _, clause in found]


def result_of(a: int, op: str, b: int) -> int:
    """Arithmetic modulo the tests' prime."""
    return {"+": a + b, "-": a - b, "*": a * b}[op] % MODULUS


def math_clauses(problem: Problem) -> tuple[int, list[tuple[str, int]]]:
    """The start and the clauses of a word problem: (operation, number)."""
    todo = []
    for clause in clauses_of(problem):
        (op,) = [MATH_VERBS[word] for word in re.findall(r"[a-z]+", clause) if word in MATH_VERBS]
        (n,) = [NUMBERS[word] for word in re.findall(r"[a-z]+", clause) if word in NUMBERS]
        todo.append((op, n))
    return int(re.search(r"^[A-Z][a-z]+ has ([0-9]+) ", problem.text)[1]), todo


def on_track(lines: Sequence[str], start, ends: int, move: Callable[[int, object, str], object]) -> list[bool]:
    """Takes line after line: one that makes the next move, the last one once more, or the conclusion is right.

    ``move(done, value, line)`` is the value after ``line`` if that makes move ``done`` at ``value``, or ``None``.
    """
    done, value, before, right = 0, start, start, []
    for line in lines:
        after = move(done, value, line)
        if after is not None and done < ends:
            done, value, before, good = done + 1, after, value, True
        elif after is not None:  # the conclusion
            good = True
        else:
            good = done > 0 and move(done - 1, before, line) is not None
        right.append(good)
    return right


def math_on_track(problem: Problem, lines: Sequence[str]) -> list[bool]:
    """Redoes the arithmetic from the words of the problem: a line that reads each clause, one that applies it."""
    start, todo = math_clauses(problem)

    def move(done: int, value: int, line: str) -> int | None:
        place, applied = divmod(done, 2)
        if place == len(todo):
            return value if line == f"#### {value}" else None
        op, n = todo[place]
        if not applied:
            return value if line.removeprefix("wait, ") == f"{LABELS[place]}: {op} {n}" else None
        stated = re.fullmatch(r"(?:wait, )?([0-9]+) ([-+*]) ([0-9]+) = ([0-9]+)", line)
        if not stated or stated[2] != op:
            return None
        a, b, result = int(stated[1]), int(stated[3]), int(stated[4])
        known = (a, b) == (value, n) or (op != "-" and (b, a) == (value, n))
        return result if known and result == result_of(a, op, b) else None

    return on_track(lines, start, 2 * len(todo), move)


COLOURS = "red|blue|green|white|black|pink|gold|gray|brown|violet"


def logic_clauses(problem: Problem) -> tuple[str, list[tuple[list[str], str]]]:
    """The start and the rules: (the colours of the condition, the resulting colour)."""
    todo = []
    for clause in clauses_of(problem):
        result = re.search(rf"(?:turns|becomes|goes|shows) ({COLOURS})", clause)[1]
        condition = re.search(rf"(?:If|if|When|when) ({COLOURS})(?: or ({COLOURS}))?", clause)
        todo.append(([c for c in condition.groups() if c], result))
    return re.search(rf"^The [a-z]+ is ({COLOURS})\.$", problem.text, re.MULTILINE)[1], todo


def logic_on_track(problem: Problem, lines: Sequence[str]) -> list[bool]:
    """Follows the rules again, as the problem's words state them: a line that reads each, one that applies it."""
    start, todo = logic_clauses(problem)

    def move(done: int, value: str, line: str) -> str | None:
        place, applied = divmod(done, 2)
        if place == len(todo):
            return value if line == f"#### {value}" else None
        colours, result = todo[place]
        fires = value in colours
        after = result if fires else value
        condition = " or ".join(colours)
        if not applied:
            return value if line.removeprefix("wait, ") == f"{LABELS[place]}: {condition}, {result}" else None
        expected = f"now {value}, {condition}: {'yes' if fires else 'no'} {after}"
        return after if line.removeprefix("wait, ") == expected else None

    return on_track(lines, start, 2 * len(todo), move)


CODE_WORDS: list[tuple[str, Callable[[int, int], int]]] = [
    (r"(?:if even|when even) (?:add|plus|raise by|increase by)", lambda v, n: v if v % 2 else v + n),
    (r"add|plus|raise by|increase by", lambda v, n: v + n),
    (r"subtract|minus|lower by|decrease by", lambda v, n: v - n),
    (r"multiply by|times|scale by|product with", lambda v, n: v * n),
    (r"remainder by|modulo|rest by|mod", lambda v, n: v % n),
    (r"at least|maximum with|floor at|not below", lambda v, n: v if v > n else n),
    (r"at most|minimum with|cap at|not above", lambda v, n: v if v < n else n),
]
NAMES = "x" + LABELS


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
    for clause in clauses_of(problem):
        function = next(f for words, f in CODE_WORDS if re.match(rf"(?:then |now )*(?:{words}) [0-9]", clause))
        todo.append((function, int(re.search(r"[0-9]+", clause)[0])))
    place, values, before, right = 0, list(PROBES), list(PROBES), []

    def makes(number: int, values: list[int], line: str, lines: Sequence[str]) -> list[int] | None:
        """The values after ``line``, the last of ``lines``, if it makes that move."""
        function, n = todo[number]
        operand, target = NAMES[number], NAMES[number + 1]
        after = [function(v, n) for v in values]
        alone = [ran(line.strip(), {operand: p}) for p in range(-12, 20)]
        good = holds(lines, target, after) and all(
            a is not None and set(a) <= {operand, target} and a.get(target) == function(p, n)
            for a, p in zip(alone, range(-12, 20), strict=True)
        )
        return after if good else None

    for i, line in enumerate(lines):
        good = False
        # "return" cannot be executed outside of a function: what follows one is dead code.
        if (place == len(todo) and all(right)) or holds(lines[:i], NAMES[place], values):
            if place == len(todo) and line == f"    return {NAMES[place]}":
                good = True
            elif place < len(todo) and (after := makes(place, values, line, lines[: i + 1])) is not None:
                place, values, before, good = place + 1, after, values, True
            else:
                good = place > 0 and makes(place - 1, before, line, lines[: i + 1]) is not None
        right.append(good)
    return right


def holds(lines: Sequence[str], name: str, values: Sequence[int]) -> bool:
    """Whether the program so far, executed as a whole, leaves these values in ``name``."""
    source = "if 1:\n" + "\n".join([*lines, "    pass"])
    scopes = [ran(source, {"x": p}) for p in PROBES]
    return all(s is not None and s.get(name) == v for s, v in zip(scopes, values, strict=True))


ON_TRACK = {"math": math_on_track, "logic": logic_on_track, "code": code_on_track}


# --- drills ---


def math_follows(start: str, lines: Sequence[str]) -> list[bool]:
    """Of lines that no problem states: whether each reads under the label due, or applies what was read last."""
    value, right = int(start), []
    op, n = "", 0
    for line in (line.removeprefix("wait, ") for line in lines):
        place, applied = divmod(sum(right), 2)
        if applied:
            a, sign, b, stated = re.fullmatch(r"([0-9]+) ([-+*]) ([0-9]+) = ([0-9]+)", line).groups()
            good = (int(a), sign, int(b)) == (value, op, n) and int(stated) == result_of(value, op, n)
            value = int(stated) if good else value
        else:
            label, op, number = re.fullmatch(r"([a-z]): ([-+*]) ([0-9]+)", line).groups()
            n, good = int(number), label == LABELS[place]
        right.append(good)
    return right


def logic_follows(start: str, lines: Sequence[str]) -> list[bool]:
    """As :func:`math_follows`."""
    value, right = start, []
    condition, result = "", ""
    for line in (line.removeprefix("wait, ") for line in lines):
        place, applied = divmod(sum(right), 2)
        if applied:
            form = rf"now ({COLOURS}), ([a-z ]+): (yes|no) ({COLOURS})"
            seen, held, fires, after = re.fullmatch(form, line).groups()
            meets = value in condition.split(" or ")
            good = (
                seen == value
                and held == condition
                and meets == (fires == "yes")
                and after == (result if meets else value)
            )
            value = after if good else value
        else:
            label, condition, result = re.fullmatch(rf"([a-z]): ([a-z ]+), ({COLOURS})", line).groups()
            good = label == LABELS[place]
        right.append(good)
    return right


FOLLOWS = {"math": math_follows, "logic": logic_follows}


# --- chains to judge ---


def flawed(problem: Problem, rng: np.random.Generator, error_rate: float, self_correction_rate: float) -> list[str]:
    """A chain in which each line is, at ``error_rate``, done wrong or left out, and then built upon.

    A line may be left out alone or with all of its clause. What follows such a clause stands under its own label in
    half of the chains, else under the one that is due.
    """
    derivation, modulus = decode_derivation(problem.derivation)
    domain = domain_of(problem.domain, modulus)
    size = 2 if domain.reads else 1
    value, lines, skipped, skipping, own_labels = derivation.start, [], 0, False, rng.random() < 0.5
    for position, move in enumerate(derivation.moves):
        if position % size == 0:
            skipping = rng.random() < error_rate / 4
            skipped += size * skipping
        if skipping or (size > 1 and rng.random() < error_rate / 8):
            continue
        index = position if own_labels else position - skipped
        if move.op == "read":
            move = replace(move, args=(LABELS[index // 2], *move.args[1:]))
        if rng.random() < error_rate * 3 / 4:
            line, value = domain.wrong_step(rng, index, move, value)
            lines.append(line)
            continue
        line = domain.step(index, move, value)
        if rng.random() < self_correction_rate:
            lines.append(domain.wrong_step(rng, index, move, value)[0])
            line = domain.correction(line)
        lines.append(line)
        value = domain.apply(move, value)
    return [*lines, domain.conclude(len(derivation.moves) - (0 if own_labels else skipped), value)]
