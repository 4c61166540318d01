"""Verdicts on programs, by each kind of suite."""

import json
from dataclasses import replace

import pytest
from conftest import embedded
from hypothesis import given
from hypothesis import strategies as st
from sandboxes import GOOD, NEXT, PROCESS, sandbox

import prm_scaling.verify.programs as programs_module
from prm_scaling.problems.code_tests import Asserts, Calls, Check, Stdin, SuiteError, Unittest, parse_suite
from prm_scaling.verify.behaviour import behaviour
from prm_scaling.verify.equalities import equalities
from prm_scaling.verify.inside.plain import encode
from prm_scaling.verify.programs import judge
from prm_scaling.verify.runs import Verdict
from prm_scaling.verify.sandbox import SandboxError

BOTH = pytest.mark.parametrize("mode", ["process", "bubblewrap"])


def verdict(program: str, suite, box=PROCESS) -> Verdict:
    return judge([program], [suite], box)[0]


def calls(*tests, **rules) -> Calls:
    return Calls(function="f", tests=[(args, expected) for args, expected in tests], **rules)


SUITES = [
    NEXT,
    Stdin(tests=[("3\n", "4\n")]),
    Check(entry="f", source="def check(candidate):\n    assert candidate(3) == 4\n"),
    Asserts(setup="x = 3", tests=["assert f(x) == 4"]),
    Unittest(
        entry="f",
        source="import unittest\nclass TestCases(unittest.TestCase):\n"
        "    def test_a(self):\n        self.assertEqual(f(3), 4)\n",
    ),
]


@pytest.mark.parametrize("suite", SUITES, ids=lambda s: s.kind)
def test_suites_are_what_they_were_after_json(suite):
    assert parse_suite(suite.model_dump_json()) == suite


def test_a_suite_keeps_big_integers_and_infinities():
    suite = calls(([10**400, float("inf"), None], {"a": [float("-inf"), True]}), tolerance=1e-6, seconds=2.0)
    assert parse_suite(suite.model_dump_json()) == suite


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "Invalid JSON"),
        ('{"kind": "x"}', "expected tags"),
        ('{"kind": "calls", "function": "f;g", "tests": [[[1], 2]]}', "calls.function.*'f;g'"),
        ('{"kind": "calls", "function": "f", "tests": []}', "calls.tests"),
        ('{"kind": "stdin", "tests": [["1", 2]]}', "stdin.tests.0.1.*got '2'"),
        ('{"kind": "check", "entry": "f", "source": "x", "more": 1}', "check.more"),
    ],
)
def test_what_is_no_suite_is_told_by_field_and_value(text, told):
    with pytest.raises(SuiteError, match=told):
        parse_suite(text)


OUTCOMES = {
    "passed": GOOD + "print(int(input()) + 1) if __name__ == '__main__' else None\n",
    "wrong": "def f(x):\n    return x\nprint(1)\n",
    "error": "def f(x):\n    raise ValueError\nraise SystemExit(3) if __name__ == '__main__' else SystemExit\n",
    "timeout": "import time\ndef f(x): time.sleep(99)\nif __name__ == '__main__': f(1)\n",
    "memory": "def f(x): return len(bytearray(1 << 33))\nif __name__ == '__main__': f(1)\n",
}


@BOTH
@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("suite", SUITES, ids=lambda s: s.kind)
def test_every_outcome_of_every_kind(suite, outcome, mode):
    if suite.kind == "unittest" and mode == "process":
        with pytest.raises(SandboxError, match=r"use `sandbox\.mode: bubblewrap`"):
            verdict(GOOD, suite)
        return
    box = replace(sandbox(mode), seconds=2.0, megabytes=1024)
    found = verdict(OUTCOMES[outcome], suite, box)
    assert found.outcome == outcome
    assert (found.failing == "") == (outcome == "passed") or outcome in ("error", "timeout")


def test_the_failing_test_is_named():
    assert verdict("def f(x):\n    return 2\n", calls(([1], 2), ([5], 6), ([7], 9))).failing == "f(5) == 6"
    tests = ["assert f(1) == 2", "assert f(5) == 6"]
    assert verdict("def f(x):\n    return 2\n", Asserts(tests=tests)).failing == tests[1]
    check = "def check(c):\n    for i, o in [(1, 2), (5, 6)]:\n        assert c(i) == o\n"
    assert verdict("def f(x):\n    return 2\n", Check(entry="f", source=check)).failing == "f(5)"
    assert verdict("print(2)", Stdin(tests=[("1", "2"), ("5", "6")])).failing == "stdin: 5"
    slow = "def f(x):\n    while x == 5: pass\n    return x + 1\n"
    found = verdict(slow, Asserts(tests=tests), replace(PROCESS, seconds=1.0))
    assert found == Verdict("timeout", tests[1])


