"""Readers of sets of code problems: what they make of a record, with the quirks of each set's own layout."""

import json

import pytest
from dataset_records import APPS, CONTEST, HUMANEVAL, LIVE, MBPP, packed, read, stdin

from prm_scaling.problems.code_tests import Asserts, Calls, Check, Stdin, Unittest, parse_suite
from prm_scaling.problems.datasets import DATASETS, programs
from prm_scaling.problems.datasets.record import Malformed, Options


def test_apps_reads_programs_and_calls():
    entry = read("apps", APPS)
    # Numbers that are printed are compared within a tolerance, as APPS' own grader does.
    assert parse_suite(entry.reference) == Stdin(
        tests=[("1 2\n", "3\n"), ("3 4\n", "7\n")], tolerance=programs.TOLERANCE
    )
    assert json.loads(entry.public_inputs) == ["1 2\n", "3 4\n"] and entry.difficulty == 2
    lines = {"inputs": [["1", "2"]], "outputs": [["3"]]}
    assert parse_suite(read("apps", APPS | {"input_output": json.dumps(lines)}).reference) == Stdin(
        tests=[("1\n2", "3")], tolerance=programs.TOLERANCE
    )


@pytest.mark.parametrize(
    ("url", "outputs", "expected"),
    [
        ("https://www.codewars.com/kata/1", [[3], [[1]]], [3, [1]]),
        ("https://leetcode.com/problems/a", [[3], [4]], [[3], [4]]),
        ("", [[3], [4]], [3, 4]),
        ("", [[3], 4], [[3], 4]),
    ],
)
def test_apps_unwraps_what_codewars_wraps_and_nothing_else(url, outputs, expected):
    """Wrong behaviour: a function that returns [3] where a list is wanted fails, or passes where 3 is."""
    tests = {"fn_name": "f", "inputs": [[1], [2]], "outputs": outputs}
    suite = parse_suite(read("apps", APPS | {"url": url, "input_output": json.dumps(tests)}).reference)
    assert isinstance(suite, Calls) and [wanted for _, wanted in suite.tests] == expected


def test_a_method_of_a_class_is_called_as_one():
    tests = {"fn_name": "add", "inputs": [[1, 2]], "outputs": [3]}
    starter = "class Solution:\n    def add(self, a: int, b: int) -> int:\n        "
    entry = read("apps", APPS | {"starter_code": starter, "input_output": json.dumps(tests)})
    assert parse_suite(entry.reference) == Calls(function="Solution.add", tests=[([1, 2], 3)])
    assert entry.text.endswith("def add(self, a: int, b: int) -> int:")


@pytest.mark.parametrize(
    ("statement", "unordered"),
    [("You may return the answer in any order.", True), ("Visit the rooms in any order. Return how many.", False)],
)
def test_the_order_of_a_list_is_open_where_the_problem_says_so(statement, unordered):
    """Wrong behaviour: a right list in another order than the recorded one fails."""
    tests = {"fn_name": "f", "inputs": [[1]], "outputs": [[3, 4]]}
    record = APPS | {"question": statement, "url": "leetcode.com", "input_output": json.dumps(tests)}
    calls = [{"input": "1", "output": "[3, 4]", "testtype": "functional"}]
    live = LIVE | {"question_content": statement, "metadata": '{"func_name": "f"}'}
    live |= {"public_test_cases": json.dumps(calls), "private_test_cases": packed(json.dumps(calls))}
    for name, chosen in [("apps", record), ("taco", record), ("livecodebench", live)]:
        assert parse_suite(read(name, chosen).reference).unordered == unordered


def test_taco_has_a_limit_a_problem():
    for told, seconds in [("2.0 seconds", 2.0), ("1.5 sec", 1.5), ("", None), (None, None), ("0.0 seconds", None)]:
        entry = read("taco", APPS | {"time_limit": told, "difficulty": "MEDIUM_HARD", "source": "codeforces"})
        assert parse_suite(entry.reference).seconds == seconds
        assert entry.difficulty == 3 and entry.template == "codeforces"


def test_code_contests_hides_all_tests_and_shows_the_public_inputs():
    entry = read("code_contests", CONTEST)
    suite = parse_suite(entry.reference)
    assert suite == Stdin(tests=[("1 2\n", "3\n"), ("3 4\n", "7\n")], seconds=2.5, tolerance=programs.TOLERANCE)
    assert json.loads(entry.public_inputs) == ["1 2\n"]


def test_humaneval_gives_its_tests_the_helpers_of_the_prompt():
    """Wrong behaviour: a program that leaves out a helper of the prompt fails although its function is right."""
    suite = parse_suite(read("humaneval", HUMANEVAL).reference)
    assert isinstance(suite, Check) and suite.entry == "f"
    names: dict = {}
    exec(suite.source, names)
    names["check"](lambda n: 2 * n)
    assert "f" not in names
    assert json.loads(read("humaneval", HUMANEVAL).public_inputs) == [[2], [3]]


