"""The embedded world: its truth is recomputed here from the problems' texts alone, by other means."""

import json
import re
from collections.abc import Sequence

import numpy as np
import pytest
from conftest import DOMAINS, MODULUS, WIDE, embedded
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import MATH_VERBS, ON_TRACK, PROBES, expected_first_error, flawed

from prm_scaling.chains.answers import extract_answer
from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.code import Code
from prm_scaling.problems.world.domain import Clause, Derivation, Surface
from prm_scaling.problems.world.generate import generate
from prm_scaling.problems.world.solutions import RIGHT, WRONG, critique, drill, solution
from prm_scaling.problems.world.truth import decode_derivation, domain_of, encode_derivation, truth_of
from prm_scaling.seeds import stream
from prm_scaling.verify.answers import grade
from prm_scaling.verify.sandbox import Limits

LIMITS = Limits(seconds=5.0, megabytes=512)
PROBLEMS = {domain: embedded(domain) for domain in DOMAINS}

some_problem = st.sampled_from([p for domain in DOMAINS for p in PROBLEMS[domain]])
some_seed = st.integers(0, 2**32)


def problem_of(domain: str, start, clauses: Sequence[tuple]) -> Problem:
    """A problem made by hand: clauses are (op, verb, args)."""
    world = domain_of(domain, MODULUS)
    derivation = Derivation(start, tuple(Clause(op, verb, args) for op, verb, args in clauses))
    value = start
    for clause in derivation.clauses:
        value = world.apply(clause, value)
    reference, public = world.grading(stream("by hand"), derivation, value)
    text = "Write f: by hand\ndef f(x):\n" if domain == "code" else "by hand\n"
    encoded = encode_derivation(derivation, MODULUS)
    return Problem("hand", domain, "hand", "test", "hand", text, reference, public, len(clauses), encoded)


@given(some_problem, some_seed)
def test_a_reference_solution_is_right_throughout_and_ends_with_the_right_answer(problem, seed):
    lines = solution(problem, stream("solution", seed), self_correction_rate=0.0)
    truth = truth_of(problem, lines)
    assert all(truth.on_track) and truth.first_error == -1 and not any(truth.corrections)
    assert len(lines) == problem.difficulty + 1
    assert all(ON_TRACK[problem.domain](problem, lines))
    if problem.domain != "code":
        assert extract_answer(problem.question, "\n".join(lines), True) == problem.reference


def test_reference_programs_pass_their_hidden_tests():
    chosen = PROBLEMS["code"]
    programs = ["\n".join(solution(p, stream("solution"), 0.3)) for p in chosen]
    answers = [extract_answer(p.question, text, True) for p, text in zip(chosen, programs, strict=True)]
    assert all(grade(chosen, answers, LIMITS))


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
    for index, clause in enumerate(derivation.clauses):
        right = domain.step(index, clause, value)
        wrong = domain.wrong_step(rng, index, clause, value)[0]
        lines += draw(
            st.sampled_from(
                [
                    [right],
                    [right],
                    [wrong, domain.correction(right)],
                    [wrong, right],
                    [right, wrong, right],
                    [junk[rng.integers(len(junk))], domain.correction(right)],
                    [wrong],
                    [],
                ]
            )
        )
        value = domain.apply(clause, value)
    end = domain.conclude(len(derivation.clauses), value)
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
        for clause in derivation.clauses:
            value = domain.apply(clause, value)
        concluded = bool(lines) and lines[-1] == domain.conclude(len(derivation.clauses), value)
        if concluded and truth_of(problem, lines).first_error == -1:
            kept.append((problem, extract_answer(problem.question, "\n".join(lines), True)))
    assert {p.domain for p, _ in kept} == set(DOMAINS)
    right = grade([p for p, _ in kept], [a for _, a in kept], LIMITS)
    assert all(right), [k for k, r in zip(kept, right, strict=True) if not r]


@given(some_problem, some_seed)
def test_self_corrections_are_seen_and_leave_no_error(problem, seed):
    lines = solution(problem, stream("corrected", seed), self_correction_rate=1.0)
    truth = truth_of(problem, lines)
    clauses = problem.difficulty
    assert truth.on_track == (False, True) * clauses + (True,)
    assert truth.corrections == (False, True) * clauses + (False,)
    assert truth.first_error == -1


# --- constructed by hand ---

SUM = problem_of("math", 3, [("+", "buys", (5,)), ("-", "sells", (2,)), ("*", "grows", (2,))])  # 3, 8, 6, 1