@pytest.mark.parametrize(
    ("program", "suite", "outcome"),
    [
        ("def f(x): return (x, [x])", calls(([1], [1, [1]])), "passed"),
        ("def f(x): return {1: x}", calls(([1], {"1": 1})), "passed"),
        ("def f(x): return {x}", calls(([1], [1])), "wrong"),
        ("def f(x): return [3, 1]", calls(([1], [1, 3]), unordered=True), "passed"),
        ("def f(x): return 0.30001", calls(([1], 0.3), tolerance=1e-3), "passed"),
        ("def f(x): return 0.30001", calls(([1], 0.3)), "wrong"),
        ("def f(x): return object()", calls(([1], 1)), "refused"),
        ("def f(x): return f(x)", calls(([1], 1)), "error"),
        ("def g(x): return 1", calls(([1], 1)), "error"),
        ("def f(x): return", calls(([1], None)), "passed"),
        ("def f(x): return x +", calls(([1], 1)), "error"),
        ("class Solution:\n    def f(self, x: List[int]) -> int:\n        return sum(x)", None, "passed"),
        ("class f:\n    def __init__(self, x): self.x = x", calls(([1], 1)), "refused"),
        ("print('a  b '); print(0.5)", Stdin(tests=[("", "a b\n0.50")]), "passed"),
        ("import sys\nprint(sys.stdin.read().split()[1])\nsys.exit(0)", Stdin(tests=[("1 2", "2")]), "passed"),
        ("import os\nos.write(1, b'2')\nos._exit(0)", Stdin(tests=[("", "2")]), "passed"),
        ("print(2)\nraise ValueError", Stdin(tests=[("", "2")]), "error"),
        ("import atexit\natexit.register(lambda: print(2))", Stdin(tests=[("", "2")]), "passed"),
        ("import threading\nthreading.Thread(target=lambda: print(2)).start()", Stdin(tests=[("", "2")]), None),
        ("x = 0\nx += 1\nprint(x)", Stdin(tests=[("", "1"), ("", "1")]), "passed"),
        ("while True: print(input())", Stdin(tests=[("1\n2", "1 2")]), "error"),
    ],
)
def test_rules(program, suite, outcome):
    suite = suite or Calls(function="Solution.f", tests=[([[1, 2]], 3)])
    found = verdict(program, suite).outcome
    # Threads are processes to the weaker mode, which allows none.
    assert found == outcome if outcome else found in ("passed", "error")


def test_time_limits_are_per_test():
    program = "import time\ndef f(x):\n    time.sleep(0.4)\n    return x\n"
    box = replace(PROCESS, seconds=1.0)
    assert verdict(program, calls(*(([i], i) for i in range(4))), box).passed
    assert verdict(program, calls(([1], 1), seconds=0.2), box).outcome == "timeout"
    assert verdict(program, calls(([1], 1), seconds=3.0), replace(PROCESS, seconds=0.2)).passed


@pytest.mark.parametrize(
    ("program", "tests", "outcome"),
    [
        ("class Node:\n    def __init__(self, v): self.v, self.next = v, None\ndef f(n): return n.next.v",
         ["n = Node(1)\nn.next = Node(2)\nassert f(n) == 2"], "passed"),
        ("def f(x): return {(1, 2): {3}, 'a': frozenset()}",
         ["assert f(1) == {(1, 2): {3}, 'a': frozenset()}"], "passed"),
        ("def f(x): return (i for i in range(3))", ["assert list(f(1)) == [0, 1, 2]"], "passed"),
        ("def sum(a, b): return a + b", ["assert sum(10, 15) == 25"], "passed"),
        ("def set(x): return 1\ndef f(x): return 0", ["assert set(f(1)) == set([1])"], "wrong"),
        ("class math:\n    isclose = lambda *a: True\ndef f(x): return 0", ["assert math.isclose(f(1), 1)"], "wrong"),
        ("def f(x): raise KeyError(1)", ["try:\n    f(1)\nexcept KeyError: pass\nelse: assert False"], "passed"),
        ("def f(x): raise KeyError(1)", ["assert f(1) == 1"], "error"),
        ("def f(x): return x", ["assert f(f) == 1"], "wrong"),
        ("def f(x): return isinstance(1, x)", ["assert f(int)"], "passed"),
        ("def f(x): x.append(1)", ["assert f(object()) is None"], "refused"),
    ],
)  # fmt: skip
def test_tests_reach_the_program_through_plain_data(program, tests, outcome):
    assert verdict(program, Asserts(tests=tests)).outcome == outcome


