"""Records of the public data sets, small and made up, in the layout of each, and how tests read them."""

import base64
import csv
import gzip
import json
import pickle
import zlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT

from prm_scaling.problems.datasets import DATASETS
from prm_scaling.problems.datasets.record import Entry, Options, Record

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


QUESTIONS = [{"question": f"How many are {i} and 1?", "answer": f"So\n#### {i + 1}"} for i in range(5)]


def write(path: Path, records: list) -> Path:
    """A file of records of the kind that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(record) + "\n" for record in records)
    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(lines.encode()))
    elif path.suffix == ".jsonl":
        path.write_text(lines)
    elif path.suffix == ".json":
        path.write_text(json.dumps(records, indent=2))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    elif path.suffix == ".arrow":
        table = pa.Table.from_pylist(records)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(records[0]))
            writer.writeheader()
            writer.writerows(records)
    return path
