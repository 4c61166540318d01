"""Readers of the public data sets: what they make of a record, with the quirks of each set's own layout."""

import base64
import contextlib
import json
import pickle
import zlib
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.problems.code_tests import Asserts, Calls, Check, Stdin, Unittest, parse_suite
from prm_scaling.problems.datasets import DATASETS, fields, pickles, programs
from prm_scaling.problems.datasets.record import Entry, Malformed, Options, Record
from prm_scaling.problems.datasets.settings import DataSource
from prm_scaling.problems.datasets.source import rows

DATA = ROOT.parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="no real records beside the checkout")


def read(name: str, record: Record, **options) -> Entry:
    """The entry that a data set's reader makes of a record."""
    entry = DATASETS[name].read(record, Options(**options))
    assert entry is not None
    return entry


def packed(value: object) -> str:
    """As LiveCodeBench packs its hidden tests."""
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


def stdin(given: str, wanted: str) -> Record:
    return {"input": given, "output": wanted, "testtype": "stdin"}


MATH = {"problem": "What is 1/2 + 1/2?", "level": "Level 3", "type": "Prealgebra", "solution": "It is $\\boxed{1}$."}
GSM8K = {"question": "How many?", "answer": "2000 + 1000 = <<2000+1000=3000>>3000\nThat is all.\n#### 3,000"}
APPS = {
    "problem_id": 1,
    "question": "Add them.",
    "solutions": "[]",
    "input_output": json.dumps({"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}),
    "difficulty": "interview",
    "url": "https://codeforces.com/problemset/problem/1/A",
    "starter_code": "",
}
CONTEST = {
    "name": "1_A. Sum",
    "description": "Add them.",
    "public_tests": {"input": ["1 2\n"], "output": ["3\n"]},
    "private_tests": {"input": ["3 4\n"], "output": ["7\n"]},
    "generated_tests": {"input": [], "output": []},
    "time_limit": {"seconds": 2, "nanos": 500000000},
    "difficulty": 7,
    "input_file": "",
    "output_file": "",
}
HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": "def half(n: int):\n    return n // 2\n\n\n"
    'def f(n: int):\n    """Doubles.\n    >>> f(2)\n    4\n    f(3) == 6\n    """\n',
    "entry_point": "f",
    "canonical_solution": "    return 2 * n\n",
    "test": "def check(candidate):\n    assert half(candidate(2)) == 2\n",
}
MBPP = {
    "task_id": 5,
    "text": "Write a function to add.",
    "code": "def add(a, b):\r\n  return a + b\r\n",
    "test_list": ["assert add(1, 2) == 3", "assert add((1,), (2,)) == (1, 2)"],
    "test_setup_code": "",
    "challenge_test_list": [],
}
LIVE = {
    "question_content": "Add them.",
    "platform": "atcoder",
    "question_id": "abc1_a",
    "contest_date": "2024-08-03T00:00:00",
    "starter_code": "",
    "difficulty": "hard",
    "public_test_cases": json.dumps([stdin("1 2\n", "3\n")]),
    "private_test_cases": packed(json.dumps([stdin("3 4\n", "7\n")])),
    "metadata": "{}",
}
SHEPHERD = {
    "input": "Is Step 1: odd? Step 1: 1 + 1 = 2 ки\nStep 2: The answer is: 2 ки",
    "label": "Is Step 1: odd? Step 1: 1 + 1 = 2 +\nStep 2: The answer is: 2 -",
    "task": "GSM8K",
}
PROCESS = {
    "id": "olympiadbench-7",
    "problem": "Why?",
    "steps": ["a", "b", "c"],
    "label": 1,
    "final_answer_correct": True,
}
PRMBENCH = {
    "modified_question": "Why?",
    "modified_process": ["a", "b", "c"],
    "error_steps": [1, 2],
    "classification": "deception",
}


def completion(text: str, rating: int | None) -> Record:
    return {"text": text, "rating": rating, "flagged": None}


def prm800k(steps: list[Record], **changes) -> Record:
    record = {
        "generation": None,
        "question": {"problem": "Why?", "ground_truth_answer": "2"},
        "label": {"steps": steps},
    }
    return record | changes


# --- math -------------------------------------------------------------------------------------------------------


def test_math_takes_the_boxed_answer_and_either_form_of_a_level():
    assert read("math", MATH) == Entry("What is 1/2 + 1/2?", "1", template="Prealgebra", difficulty=3)
    assert read("math", MATH | {"level": "Level ?"}).difficulty == 0
    assert read("math500", MATH | {"level": 2, "answer": "\\frac{2}{2}"}).reference == "\\frac{2}{2}"
    nested = MATH | {"solution": "First \\boxed{9}, then \\boxed{\\frac{1}{2}}"}
    assert read("math", nested).reference == "\\frac{1}{2}"
    assert read("math", MATH | {"solution": "so $\\boxed 7$"}).reference == "7"


def test_gsm8k_takes_what_follows_the_last_mark_without_commas():
    """Wrong behaviour: 3,000 read as the pair (3, 0)."""
    assert read("gsm8k", GSM8K) == Entry("How many?", "3000", difficulty=2)


# --- code -------------------------------------------------------------------------------------------------------


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


# --- pickles ----------------------------------------------------------------------------------------------------


class Hostile:
    """Runs a command when it is loaded by ``pickle.loads``."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_hostile_pickle_runs_nothing(tmp_path, protocol):
    """Wrong behaviour: `pickle.loads` of a data set runs what its author, or whoever changed the file, wants."""
    mark = tmp_path / "was here"
    content = pickle.dumps(Hostile(mark), protocol)
    record = LIVE | {"private_test_cases": base64.b64encode(zlib.compress(content)).decode()}
    with pytest.raises(Malformed, match=r"private_test_cases: a pickle with \w+, which no data needs"):
        read("livecodebench", record)
    assert not mark.exists()
    pickle.loads(content)
    assert mark.exists()  # it would have worked


texts = st.text(st.characters(codec="utf-8"))
plain = st.recursive(texts, lambda t: st.lists(t, max_size=4) | st.dictionaries(texts, t, max_size=4), max_leaves=12)


@given(plain, st.integers(2, pickle.HIGHEST_PROTOCOL))
def test_texts_lists_and_dicts_are_read_as_pickle_reads_them(value, protocol):
    content = pickle.dumps(value, protocol)
    assert pickles.unpickled(base64.b64encode(zlib.compress(content)).decode(), "f") == value


@given(st.binary(max_size=60))
def test_no_bytes_do_worse_than_being_refused(content):
    with contextlib.suppress(Malformed):
        pickles.unpickled(base64.b64encode(zlib.compress(content)).decode(), "f")


@pytest.mark.parametrize("text", ["!", "AAAA", base64.b64encode(zlib.compress(b"x" * 50)[:-4]).decode()])
def test_what_is_no_packed_pickle_is_told(text):
    with pytest.raises(Malformed, match="f: "):
        pickles.unpickled(text, "f")


def test_a_zip_bomb_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(pickles, "LIMIT", 1000)
    with pytest.raises(Malformed, match="more than 1000 bytes"):
        pickles.unpickled(packed("x" * 2000), "f")


def test_values_that_blow_up_are_told_in_short():
    """Wrong behaviour: a message that holds all of a billion laughs."""
    laughs: list = ["ha"]
    for _ in range(40):
        laughs = [laughs] * 10
    assert len(fields.shown(laughs)) < 500
    with pytest.raises(Malformed, match="nested too deeply"):
        fields.loads("[" * 100000, "f")


# --- step labels ------------------------------------------------------------------------------------------------


def test_math_shepherd_reads_the_sign_where_the_tag_is():
    """Wrong behaviour: a + or - of the text itself taken for a label, or the question's `Step 1:` for the first."""
    entry = read("math_shepherd", SHEPHERD)
    (solution,) = entry.solutions
    assert entry.text == "Is Step 1: odd?" and entry.template == "GSM8K"
    assert solution.steps == ("Step 1: 1 + 1 = 2", "Step 2: The answer is: 2")
    assert solution.ratings == (1, -1) and solution.finished


@pytest.mark.parametrize(
    ("label", "ratings"), [(-1, (1, 1, 1)), (0, (-1, None, None)), (1, (1, -1, None)), (2, (1, 1, -1))]
)
def test_processbench_rates_up_to_the_first_error(label, ratings):
    (solution,) = read("processbench", PROCESS | {"label": label}).solutions
    assert solution.ratings == ratings and solution.category == "olympiadbench" and solution.right is True


def test_prmbench_counts_from_one():
    (solution,) = read("prmbench", PRMBENCH).solutions
    assert solution.ratings == (-1, -1, 1) and solution.category == "deception"


def test_prm800k_follows_what_was_chosen_and_keeps_the_alternatives():
    steps = [
        {"completions": [completion("a", 1), completion("b", -1)], "human_completion": None, "chosen_completion": 0},
        {
            "completions": [completion("c", -1)],
            "human_completion": {"text": "d", "rating": None, "source": "human", "flagged": False},
            "chosen_completion": None,
        },
        {"completions": [completion("e\n\n# Answer\n\n2", 0)], "human_completion": None, "chosen_completion": 0},
    ]
    entry = read("prm800k", prm800k(steps))
    assert entry.reference == "2"
    assert [(s.steps, s.ratings, s.finished) for s in entry.solutions] == [
        (("a", "b")[1:], (-1,), False),
        (("a", "c"), (1, -1), False),
        (("a", "d", "e\n\n# Answer\n\n2"), (1, None, 0), True),
    ]
    assert {s.category for s in entry.solutions} == {"phase 1"}
    (only,) = read("prm800k", prm800k(steps), alternatives=False).solutions
    assert only.steps == ("a", "d", "e\n\n# Answer\n\n2")


def test_prm800k_ends_where_an_error_was_found():
    """Wrong behaviour: a solution that was stopped at its error kept without the error, so that all of it is right."""
    steps = [
        {"completions": [completion("a", 1)], "human_completion": None, "chosen_completion": 0},
        {"completions": [completion("b", -1), completion("c", 1)], "human_completion": None, "chosen_completion": None},
    ]
    record = prm800k(steps, generation=3)
    assert [(s.steps, s.ratings) for s in read("prm800k", record).solutions] == [
        (("a", "b"), (1, -1)),
        (("a", "c"), (1, 1)),
    ]
    (found,) = read("prm800k", record, alternatives=False).solutions
    assert found.steps == ("a", "b") and found.category == "phase 2"


def test_prm800k_that_was_given_up_ends_before_what_nobody_rated():
    unrated = {"completions": [completion("b", None)], "human_completion": None, "chosen_completion": None}
    first = {"completions": [completion("a", 1)], "human_completion": None, "chosen_completion": 0}
    (solution,) = read("prm800k", prm800k([first, unrated])).solutions
    assert solution.steps == ("a",) and not solution.finished
    with pytest.raises(Malformed, match="no rated step"):
        read("prm800k", prm800k([unrated]))


# --- malformed records ------------------------------------------------------------------------------------------

MALFORMED = [
    ("math", MATH | {"problem": None}, "problem"),
    ("math", MATH | {"problem": " "}, "problem"),
    ("math", MATH | {"level": "Level 9"}, "level"),
    ("math", MATH | {"solution": "no answer"}, "solution"),
    ("gsm8k", GSM8K | {"answer": "3000"}, "answer"),
    ("gsm8k", GSM8K | {"question": 3}, "question"),
    ("apps", APPS | {"input_output": ""}, "input_output"),
    ("apps", APPS | {"input_output": "{"}, "input_output"),
    ("apps", APPS | {"input_output": '{"inputs": [], "outputs": []}'}, "input_output"),
    ("apps", APPS | {"input_output": '{"inputs": ["1"], "outputs": []}'}, "input_output"),
    ("apps", APPS | {"input_output": '{"inputs": [1], "outputs": ["1"]}'}, "input_output"),
    ("apps", APPS | {"input_output": '{"fn_name": "a b", "inputs": [[1]], "outputs": [1]}'}, "input_output"),
    ("apps", APPS | {"input_output": '{"fn_name": "f", "inputs": [1], "outputs": [1]}'}, "input_output"),
    ("apps", APPS | {"input_output": '{"inputs": ["\\ud800"], "outputs": ["1"]}'}, "input_output"),
    ("code_contests", CONTEST | {"input_file": "in.txt"}, "input_file"),
    ("code_contests", CONTEST | {"public_tests": {"input": ["1"], "output": []}}, "public_tests"),
    ("humaneval", HUMANEVAL | {"entry_point": "g"}, "entry_point"),
    ("humaneval", HUMANEVAL | {"test": ""}, "test"),
    ("mbpp", MBPP | {"test_list": "assert"}, "test_list"),
    ("mbpp", MBPP | {"test_list": ["assert", 3]}, "test_list[1]"),
    ("mbpp_plus", MBPP | {"test": "pass"}, "test"),
    ("livecodebench", LIVE | {"private_test_cases": "!"}, "private_test_cases"),
    ("livecodebench", LIVE | {"public_test_cases": '[{"input": "1"}]'}, "public_test_cases"),
    ("math_shepherd", SHEPHERD | {"label": SHEPHERD["label"].replace(" -", " *")}, "label"),
    ("math_shepherd", SHEPHERD | {"label": SHEPHERD["label"].replace("odd", "even")}, "label"),
    ("math_shepherd", SHEPHERD | {"input": SHEPHERD["input"] + " more"}, "input"),
    ("math_shepherd", {"input": "Why?", "label": "Why?"}, "input"),
    ("processbench", PROCESS | {"label": 3}, "label"),
    ("processbench", PROCESS | {"label": True}, "label"),
    ("processbench", PROCESS | {"steps": []}, "steps"),
    ("processbench", PROCESS | {"final_answer_correct": "yes"}, "final_answer_correct"),
    ("processbench", PROCESS | {"id": "7"}, "id"),
    ("prmbench", PRMBENCH | {"error_steps": [4]}, "error_steps"),
    ("prmbench", PRMBENCH | {"error_steps": [0]}, "error_steps"),
    ("prmbench", PRMBENCH | {"classification": "other"}, "classification"),
    ("prm800k", prm800k([{"completions": [completion("a", 2)], "chosen_completion": 0}]), "label.steps[0]"),
    ("prm800k", prm800k([{"completions": [completion("a", 1)], "chosen_completion": 5}]), "label.steps[0]"),
    ("prm800k", prm800k([]), "label.steps"),
    ("prm800k", {"question": "Why?", "process": "a ки b", "labels": [1, 1]}, "process"),
    ("prm800k", {"question": "Why?", "process": "a ки", "labels": [1, 1]}, "labels"),
]


@pytest.mark.parametrize(("name", "record", "field"), MALFORMED)
def test_a_malformed_record_is_refused_with_its_field(name, record, field):
    with pytest.raises(Malformed) as error:
        read(name, record)
    assert error.value.field.startswith(field) and error.value.reason


GOOD = {
    "math": MATH,
    "math500": MATH,
    "gsm8k": GSM8K,
    "apps": APPS,
    "taco": APPS,
    "code_contests": CONTEST,
    "humaneval": HUMANEVAL,
    "humaneval_plus": HUMANEVAL,
    "mbpp": MBPP,
    "mbpp_plus": MBPP | {"test": "assertion(add(*inp), 3, 0)"},
    "livecodebench": LIVE,
    "bigcodebench": {"complete_prompt": "def f(): ...", "entry_point": "f", "test": "import unittest"},
    "prm800k": prm800k([{"completions": [completion("a", 1)], "chosen_completion": 0}]),
    "math_shepherd": SHEPHERD,
    "processbench": PROCESS,
    "prmbench": PRMBENCH,
}
odd = st.sampled_from([None, 0, -1, True, 1.5, "", " ", "x", [], [[]], {}, [None], {"a": []}, "\x00"])


@pytest.mark.parametrize("name", DATASETS)
@given(data=st.data())
def test_whatever_a_field_holds_a_record_is_read_or_malformed(name, data):
    """Wrong behaviour: one odd record among a million ends the run with a TypeError."""
    record = dict(GOOD[name])
    for field in data.draw(st.lists(st.sampled_from(sorted(record)), min_size=1, max_size=2)):
        record[field] = data.draw(odd)
    with contextlib.suppress(Malformed):
        entry = DATASETS[name].read(record, Options())
        assert entry.text and len(entry.solutions) == len([s for s in entry.solutions if s.steps])


def test_every_data_set_states_licence_citation_and_commit():
    for dataset in DATASETS.values():
        assert dataset.licence and "arXiv" in dataset.citation
        assert len(dataset.revision) == 40 and dataset.hub.count("/") == 1


def test_calls_in_texts_are_found_whole():
    text = ">>> f([1, (2 + 3)])\n>>> f('a)', [')'])\n>>> f(1, b=2)\n>>> g(1)\n>>> self.f(3)\n>>> f(nan"
    assert json.loads(programs.literal_calls(text, "f")) == [["a)", [")"]]]


# --- real records -----------------------------------------------------------------------------------------------

REAL = {
    # file: (data set, what is chosen of it, records, malformed)
    "math500/test.jsonl": ("math500", {}, 500, 0),
    "math500/variant_level_string_first50.jsonl": ("math", {}, 50, 0),
    "gsm8k/test.jsonl": ("gsm8k", {}, 1319, 0),
    "gsm8k/train_first500.jsonl": ("gsm8k", {}, 500, 0),
    "apps/apps_hf_style.jsonl": ("apps", {}, 100, 0),
    "apps/original_layout": ("apps", {"split": "train"}, 5, 0),
    "bigcodebench/bigcodebench_first100.jsonl": ("bigcodebench", {}, 100, 0),
    "humaneval/HumanEval.jsonl.gz": ("humaneval", {}, 164, 0),
    "humaneval/example_problem.jsonl": ("humaneval", {}, 1, 0),
    "humaneval_plus/HumanEvalPlus-Mini.jsonl.gz": ("humaneval_plus", {}, 164, 0),
    "humaneval_plus/HumanEvalPlus-OriginFmt.jsonl.gz": ("humaneval_plus", {}, 164, 0),
    "livecodebench/lcb_first100_public_only.jsonl": ("livecodebench", {"hidden": False}, 100, 0),
    "livecodebench/sandboxfusion_lcb_v1_samples.jsonl": ("livecodebench", {}, 3, 0),
    "mbpp/mbpp.jsonl": ("mbpp", {}, 974, 0),
    "mbpp/sanitized-mbpp.json": ("mbpp", {}, 427, 0),
    "mbpp_plus/MbppPlus-OriginFmt.jsonl.gz": ("mbpp_plus", {}, 378, 0),
    "math_shepherd/samples_math-shepherd.jsonl": ("math_shepherd", {}, 7, 0),
    "prm800k/openr_samples_raw.jsonl": ("prm800k", {}, 6, 0),
    "prm800k/phase1_phase2_examples_raw.jsonl": ("prm800k", {}, 5, 0),
    "prm800k/openr_processed_multi_step.json": ("prm800k", {}, 310, 0),
    # Three records name an error step beyond the last step.
    "prmbench/subset200_target_data.jsonl": ("prmbench", {}, 200, 3),
    "processbench/gsm8k_first60.json": ("processbench", {}, 60, 0),
    "processbench/math_sample50.json": ("processbench", {}, 50, 0),
    "processbench/olympiadbench_sample50.json": ("processbench", {}, 50, 0),
    "processbench/omnimath_sample50.json": ("processbench", {}, 50, 0),
}


@needs_data
@pytest.mark.parametrize("file", REAL)
def test_real_records_are_read(file):
    name, options, records, malformed = REAL[file]
    dataset, source = DATASETS[name], DataSource(path=str(DATA / file), **options)
    _, found = rows("data", dataset, source)
    entries, refused = [], []
    for row in found:
        assert row.record is not None
        try:
            entries.append(dataset.read(row.record, source.options))
        except Malformed as error:
            refused.append((row.line, error.field))
    assert (len(entries) + len(refused), len(refused)) == (records, malformed), refused
    if dataset.domain == "code":
        assert all(parse_suite(entry.reference) for entry in entries)
    elif not dataset.labelled:
        assert all(entry.reference for entry in entries)
    for entry in entries:
        assert bool(entry.solutions) == dataset.labelled
        assert all(len(s.steps) == len(s.ratings) and all(s.steps) for s in entry.solutions)


@needs_data
def test_all_labels_of_real_solutions_are_where_they_were():
    """Against the raw records: the share of wrong steps, the first errors, the signs."""
    shepherd = map(json.loads, (DATA / "math_shepherd/samples_math-shepherd.jsonl").read_text().splitlines())
    for record in shepherd:
        (solution,) = read("math_shepherd", record).solutions
        assert [1 if line.endswith("+") else -1 for line in record["label"].split("\n")] == list(solution.ratings)
    for path in (DATA / "processbench").iterdir():
        for record in json.loads(path.read_text()):
            (solution,) = read("processbench", record).solutions
            assert solution.ratings.index(-1) == record["label"]