def test_the_wrong_steps_of_math():
    right = ["buys 5: 3 + 5 = 8", "sells 2: 8 - 2 = 6", "grows 2: 6 * 2 = 1", "#### 1"]
    assert truth_of(SUM, right).on_track == (True,) * 4
    skipped = [right[0], "grows 2: 8 * 2 = 5", "#### 5"]
    assert truth_of(SUM, skipped).first_error == 1
    operation = [right[0], "sells 2: 8 + 2 = 10", "grows 2: 10 * 2 = 9", "#### 9"]
    assert truth_of(SUM, operation).first_error == 1
    slip = [right[0], right[1], "grows 2: 6 * 2 = 12", "#### 12"]
    assert truth_of(SUM, slip).first_error == 2
    operand = [right[0], "sells 2: 7 - 2 = 5", "grows 2: 5 * 2 = 10", "#### 10"]
    assert truth_of(SUM, operand).first_error == 1
    early = [right[0], right[1], "#### 6"]
    assert truth_of(SUM, early).first_error == 2
    invented = [*right[:3], "buys 5: 1 + 5 = 6", "#### 6"]
    assert truth_of(SUM, invented).first_error == 3
    another = [*right[:3], "#### 2"]
    assert truth_of(SUM, another).first_error == 3


def test_operands_of_math_may_stand_either_way_round_where_that_is_the_same():
    lines = ["buys 5: 5 + 3 = 8", "sells 2: 8 - 2 = 6", "grows 2: 2 * 6 = 1", "#### 1"]
    assert truth_of(SUM, lines).on_track == (True,) * 4
    assert truth_of(SUM, [lines[0], "sells 2: 2 - 8 = 6"]).on_track == (True, False)
    assert truth_of(SUM, [lines[0], "sells 2: 2 - 8 = 5"]).on_track == (True, False)
    assert truth_of(SUM, ["wait, wait, buys 5: 3 + 5 = 8"]).on_track == (False,)
    assert truth_of(SUM, ["buys 5: 3 + 5 = 8 "]).on_track == (False,)


def test_a_right_answer_by_a_wrong_way_is_a_wrong_process():
    """Wrong behaviour: labels that follow the answer."""
    problem = problem_of("math", 2, [("+", "buys", (2,)), ("+", "wins", (1,))])
    lines = ["buys 2: 2 * 2 = 4", "wins 1: 4 + 1 = 5", "#### 5"]
    assert extract_answer(problem.question, "\n".join(lines), True) == problem.reference
    assert truth_of(problem, lines).first_error == 0
    swapped = ["wins 1: 2 + 1 = 3", "buys 2: 3 + 2 = 5", "#### 5"]
    assert truth_of(problem, swapped).first_error == 0
    compensated = ["buys 2: 2 + 2 = 5", "wins 1: 5 + 1 = 5", "#### 5"]
    assert truth_of(problem, compensated).first_error == 0


def test_corrections_taken_back_and_not():
    taken_back = ["buys 5: 3 + 5 = 9", "wait, buys 5: 3 + 5 = 8", "sells 2: 8 - 2 = 6"]
    truth = truth_of(SUM, taken_back)
    assert truth.on_track == (False, True, True)
    assert truth.first_error == -1 and truth.corrections == (False, True, False)
    not_taken_back = ["buys 5: 3 + 5 = 9", "wait, buys 5: 3 + 5 = 7", "sells 2: 7 - 2 = 5"]
    truth = truth_of(SUM, not_taken_back)
    assert truth.first_error == 0 and truth.corrections == (False, True, False)
    late = ["buys 5: 3 + 5 = 9", "sells 2: 9 - 2 = 7", "buys 5: 3 + 5 = 8", "sells 2: 8 - 2 = 6"]
    assert truth_of(SUM, late).on_track == (False, False, True, True)
    again_wrong = [*taken_back, "grows 2: 6 * 2 = 2", "#### 2"]
    assert truth_of(SUM, again_wrong).first_error == 3


RULES = problem_of("logic", "red", [("if", "turns", ("red", "blue")), ("not", "goes", ("blue", "gold"))])


def test_the_wrong_steps_of_logic():
    right = ["red, blue: red yes blue", "not blue, gold: blue no blue", "#### blue"]
    assert truth_of(RULES, right).first_error == -1
    verdict = [right[0], "not blue, gold: blue yes gold", "#### gold"]
    assert truth_of(RULES, verdict).first_error == 1
    seen = ["red, blue: green no green", "not blue, gold: green yes gold", "#### gold"]
    assert truth_of(RULES, seen).first_error == 0
    result = ["red, blue: red yes green", right[1], right[2]]
    assert truth_of(RULES, result).first_error == 0
    # The rule that does not fire changes nothing: skipping it reaches the right answer by a wrong way.
    assert truth_of(RULES, [right[0], "#### blue"]).first_error == 1


