"""The embedded world: its truth is recomputed here from the problems' texts alone, by other means."""

import json
import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from conftest import DOMAINS, MODULUS, WIDE, embedded
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import FOLLOWS, LABELS, ON_TRACK, PROBES, expected_first_error, flawed

from prm_scaling.chains.answers import extract_answer
from prm_scaling.problems.code_tests import parse_suite
from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.code import Code
from prm_scaling.problems.world.domain import Derivation, Move, Surface
from prm_scaling.problems.world.generate import generate
from prm_scaling.problems.world.solutions import RIGHT, WRONG, Judged, critique, drill, review, solution
from prm_scaling.problems.world.truth import (
    decode_derivation,
    domain_of,
    encode_derivation,
    is_correction,
    truth_of,
)
from prm_scaling.seeds import stream
from prm_scaling.verify.answers import grade
from prm_scaling.verify.sandbox import Sandbox

SANDBOX = Sandbox(mode="process", seconds=5.0, megabytes=512)
PROBLEMS = {domain: embedded(domain) for domain in DOMAINS}

some_problem = st.sampled_from([p for domain in DOMAINS for p in PROBLEMS[domain]])
some_seed = st.integers(0, 2**32)


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


def moves_of(problem: Problem) -> int:
    """Lines of a solution before its conclusion: a program has one a clause, all else a second that reads it."""
    return problem.difficulty * (1 if problem.domain == "code" else 2)


@given(some_problem, some_seed)
def test_a_reference_solution_is_right_throughout_and_ends_with_the_right_answer(problem, seed):
    lines = solution(problem, stream("solution", seed), self_correction_rate=0.0)
    truth = truth_of(problem, lines)
    assert all(truth.on_track) and truth.first_error == -1 and not any(truth.corrections)
    assert len(lines) == moves_of(problem) + 1
    assert all(ON_TRACK[problem.domain](problem, lines))
    if problem.domain != "code":
        assert extract_answer(problem.question, "\n".join(lines), True) == problem.reference


def test_reference_programs_pass_their_hidden_tests():
    chosen = PROBLEMS["code"]
    programs = ["\n".join(solution(p, stream("solution", p.id), 0.3)) for p in chosen]
    answers = [extract_answer(p.question, text, True) for p, text in zip(chosen, programs, strict=True)]
    assert all(grade(chosen, answers, SANDBOX))


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


@given(some_problem, some_seed)
def test_self_corrections_are_seen_and_leave_no_error(problem, seed):
    lines = solution(problem, stream("corrected", seed), self_correction_rate=1.0)
    truth = truth_of(problem, lines)
    moves = moves_of(problem)
    assert truth.on_track == (False, True) * moves + (True,)
    assert truth.corrections == (False, True) * moves + (False,)
    assert truth.first_error == -1


# --- constructed by hand ---

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


# --- critiques, generation ---


@settings(max_examples=300)
@given(some_problem, some_seed, st.sampled_from([0.0, 0.3, 1.0]))
def test_a_critique_agrees_with_the_truth(problem, seed, errors):
    """Wrong behaviour: a verdict "ok" on what follows an error that nothing can take back."""
    made = critique(problem, stream("judged", seed), errors)
    steps, told = [j.step for j in made], [j.verdict == RIGHT for j in made]
    assert {j.verdict for j in made} <= {RIGHT, WRONG} and RIGHT != WRONG
    assert told == ON_TRACK[problem.domain](problem, steps)
    assert told == list(truth_of(problem, steps).on_track)


@given(some_problem, some_seed, st.sampled_from([0.0, 0.3, 1.0]))
def test_the_right_step_beside_a_wrong_one_is_right_in_its_place(problem, seed, errors):
    """Wrong behaviour: the place of the error told by a step that is itself wrong."""
    made = critique(problem, stream("judged", seed), errors)
    kept: list[str] = []
    for step, verdict, right in made:
        assert (verdict == RIGHT) == (step == right)
        assert all(ON_TRACK[problem.domain](problem, [*kept, right]))
        kept += [step] * (verdict == RIGHT)


def doubts(domain: str, made: list[Judged]) -> list[Judged]:
    """The steps of a critique that doubt a right one: corrections of what was found right."""
    return [b for a, b in pairwise(made) if is_correction(domain, b.step) and a.verdict == RIGHT]


def test_critiques_end_rightly_wrongly_and_too_early():
    """Wrong behaviour: a judge to be that has never seen a wrong conclusion."""
    for domain in DOMAINS:
        ends = set()
        for problem in PROBLEMS[domain]:
            for seed in range(10):
                made = critique(problem, stream("ends", seed), 0.4)
                moves = sum(j.verdict == RIGHT for j in made[:-1]) - len(doubts(domain, made))
                ends.add((made[-1].verdict, moves == moves_of(problem)))
        assert ends == {(RIGHT, True), (WRONG, True), (WRONG, False)}


