"""The truth of chains over embedded problems, recomputed from the problems' texts alone, by other means."""

from collections.abc import Sequence

import pytest
from conftest import DOMAINS, MODULUS, embedded
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import LABELS, ON_TRACK, PROBES, expected_first_error, flawed

from prm_scaling.chains.answers import extract_answer
from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.code import Code
from prm_scaling.problems.world.domain import Derivation, Move
from prm_scaling.problems.world.truth import (
    decode_derivation,
    domain_of,
    encode_derivation,
    truth_of,
)
from prm_scaling.seeds import stream
from prm_scaling.verify.answers import grade
from prm_scaling.verify.sandbox import Sandbox

SANDBOX = Sandbox(mode="process", seconds=5.0, megabytes=512)
PROBLEMS = {domain: embedded(domain) for domain in DOMAINS}

some_problem = st.sampled_from([p for domain in DOMAINS for p in PROBLEMS[domain]])
some_seed = st.integers(0, 2**32)


@settings(max_examples=300)
@given(some_problem, some_seed, st.sampled_from([0.15, 0.5, 1.0]), st.sampled_from([0.0, 0.3]))
def test_the_first_error_of_planted_chains_is_that_of_an_independent_recomputation(problem, seed, errors, corrections):
    lines = flawed(problem, stream("flawed", seed), errors, corrections)
    truth, right = truth_of(problem, lines), ON_TRACK[problem.domain](problem, lines)
    assert list(truth.on_track) == right
    assert truth.first_error == expected_first_error(right)


@st.composite
def patched_chains(draw):
    """Chains of right and wrong lines of a problem, its corrections, conclusions and junk in any order."""
    problem = draw(some_problem)
    rng = stream("patched", draw(some_seed))
    derivation, modulus = decode_derivation(problem.derivation)
    domain = domain_of(problem.domain, modulus)
    value, lines = derivation.start, []
    junk = ["", "wait", "    x = 0", "    return x", "    a = b", "    a = 1 +", "#### ", "   a = x", "# no"]
    for index, move in enumerate(derivation.moves):
        right = domain.step(index, move, value)
        wrong = domain.wrong_step(rng, index, move, value)[0]
        lines += draw(
            st.sampled_from(
                [
                    [right],
                    [right],
                    [wrong, domain.correction(right)],
                    [wrong, right],
                    [right, domain.correction(right)],
                    [right, wrong, right],
                    [wrong, right, right, wrong],
                    [junk[rng.integers(len(junk))], domain.correction(right)],
                    [wrong],
                    [],
                ]
            )
        )
        value = domain.apply(move, value)
    end = domain.conclude(len(derivation.moves), value)
    return problem, lines + draw(st.sampled_from([[end], [end], [end, end], [junk[rng.integers(len(junk))], end], []]))


@settings(max_examples=300)
@given(patched_chains())
def test_the_truth_of_patched_chains_is_that_of_an_independent_recomputation(case):
    problem, lines = case
    assert list(truth_of(problem, lines).on_track) == ON_TRACK[problem.domain](problem, lines)


def test_a_concluded_chain_without_an_error_is_graded_right():
    """Wrong behaviour: a broken program (`return` too early, an overwritten variable) counted as taken back."""
    cases = []

    @settings(max_examples=400)
    @given(patched_chains())
    def collect(case):
        cases.append(case)

    collect()
    kept = []
    for problem, lines in cases:
        derivation, modulus = decode_derivation(problem.derivation)
        value = derivation.start
        domain = domain_of(problem.domain, modulus)
        for move in derivation.moves:
            value = domain.apply(move, value)
        concluded = bool(lines) and lines[-1] == domain.conclude(len(derivation.moves), value)
        if concluded and truth_of(problem, lines).first_error == -1:
            kept.append((problem, extract_answer(problem.question, "\n".join(lines), True)))
    assert {p.domain for p, _ in kept} == set(DOMAINS)
    right = grade([p for p, _ in kept], [a for _, a in kept], SANDBOX)
    assert all(right), [k for k, r in zip(kept, right, strict=True) if not r]


