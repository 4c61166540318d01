"""What the tests of programs in the sandbox share."""

from functools import cache

import pytest

from prm_scaling.problems.code_tests import Asserts, Calls, Check, Stdin
from prm_scaling.verify.programs import judge
from prm_scaling.verify.runs import Verdict
from prm_scaling.verify.sandbox import Sandbox, why_not

PROCESS = Sandbox("process", seconds=5.0, megabytes=512)
BUBBLEWRAP = Sandbox("bubblewrap", seconds=5.0, megabytes=512)

reason = cache(why_not)


def sandbox(mode: str) -> Sandbox:
    """The sandbox of a mode, or a skipped test where the machine cannot give it."""
    if mode == "process":
        return PROCESS
    if reason("bubblewrap"):
        pytest.skip(str(reason("bubblewrap")))
    return BUBBLEWRAP


GOOD = "def f(x):\n    return x + 1\n"
NEXT = Calls(function="f", tests=[([1], 2)])
# Of each kind, what no program knows that does not look for it.
SUITES = {
    "calls": Calls(function="f", tests=[([1], "expected-output")]),
    "stdin": Stdin(tests=[("1", "expected-output")]),
    "check": Check(entry="f", source="def check(candidate):\n    assert candidate(1) == 'expected-output'\n"),
    "named": Check(entry="f", source="x = 'expected-output'\nassert f(1) == x\n"),
    "equal": Asserts(tests=["assert f(1) == 'expected-output'"]),
    "asserts": Asserts(tests=["assert f(1) == 'expected-output'", "assert len(f(2)) == 15"]),
}


def then_good(program: str, suite, box: Sandbox) -> Verdict:
    """The verdict on a program, after which a good one on the same worker has passed."""
    before, verdict, after = judge([GOOD, program, f"{GOOD}# after\n"], [NEXT, suite, NEXT], box)
    assert before.passed and after.passed
    return verdict