def test_a_critique_without_errors_is_the_solution_in_which_some_right_steps_are_doubted():
    """Wrong behaviour: a judge to be for whom every "wait" follows an error."""
    for domain in DOMAINS:
        doubted = 0
        for problem in PROBLEMS[domain]:
            made = critique(problem, stream("flawless", problem.id), 0.0)
            assert {j.verdict for j in made} == {RIGHT}
            steps = [j.step for j in made if not is_correction(domain, j.step)]
            assert steps == solution(problem, stream("flawless", problem.id), 0.0)
            doubted += len(doubts(domain, made))
        assert doubted > 0


@settings(max_examples=300)
@given(some_problem, some_seed, st.sampled_from([0.0, 0.2, 1.0]))
def test_a_review_agrees_with_the_truth(problem, seed, errors):
    made = review(problem, stream("review", seed), errors)
    assert [right for _, right in made] == ON_TRACK[problem.domain](problem, [line for line, _ in made])
    assert errors or all(right for _, right in made)


@pytest.mark.parametrize("domain", DOMAINS)
def test_most_wrong_steps_of_reviews_stand_behind_an_error_as_those_of_policies_do(domain):
    """Wrong behaviour: a PRM's base that has never seen what follows an error that is not taken back."""
    behind, first, healed = 0, 0, 0
    for problem in PROBLEMS[domain]:
        for seed in range(10):
            told = [right for _, right in review(problem, stream("behind", seed), 0.2)]
            wrong = [i for i, right in enumerate(told) if not right]
            first += bool(wrong)
            behind += max(0, len(wrong) - 1)
            healed += any(told[i] for i in range(min(wrong, default=len(told)), len(told)))
    assert behind > first and healed > 0