# --- constructed by hand ---


def problem_of(domain: str, start, clauses: Sequence[tuple]) -> Problem:
    """A problem made by hand: clauses are (op, args)."""
    world, moves = domain_of(domain, MODULUS), []
    for label, (op, args) in zip(LABELS, clauses, strict=False):
        moves += [Move("read", (label, op, *args))] * world.reads + [Move(op, args)]
    derivation, value = Derivation(start, tuple(moves)), start
    for move in moves:
        value = world.apply(move, value)
    reference, public = world.grading(stream("by hand"), derivation, value)
    text = "Write f.\ndef f(x):\n" if domain == "code" else "by hand\n"
    encoded = encode_derivation(derivation, MODULUS)
    return Problem("hand", domain, "hand", "test", "hand", text, reference, public, len(clauses), encoded)


SUM = problem_of("math", 3, [("+", (5,)), ("-", (2,)), ("*", (2,))])  # 3, 8, 6, 1
SUMMED = ["a: + 5", "3 + 5 = 8", "b: - 2", "8 - 2 = 6", "c: * 2", "6 * 2 = 1", "#### 1"]


@pytest.mark.parametrize(
    ("lines", "first_error"),
    [
        (SUMMED, -1),
        ([*SUMMED[:2], "c: * 2", "8 * 2 = 5", "#### 5"], 2),  # a clause is left out,
        ([*SUMMED[:2], "b: * 2", "8 * 2 = 5", "#### 5"], 2),  # the next has its label,
        ([*SUMMED[:2], "c: - 2", *SUMMED[3:]], 2),  # or only its label is wrong
        ([*SUMMED[:2], "- 2", *SUMMED[3:]], 2),
        ([*SUMMED[:2], "b: + 2", "8 + 2 = 10", *SUMMED[4:]], 2),  # a clause is misread:
        ([*SUMMED[:2], "b: - 3", "8 - 3 = 5", *SUMMED[4:]], 2),
        ([*SUMMED[:2], "b: + 2", "8 - 2 = 6", *SUMMED[4:]], 2),  # also where it is applied as it should have been read
        ([*SUMMED[:3], "8 + 2 = 10", "c: * 2", "10 * 2 = 9", "#### 9"], 3),  # what was read is not what is applied
        ([*SUMMED[:3], "8 - 3 = 5", "c: * 2", "5 * 2 = 10", "#### 10"], 3),
        ([*SUMMED[:3], "7 - 2 = 5", "c: * 2", "5 * 2 = 10", "#### 10"], 3),
        ([*SUMMED[:5], "6 * 2 = 12", "#### 12"], 5),
        ([*SUMMED[:2], *SUMMED[3:]], 2),  # a clause is applied unread
        ([*SUMMED[:3], *SUMMED[4:]], 3),  # or read and not applied
        ([*SUMMED[:4], "#### 6"], 4),
        ([*SUMMED[:5], "#### 6"], 5),
        ([*SUMMED[:6], "d: + 5", "1 + 5 = 6", "#### 6"], 6),
        ([*SUMMED[:6], "#### 2"], 6),
        ([*SUMMED[:6], "wait, #### 1"], 6),
    ],
)
def test_the_wrong_steps_of_math(lines, first_error):
    assert truth_of(SUM, lines).first_error == first_error
    assert all(truth_of(SUM, lines).on_track[:first_error])


def test_operands_of_math_may_stand_either_way_round_where_that_is_the_same():
    lines = ["a: + 5", "5 + 3 = 8", "b: - 2", "8 - 2 = 6", "c: * 2", "2 * 6 = 1", "#### 1"]
    assert truth_of(SUM, lines).on_track == (True,) * 7
    for line in ("2 - 8 = 6", "2 - 8 = 5"):
        assert truth_of(SUM, [*lines[:3], line]).on_track == (True, True, True, False)
    for line in ("wait, wait, a: + 5", "a: + 5 ", "a: 5 +", "a: + five"):
        assert truth_of(SUM, [line]).on_track == (False,)


