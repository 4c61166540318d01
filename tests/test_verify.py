"""Whether an answer is right: equivalence of answers."""

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import prm_scaling.verify.answers as answers_module
from prm_scaling.problems.record import Problem
from prm_scaling.verify.answers import classes, equivalent, grade
from prm_scaling.verify.sandbox import Sandbox

SANDBOX = Sandbox("process", seconds=5.0, megabytes=512)

# --- equivalence ---

SAID = r"""1/2 0.5 \frac12 \frac{1}{2} 50\% 2 2.0 -0 0 07 7 x x+1 1+x (1,2) (2,1) 1<x<2 x>1 (1,\infty) { \ nan ½ red"""
answers = st.sampled_from([*SAID.split(), "", "5 6", "1,000", "1000"])


@given(answers, answers)
def test_equivalence_is_symmetric(a, b):
    assert equivalent(a, b) == equivalent(b, a)
    assert equivalent(a, a)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("1/2", "0.5", True),
        (r"\frac12", "0.5", True),
        (r"\frac{1}{2}", "1/2", True),
        ("07", "7", True),
        ("x+1", "1+x", True),
        ("11", "0", False),
        ("(1,2)", "(2,1)", False),
        ("(1,2)", "1<x<2", True),  # math-verify itself finds this one way round only
        ("5", "", False),
        ("5", "{", False),
        ("5 6", "56", False),
    ],
)
def test_equivalence_of_numbers_and_expressions(a, b, same):
    assert equivalent(a, b) is same and equivalent(b, a) is same


def test_a_tower_of_powers_does_not_stop_the_grader(monkeypatch):
    """Wrong behaviour: an answer that no machine can evaluate hangs the whole phase."""
    monkeypatch.setattr(answers_module, "SECONDS", 1)
    began = time.monotonic()
    assert not equivalent("5", "9^{9^{9^9}}")
    assert time.monotonic() - began < 30


def math_problem(reference: str, domain: str = "math") -> Problem:
    return Problem("p", domain, "d", "test", "t", "text", reference, "[]", 1, "")


def test_no_answer_is_never_right():
    problems = [math_problem("5"), math_problem("1/2"), math_problem("1/2")]
    assert grade(problems, [None, "0.5", "2"], SANDBOX) == [False, True, False]
    assert grade([math_problem("")], [None], SANDBOX) == [False]


def test_words_are_not_products_of_letters():
    """Wrong behaviour: the colour "gray" equals the answer "gary", since g*r*a*y = g*a*r*y."""
    assert grade([math_problem("gray", "logic")] * 2, ["gary", "gray"], SANDBOX) == [False, True]
    question = math_problem("", "logic")
    assert classes([question] * 3, ["gary", "gray", "gary"], SANDBOX) == ["gary", "gray", "gary"]


def test_classes_vote_over_equivalent_answers_not_strings():
    """Wrong behaviour: 1/2, 0.5 and \\frac12 split their vote."""
    q, r = math_problem(""), replace(math_problem(""), id="r")
    questions, said = [q, q, r, q, q, q], ["1/2", "0.5", "0.5", None, "2", r"\frac12"]
    assert classes(questions, said, SANDBOX) == ["1/2", "1/2", "0.5", None, "2", "1/2"]