def test_humaneval_plus_in_evalplus_own_layout_compares_with_the_canonical_solution():
    record = {k: v for k, v in HUMANEVAL.items() if k != "test"}
    record |= {"base_input": [[2]], "plus_input": [[0.5]], "atol": 0}
    suite = parse_suite(read("humaneval_plus", record).reference)
    assert isinstance(suite, Check)
    names: dict = {}
    exec(suite.source, names)
    names["check"](lambda n: 2 * n)
    names["check"](lambda n: 4 if n == 2 else 1 + 1e-9)  # floats may differ by 1e-6, integers may not
    for wrong in (lambda n: 2 * n + 1e-9, lambda n: 2 * n + (n == 0.5), lambda n: None):
        with pytest.raises(AssertionError):
            names["check"](wrong)


def test_mbpp_shows_its_assertions():
    entry = read("mbpp", MBPP | {"test_setup_code": "x = 1"})
    suite = parse_suite(entry.reference)
    assert suite == Asserts(setup="x = 1", tests=MBPP["test_list"])
    assert entry.text == "Write a function to add.\nYour code should pass these tests:\n" + "\n".join(suite.tests)
    assert json.loads(entry.public_inputs) == [[1, 2]]  # JSON has no tuples
    sanitized = {k: v for k, v in MBPP.items() if "text" not in k and "setup" not in k}
    entry = read("mbpp", sanitized | {"prompt": "Write.", "test_imports": ["import math"]})
    assert parse_suite(entry.reference).setup == "import math"


def test_mbpp_plus_knows_which_function_its_tests_call():
    source = "def assertion(out, exp, atol): assert out == exp\ninputs = [[1, 2]]\n"
    source += "for i, inp in enumerate(inputs):\n    assertion(add(*inp), ref_func(*inp), 0)"
    suite = parse_suite(read("mbpp_plus", MBPP | {"test": source}).reference)
    assert suite == Check(entry="add", source=source)


def test_bigcodebench_is_a_unittest():
    record = {
        "complete_prompt": "def task_func(a):\n    '''\n    >>> task_func([1])\n    '''\n",
        "entry_point": "task_func",
    }
    entry = read("bigcodebench", record | {"test": "import unittest\n"})
    assert parse_suite(entry.reference) == Unittest(entry="task_func", source="import unittest\n")
    assert json.loads(entry.public_inputs) == [[[1]]]


def test_livecodebench_has_public_and_hidden_tests():
    both = Stdin(tests=[("1 2\n", "3\n"), ("3 4\n", "7\n")])
    entry = read("livecodebench", LIVE)
    assert parse_suite(entry.reference) == both
    assert json.loads(entry.public_inputs) == ["1 2\n"] and entry.difficulty == 3
    plain = LIVE | {"private_test_cases": json.dumps([stdin("3 4\n", "7\n")])}
    assert parse_suite(read("livecodebench", plain).reference) == both
    as_list = LIVE | {"private_test_cases": packed([stdin("3 4\n", "7\n")])}
    assert parse_suite(read("livecodebench", as_list).reference) == both


def test_livecodebench_calls_have_an_argument_a_line():
    tests = [{"input": '[1, 2]\n"a"', "output": "true", "testtype": "functional"}]
    record = LIVE | {"public_test_cases": json.dumps(tests), "private_test_cases": packed(json.dumps(tests))}
    record |= {"metadata": '{"func_name": "g"}', "starter_code": "class Solution:\n    def g(self, a, b):\n        "}
    suite = parse_suite(read("livecodebench", record).reference)
    assert suite == Calls(function="Solution.g", tests=[([[1, 2], "a"], True)] * 2)


@pytest.mark.parametrize(
    ("since", "until", "inside"),
    [
        ("", "", True),
        ("2024-08-03", "", True),
        ("2024-08-04", "", False),
        ("", "2024-08-03", False),
        ("2024-08-01", "2024-08-04", True),
    ],
)
def test_the_window_of_dates_holds_its_first_day_and_not_its_last(since, until, inside):
    entry = DATASETS["livecodebench"].read(LIVE, Options(since=since, until=until))
    assert (entry is not None) == inside


def test_weak_tests_are_not_taken_for_hidden_ones():
    """Wrong behaviour: a problem without hidden tests graded by the examples in its statement."""
    record = LIVE | {"private_test_cases": ""}
    with pytest.raises(Malformed, match="no hidden tests"):
        read("livecodebench", record)
    assert parse_suite(read("livecodebench", record, hidden=False).reference) == Stdin(tests=[("1 2\n", "3\n")])


def test_calls_in_texts_are_found_whole():
    text = ">>> f([1, (2 + 3)])\n>>> f('a)', [')'])\n>>> f(1, b=2)\n>>> g(1)\n>>> self.f(3)\n>>> f(nan"
    assert json.loads(programs.literal_calls(text, "f")) == [["a)", [")"]]]