def test_a_right_answer_by_a_wrong_way_is_a_wrong_process():
    """Wrong behaviour: labels that follow the answer."""
    problem = problem_of("math", 2, [("+", (2,)), ("+", (1,))])
    lines = ["a: * 2", "2 * 2 = 4", "b: + 1", "4 + 1 = 5", "#### 5"]
    assert extract_answer(problem.question, "\n".join(lines), True) == problem.reference
    assert truth_of(problem, lines).first_error == 0
    swapped = ["b: + 1", "2 + 1 = 3", "a: + 2", "3 + 2 = 5", "#### 5"]
    assert truth_of(problem, swapped).on_track == (False, False, True, False, False)
    under_the_labels_due = ["a: + 1", "2 + 1 = 3", "b: + 2", "3 + 2 = 5", "#### 5"]
    assert truth_of(problem, under_the_labels_due).first_error == 0
    compensated = ["a: + 2", "2 + 2 = 5", "b: + 1", "5 + 1 = 5", "#### 5"]
    assert truth_of(problem, compensated).first_error == 1


def test_corrections_taken_back_and_not():
    taken_back = ["a: + 5", "3 + 5 = 9", "wait, 3 + 5 = 8", "b: - 3", "wait, b: - 2"]
    truth = truth_of(SUM, taken_back)
    assert truth.on_track == (True, False, True, False, True)
    assert truth.first_error == -1 and truth.corrections == (False, False, True, False, True)
    not_taken_back = ["a: + 5", "3 + 5 = 9", "wait, 3 + 5 = 7", "b: - 2", "7 - 2 = 5"]
    truth = truth_of(SUM, not_taken_back)
    assert truth.first_error == 1 and truth.corrections == (False, False, True, False, False)
    late = ["a: + 5", "3 + 5 = 9", "b: - 2", "9 - 2 = 7", "3 + 5 = 8", "b: - 2", "8 - 2 = 6"]
    assert truth_of(SUM, late).on_track == (True, False, False, False, True, True, True)
    again_wrong = [*SUMMED[:4], "c: * 3", "wait, c: * 2", "6 * 2 = 2", "#### 2"]
    assert truth_of(SUM, again_wrong).first_error == 6


RULES = problem_of("logic", "red", [("if", ("red", "blue")), ("or", ("green", "pink", "gold"))])
RULED = [
    *("a: red, blue", "now red, red: yes blue"),
    *("b: green or pink, gold", "now blue, green or pink: no blue"),
    "#### blue",
]


@pytest.mark.parametrize(
    ("lines", "first_error"),
    [
        (RULED, -1),
        ([*RULED[:3], "now blue, green or pink: yes gold", "#### gold"], 3),
        ([*RULED[:3], "now blue, green or blue: yes gold", "#### gold"], 3),
        ([RULED[0], "now green, red: no green", RULED[2], "now green, green or pink: yes gold", "#### gold"], 1),
        (["a: green, blue", "now red, green: no red", *RULED[2:]], 0),
        (["a: red, green", *RULED[1:]], 0),
        ([RULED[0], "now red, red: yes green", *RULED[2:]], 1),
        (["b: red, blue", *RULED[1:]], 0),
        ([*RULED[:2], "b: blue, gold", *RULED[3:]], 2),
        # The rule that does not fire changes nothing: skipping it reaches the right answer by a wrong way.
        ([*RULED[:2], "#### blue"], 2),
    ],
)
def test_the_wrong_steps_of_logic(lines, first_error):
    assert truth_of(RULES, lines).first_error == first_error
    assert all(truth_of(RULES, lines).on_track[:first_error])


PIPE = problem_of("code", PROBES, [("add", (4,)), ("mul", (3,)), ("even", (2,))])


