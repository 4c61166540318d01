"""Grading and voting classes: one grader for answers of every domain."""

import logging
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import prm_scaling.verify.answers as module
import prm_scaling.verify.equivalence as equivalence_module
from prm_scaling.problems.code_tests import Asserts, Calls, Stdin
from prm_scaling.problems.record import Problem
from prm_scaling.verify.answers import classes, equivalent_pairs, grade
from prm_scaling.verify.equivalence import Comparison
from prm_scaling.verify.sandbox import Sandbox

SANDBOX = Sandbox(mode="process", seconds=5.0, megabytes=512)


def problem(reference: str, domain: str = "math", name: str = "p", public: str = "[]") -> Problem:
    return Problem(name, domain, "d", "test", "t", "text", reference, public, 1, "")


def test_no_answer_is_never_right():
    problems = [problem("5"), problem("1/2"), problem("1/2")]
    assert grade(problems, [None, "0.5", "2"], SANDBOX) == [False, True, False]
    assert grade([problem("")], [None], SANDBOX) == [False]
    assert grade([], [], SANDBOX) == [] and classes([], [], SANDBOX) == []


def test_words_are_not_products_of_letters():
    """Wrong behaviour: the colour "gray" equals the answer "gary", since g*r*a*y = g*a*r*y."""
    assert grade([problem("gray", "logic")] * 3, ["gary", "gray", "Gray"], SANDBOX) == [False, True, False]
    assert classes([problem("?", "logic")] * 3, ["gary", "gray", "gary"], SANDBOX) == ["gary", "gray", "gary"]


def test_classes_vote_over_equivalent_answers_not_strings():
    """Wrong behaviour: 1/2, 0.5 and \\frac12 split their vote."""
    q, r = problem("?", name="q"), problem("?", name="r")
    problems, said = [q, q, r, q, q, q], ["1/2", "0.5", "0.5", None, "2", r"\frac12"]
    assert classes(problems, said, SANDBOX) == ["1/2", "1/2", "0.5", None, "2", "1/2"]
    said = ["x+x", "3x", "2x", r"\text{even}", "x+2x", "even"]
    assert classes([q] * 6, said, SANDBOX, workers=2) == ["x+x", "3x", "x+x", r"\text{even}", "3x", r"\text{even}"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("pq"),
            st.none() | st.sampled_from(["1", "1.0", "2", "2/1", "50%", "0.5", "50", "1/2", "even"]),
        ),
        max_size=12,
    )
)
def test_classes_are_disjoint_whatever_is_equivalent(answered):
    """Wrong behaviour: 50 and 0.5 in one class, since each is equal to 50%."""
    problems = [problem("?", name=name) for name, _ in answered]
    said = [answer for _, answer in answered]
    found = classes(problems, said, SANDBOX)
    heads = {}
    for (name, answer), head in zip(answered, found, strict=True):
        assert (head is None) == (answer is None)
        if answer is not None:
            heads.setdefault(name, {}).setdefault(answer, head)
            assert heads[name][answer] == head and heads[name].get(head) == head
            assert equivalent_pairs([(head, answer)], 1) == [Comparison(True)]
    for known in heads.values():
        names = list(dict.fromkeys(known.values()))
        pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
        assert not any(c.equal for c in equivalent_pairs(pairs, 1))


def test_a_pair_that_is_cut_off_is_not_right_and_is_reported(monkeypatch, caplog):
    """Wrong behaviour: an answer that no machine can evaluate hangs the phase, or is silently called wrong."""
    monkeypatch.setattr(module, "Comparer", lambda workers: equivalence_module.Comparer(workers, seconds=0.5))
    with caplog.at_level(logging.WARNING):
        assert grade([problem("x+1")] * 2, ["9^{9^{9^9}}", "1+x"], SANDBOX) == [False, True]
    assert "1 pairs of answers were cut off" in caplog.text
    assert equivalent_pairs([("x+x", "2x"), ("1", "2")], workers=1) == [Comparison(True), Comparison(False)]


def test_plain_numbers_are_graded_at_once_and_without_processes(monkeypatch):
    """Wrong behaviour: the embedded problems' thousands of small integers wait for processes."""

    def never(*args, **kwargs):
        raise AssertionError("a process was started")

    monkeypatch.setattr(equivalence_module.subprocess, "Popen", never)
    problems = [problem(str(i % 11), name=str(i // 32)) for i in range(20_000)]
    said = [str(i % 7) if i % 9 else None for i in range(20_000)]
    began = time.monotonic()
    assert grade(problems, said, SANDBOX) == [a == p.reference for p, a in zip(problems, said, strict=True)]
    assert classes(problems, said, SANDBOX) == said
    assert time.monotonic() - began < 3


RIGHT, WRONG, BROKEN = ("def f(x):\n    return x + 1\n", "def f(x):\n    return 2\n", "def f(x):\n    return x +\n")


def test_programs_are_right_if_they_pass_every_test():
    calls = Calls(function="f", tests=[([1], 2), ([5], 6)]).model_dump_json()
    asserts = Asserts(tests=["assert f(1) == 2", "assert f(5) == 6"]).model_dump_json()
    for reference in (calls, asserts):
        asked = [problem(reference, "code")] * 4
        assert grade(asked, [RIGHT, WRONG, BROKEN, None], SANDBOX) == [True, False, False, False]
    whole = problem(Stdin(tests=[("1\n", "2\n")]).model_dump_json(), "code")
    assert grade([whole, whole], ["print(int(input()) + 1)", "print(3)"], SANDBOX) == [True, False]


def test_programs_are_alike_if_they_do_the_same_on_public_inputs():
    asked = problem(Calls(function="f", tests=[([1], 2)]).model_dump_json(), "code", public="[[7]]")
    first, same, other, broken, silent = classes(
        [asked] * 5, [RIGHT, "def f(y):\n    return 1 + y\n", WRONG, BROKEN, None], SANDBOX
    )
    assert first == same and first is not None and other not in (None, first) and broken is silent is None


def test_a_reference_that_is_no_suite_is_an_error_and_no_verdict():
    with pytest.raises(ValueError, match="hidden tests"):
        grade([problem("[]", "code")], [RIGHT], SANDBOX)