# Texts of values that read as they are written, dictionaries and sets apart.
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3)
    | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=6,
)
LOOKALIKE = st.sampled_from([0, 0.0, -0.0, False, 1, 1.0, True, "", b"", None, (), [], (1,), [1], ["t"], 10**999])


OTHER = st.sets(st.integers()) | st.dictionaries(st.text(), st.integers()) | st.floats(width=16)


@given(PLAIN | LOOKALIKE, PLAIN | LOOKALIKE | OTHER)
def test_what_a_literal_equals_encoded_it_equals_in_python(literal, output):
    """Wrong behaviours: a tuple that is its list, ``True`` that is not 1, ``1`` that is not ``1.0``."""
    found = equalities((f"assert f() == {literal!r}",))
    assert found is not None
    assert (json.loads(json.dumps(encode(output))) == found.expected[0]) == (output == literal)


@pytest.mark.parametrize(
    "test",
    [
        "assert f(1) == {1: 2}",
        "assert f(1) == {1}",
        "assert f(1) == [2, x]",
        "assert f(x) == 2",
        "assert f(a=1) == 2",
        "assert f(*[1]) == 2",
        "assert f(1) == 2 == 2",
        "assert f(1) is None",
        "assert f(1) == 2, 'why'",
        "assert a.f(1) == 2",
        "assert len(f(1)) == 2",
        "assert f(1) == 2; x = 3",
        "f(1) == 2",
        "assert f(",
        "assert f(1) == " + "[" * 200 + "]" * 200,
    ],
)
def test_what_is_more_than_an_equality_of_literals_is_run(test):
    assert equalities((test,)) is None and equalities(("assert f(1) == 2", test)) is None


def test_assertions_of_equality_have_one_limit_for_all():
    program = "import time\ndef f(x):\n    time.sleep(0.4)\n    return x\n"
    tests = Asserts(tests=[f"assert f({i}) == {i}" for i in range(4)])
    assert equalities(("assert f(1) == 1", "assert g(1) == 1")) is None
    assert verdict(program, tests, replace(PROCESS, seconds=5.0)).passed
    assert verdict(program, tests, replace(PROCESS, seconds=1.0)) == Verdict("timeout", tests.tests[2])


def test_equal_pairs_run_once_and_verdicts_are_in_order(monkeypatch):
    ran, original = [], programs_module._judge
    monkeypatch.setattr(programs_module, "_judge", lambda lane, pair: ran.append(pair) or original(lane, pair))
    other = calls(([1], 3))
    found = judge([GOOD, GOOD, "def f(x): return 3", GOOD], [NEXT, other, other, calls(([1], 2))], PROCESS)
    assert [v.outcome for v in found] == ["passed", "wrong", "passed", "passed"] and len(ran) == 3
    assert judge([], [], PROCESS) == []


def test_behaviour_is_shared_by_programs_that_give_the_same():
    same = ["def f(x): return [x, 1]", "def f(y): return (y, 1.0 - 0 == 1 and 1)", "def f(x): return [x, 2]", "def f("]
    found = behaviour(same, [NEXT] * 4, ["[[1], [2]]"] * 4, PROCESS)
    assert found[0] == found[1] != found[2] and found[3] is None
    whole = ["print(input())", "print(input() + ' ')", "print(1)", "1 / 0"]
    found = behaviour(whole, [Stdin(tests=[("", "")])] * 4, ['["1", "2"]'] * 4, PROCESS)
    assert found[0] == found[1] != found[2] and found[3] is None
    asserts = Asserts(tests=["assert set(f(1)) == {1}"])
    assert behaviour(["def f(x): return [x]"], [asserts], ["[[1]]"], PROCESS) == ["[[1]]"]


def test_hidden_tests_of_embedded_problems_tell_programs_apart():
    for problem in embedded("code")[:5]:
        suite = parse_suite(problem.reference)
        table = {args[0]: value for args, value in suite.tests}
        programs = [f"T = {table}\ndef f(x): return T[x]", f"T = {table}\ndef f(x): return T[x] + (x == {min(table)})"]
        assert [v.passed for v in judge(programs, [suite] * 2, PROCESS)] == [True, False]