@pytest.mark.parametrize(
    ("line", "accepted"),
    [
        ("    b = a * 3", True),
        ("    b = 3 * a", True),
        ("    b = a + a + a", True),
        ("    b = (a*4) - a  # tripled", True),
        ("    b = a * 3  # wait", True),
        ("    b = max(a, a) * 3", True),
        ("    b = a * 2", False),
        ("    b = x * 3", False),
        ("    c = a * 3", False),
        ("    a = a * 3", False),
        ("b = a * 3", False),
        ("     b = a * 3", False),
        ("    \tb = a * 3", False),
        ("    \x0cb = a * 3", False),
        ("    b = a * 3\xa0", False),
        ("    b == a * 3", False),
        ("    b = c = a * 3", False),
        ("    b = a * 3; c = 1", False),
        ("    b = a % (a - a)", False),
        ("    b =", False),
        ("    b = a\x00 * 3", False),
        ("    b = a * 3 if a == a else 0", True),
    ],
)
def test_code_lines_count_by_meaning(line, accepted):
    lines = ["    a = x + 4", line]
    assert truth_of(PIPE, lines).on_track == (True, accepted)
    # Whatever is accepted also works where it stands.
    source = "def f(x):\n" + "\n".join([*lines, "    return b"])
    if accepted:
        scope: dict = {}
        exec(source, scope)
        assert [scope["f"](p) for p in PROBES] == [(p + 4) * 3 for p in PROBES]


@pytest.mark.parametrize(
    ("wrong", "taken_back"),
    [
        ("    b = a * 4", True),
        ("    b = x * 3", True),
        ("    c = a * 3", True),
        ("", True),
        ("    a = a * 3", False),  # the operand is gone
        ("    x = 0", True),  # nothing reads x any more
        ("    return a", False),  # what follows is never reached
        ("    b = q * 3", False),  # NameError
        ("    b = (a * 3", False),  # SyntaxError
        ("  b = a * 3", False),  # IndentationError
        ("    max = 3", False),  # stricter than need be: nothing calls max here
        ("    import os", False),
    ],
)
def test_a_program_does_not_forgive_every_error(wrong, taken_back):
    """Wrong behaviour: a line after `return`, or after a line that breaks the program, counted as on track."""
    lines = ["    a = x + 4", wrong, "    b = a * 3  # wait", "    c = b + 2 if b % 2 == 0 else b", "    return c"]
    truth = truth_of(PIPE, lines)
    assert truth.on_track == (True, False, *(taken_back,) * 3)
    assert truth.first_error == (-1 if taken_back else 1)
    answer = extract_answer(PIPE.question, "\n".join(lines), True)
    # The evaluator knows plain arithmetic only, so it may be stricter than Python, never laxer.
    assert grade([PIPE], [answer], SANDBOX)[0] or not taken_back


HOSTILE = [
    "    b = __import__('os').system('touch {marker}')",
    "    b = open('{marker}', 'w')",
    "    b = (lambda: open('{marker}', 'w'))()",
    "    b = [open('{marker}', 'w') for _ in '1'][0]",
    "    b = a ** 999999999 ** 9",
    "    b = a << 99999999999",
    "    b = 'a' * 10 ** 10",
    "    b = max(a, open('{marker}', 'w'))",
    "    b = a if open('{marker}', 'w') == a else a",
    "    b = (yield)",
    "    b = a.__class__",
    "    b = f'{a}'",
    "    b = " + "(" * 5000 + "a" + ")" * 5000,
    "    b = " + "-" * 100000 + "a",
    "    b = a" + " + a" * 20000,
    "    b = " + "9" * 6000,
    "    b = '\\N{nothing}'",
    "    b = a \ud800",
]


@pytest.mark.parametrize("line", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_lines_are_wrong_and_never_executed(line, tmp_path):
    marker = tmp_path / "executed"
    line = line.replace("{marker}", str(marker))
    assert not Code().accepts(1, Move("mul", (3,)), PROBES, line)
    assert truth_of(PIPE, ["    a = x + 4", line, "    b = a * 3"]).first_error == 1
    assert not marker.exists()