@settings(max_examples=300)
@given(some_problem, some_seed, st.sampled_from([0.0, 0.5, 1.0]))
def test_a_drill_step_is_right_if_it_follows_from_those_before_it(problem, seed, errors):
    start, made = drill(problem, stream("drill", seed), errors)
    assert (made == []) == (problem.domain == "code")
    if made:
        value = re.fullmatch(r"From ([a-z0-9]+)\.\n", start)[1]
        told = [j.verdict == RIGHT for j in made]
        assert told == FOLLOWS[problem.domain](value, [j.step for j in made])
        assert all((j.verdict == RIGHT) == (j.step == j.right) for j in made)
        kept = [j.step for j in made if j.verdict == RIGHT]
        for i, (step, verdict, right) in enumerate(made):
            before = [j.step for j in made[:i] if j.verdict == RIGHT]
            assert verdict == RIGHT or all(FOLLOWS[problem.domain](value, [*before, right])), step
        # A line that reads comes without a problem, so it cannot be found wrong; all others can.
        assert all(line.removeprefix("wait, ")[1] == ":" for line in kept[::2]) and len(kept) % 2 == 0
        assert errors == 0.5 or told == ([True, *[False] * int(errors), True]) * (len(kept) // 2)


@given(some_problem, some_seed)
def test_right_lines_of_a_drill_read_and_apply_clauses_of_its_problem(problem, seed):
    """Wrong behaviour: practice at numbers and conditions that no problem has."""
    _, made = drill(problem, stream("drill", seed), 0.0)
    read = {line[3:] for line in solution(problem, stream("read"), 0.0)[::2]}
    assert {j.step[3:] for j in made[::2]} <= read


@pytest.mark.parametrize("domain", DOMAINS)
def test_equal_seeds_give_equal_problems_and_others_do_not(domain):
    again = generate(f"{domain}_set", domain, "train", WIDE, (2, 5), 30, MODULUS, 0)
    assert again == PROBLEMS[domain]
    assert {p.text for p in embedded(domain, seed=1)} != {p.text for p in PROBLEMS[domain]}
    # The first problems of a larger set are those of a smaller one.
    assert generate(f"{domain}_set", domain, "train", WIDE, (2, 5), 40, MODULUS, 0)[:30] == again


@pytest.mark.parametrize("domain", DOMAINS)
def test_problems_are_distinct_and_as_hard_as_asked(domain):
    made = PROBLEMS[domain]
    assert len({p.id for p in made}) == len({p.text for p in made}) == len(made)
    assert [p.difficulty for p in made[:4]] == [2, 3, 4, 5]
    assert all(len(decode_derivation(p.derivation)[0].moves) == moves_of(p) for p in made)


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_two_splits_share_a_derivation_in_other_words(domain):
    """Wrong behaviour: the same clauses in train and in test, told with other verbs (leakage)."""

    def bare(split: str, surface: Surface) -> set:
        made = generate(f"{split}-{surface.name}", domain, split, surface, (2, 3), 120, MODULUS, 0)
        derivations = [decode_derivation(p.derivation)[0] for p in made]
        return {(d.start, tuple((m.op, m.args) for m in d.moves)) for d in derivations}

    unseen = Surface("unseen", 4, (3, 4), True)
    seen = bare("pretrain", WIDE) | bare("train", WIDE)
    assert not seen & (bare("test", unseen) | bare("test", WIDE) | bare("validation", WIDE))


def test_too_many_problems_of_a_narrow_surface_are_refused():
    with pytest.raises(ValueError, match=r"problems\.sets\.few: only \d+ of 40 .* ask for fewer"):
        generate("few", "code", "validation", Surface("narrow", 1, (0,), False), (1, 1), 40, MODULUS, 0)


def test_hidden_tests_and_public_inputs_do_not_overlap():
    for problem in PROBLEMS["code"]:
        hidden = [args for args, _ in parse_suite(problem.reference).tests]
        assert not [args for args in json.loads(problem.public_inputs) if args in hidden]


def test_a_question_has_no_reference():
    """Wrong behaviour: a searcher that can reach the ground truth."""
    question = PROBLEMS["code"][0].question
    assert set(vars(question)) == {"id", "domain", "text", "public_inputs"}
    assert not hasattr(question, "reference") and not hasattr(question, "derivation")


@given(some_problem)
def test_derivations_survive_their_encoding(problem):
    derivation, modulus = decode_derivation(problem.derivation)
    assert encode_derivation(derivation, modulus) == problem.derivation


def test_a_problem_without_a_derivation_has_no_truth():
    with pytest.raises(ValueError, match="no derivation"):
        decode_derivation("")


def test_wrong_steps_and_wrong_conclusions_are_wrong():
    """Wrong behaviour: a planted error that is none."""
    rng = np.random.default_rng(0)
    for domain in DOMAINS:
        for problem in PROBLEMS[domain]:
            derivation, modulus = decode_derivation(problem.derivation)
            world, value, lines = domain_of(domain, modulus), derivation.start, []
            for index, move in enumerate(derivation.moves):
                for _ in range(10):
                    line, _ = world.wrong_step(rng, index, move, value)
                    assert not ON_TRACK[domain](problem, [*lines, line])[-1], (move, line)
                lines.append(world.step(index, move, value))
                value = world.apply(move, value)
            for _ in range(10):
                line = world.wrong_conclusion(rng, len(lines), value)
                assert not ON_TRACK[domain](problem, [*lines, line])[-1], line
                assert line.split()[0] == world.conclude(len(lines), value).split()[0]
            assert all(ON_TRACK[domain](problem, [*lines, world.conclude(len(lines), value)]))


# What a line takes over from the lines before it: the result so far; the colour and the condition; the variable.
TAKEN_OVER = {"math": r"(\d+) ", "code": r" *\w = .*?\b([a-z])\b(?!\()", "logic": r"(now \w+, .*): "}


def test_misconceptions_are_wrong_about_facts_and_not_about_what_stands_on_the_page():
    """Wrong behaviour: who is mistaken about arithmetic forgets the result that he has just written."""
    rng = np.random.default_rng(0)
    for domain in DOMAINS:
        for problem in PROBLEMS[domain]:
            derivation, modulus = decode_derivation(problem.derivation)
            world, value = domain_of(domain, modulus), derivation.start
            for index, move in enumerate(derivation.moves):
                right = world.step(index, move, value)
                for _ in range(10 if world.topic(move, value) else 0):
                    line, _ = world.misconception(rng, index, move, value)
                    assert not world.accepts(index, move, value, line), (move, line)
                    given, stays = (re.match(TAKEN_OVER[domain], text) for text in (line, right))
                    assert given and stays and given[1] == stays[1], (right, line)
                value = world.apply(move, value)


def test_a_misconception_is_the_same_in_all_problems():
    """Wrong behaviour: errors by chance alone, which a majority vote mends."""
    believed: dict[tuple, set[str]] = {}
    for problem in PROBLEMS["math"]:
        derivation, modulus = decode_derivation(problem.derivation)
        world = domain_of("math", modulus)
        for seed in range(5):
            value, lines = derivation.start, solution(problem, np.random.default_rng(seed), 0.0, misconceptions=1.0)
            for index, (move, line) in enumerate(zip(derivation.moves, lines, strict=False)):
                if line != world.step(index, move, value):
                    believed.setdefault(world.topic(move, value), set()).add(line)
                    break
                value = world.apply(move, value)
    assert believed and {len(lines) for lines in believed.values()} == {1}


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_problem_is_one_labelled_clause_a_line_after_its_start(domain):
    """Wrong behaviour: numbers of clauses in digits, which a step's digits could be copied from."""
    for problem in PROBLEMS[domain]:
        first, *lines, last, nothing = problem.text.split("\n")
        labelled = [line for line in lines if re.match(r"[a-z]: ", line)]
        assert nothing == "" and [line[0] for line in labelled] == list(LABELS[: problem.difficulty])
        assert (first, last) == ("Write f.", "def f(x):") or (first[-1], last[-1]) == (".", "?")
        # What bears no label is a distractor, and only word problems have any.
        idle = [line for line in lines if line not in labelled]
        assert not idle or domain == "math"
        assert all(re.search("sees|counts|likes|paints", line) for line in idle)
        if domain == "math":
            assert not re.search("[0-9]", "".join(lines)) and re.search("has [0-9]+ ", first)