PIPE = problem_of(
    "code", PROBES, [("add", "add {n}", (4,)), ("mul", "times {n}", (3,)), ("even", "if even add {n}", (2,))]
)


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
    assert grade([PIPE], [answer], LIMITS)[0] or not taken_back


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
    assert not Code().accepts(1, Clause("mul", "times {n}", (3,)), PROBES, line)
    assert truth_of(PIPE, ["    a = x + 4", line, "    b = a * 3"]).first_error == 1
    assert not marker.exists()


# --- critiques, generation ---


@given(some_problem, some_seed, st.sampled_from([0.0, 0.3, 1.0]))
def test_a_critique_agrees_with_the_truth(problem, seed, errors):
    lines = flawed(problem, stream("judged", seed), errors, 0.3)
    right = ON_TRACK[problem.domain](problem, lines)
    made = critique(problem, lines)
    assert made == [(s, RIGHT if r else WRONG) for s, r in zip(lines, right, strict=True)][: len(made)]
    # It does not end before the first error.
    first_error = expected_first_error(right)
    assert len(made) == len(lines) or len(made) > first_error >= 0
    assert RIGHT != WRONG


@given(some_problem, some_seed)
def test_a_drill_line_is_right_if_it_is_right_of_some_value(problem, seed):
    made = drill(problem, stream("drill", seed), 8, 0.5)
    assert (made == []) == (problem.domain == "code")
    for line, verdict in made:
        if problem.domain == "math":
            a, op, b, stated = re.search(r": (\d+) ([-+*]) (\d+) = (\d+)$", line).groups()
            verb, n = line.split(":")[0].split()
            result = {"+": int(a) + int(b), "-": int(a) - int(b), "*": int(a) * int(b)}[op] % MODULUS
            restated = MATH_VERBS[verb] == op and (b == n or (a == n and op != "-"))
            right = restated and result == int(stated)
        else:
            words, rest = line.split(", ")
            result, seen, fires, after = re.split(r"[: ]+", rest)
            colours = words.removeprefix("not ").split(" or ")
            truly = (seen in colours) != words.startswith("not ")
            right = (fires == "yes") == truly and after == (result if truly else seen)
        assert verdict == (RIGHT if right else WRONG), line


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
    assert all(len(decode_derivation(p.derivation)[0].clauses) == p.difficulty for p in made)


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_two_splits_share_a_derivation_in_other_words(domain):
    """Wrong behaviour: the same clauses in train and in test, told with other verbs (leakage)."""

    def bare(split: str, surface: Surface) -> set:
        made = generate(f"{split}-{surface.name}", domain, split, surface, (2, 3), 120, MODULUS, 0)
        derivations = [decode_derivation(p.derivation)[0] for p in made]
        return {(d.start, tuple((c.op, c.args) for c in d.clauses)) for d in derivations}

    unseen = Surface("unseen", 4, (3, 4), True)
    seen = bare("pretrain", WIDE) | bare("train", WIDE)
    assert not seen & (bare("test", unseen) | bare("test", WIDE) | bare("validation", WIDE))


def test_too_many_problems_of_a_narrow_surface_are_refused():
    with pytest.raises(ValueError, match=r"problems\.sets\.few: only \d+ of 40 .* ask for fewer"):
        generate("few", "code", "validation", Surface("narrow", 1, (0,), False), (1, 1), 40, MODULUS, 0)


def test_hidden_tests_and_public_inputs_do_not_overlap():
    for problem in PROBLEMS["code"]:
        hidden = [args for args, _ in json.loads(problem.reference)]
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


def test_wrong_steps_are_wrong():
    """Wrong behaviour: a planted error that is none."""
    rng = np.random.default_rng(0)
    for domain in DOMAINS:
        for problem in PROBLEMS[domain]:
            derivation, modulus = decode_derivation(problem.derivation)
            world, value = domain_of(domain, modulus), derivation.start
            for index, clause in enumerate(derivation.clauses):
                for _ in range(10):
                    line, _ = world.wrong_step(rng, index, clause, value)
                    assert not world.accepts(index, clause, value, line), (clause, line)
                value = world.apply(clause, value)
