"""Reading a public data set: its problems and labelled solutions, what is put aside, and what ends a run."""

import json
import tracemalloc
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from dataset_records import QUESTIONS, write

from prm_scaling.problems.account import Account
from prm_scaling.problems.datasets.read import TooManyMalformed, read_set
from prm_scaling.problems.datasets.settings import DataSource, ProblemSet
from prm_scaling.problems.duplicates import HeldOut, Near
from prm_scaling.problems.labelled import LabelledSolution
from prm_scaling.problems.record import Problem, Question
from prm_scaling.storage import read_records, record_writer, stream_records


def gsm8k(path: Path, count: int = 1000, **source) -> ProblemSet:
    """A training set of GSM8K."""
    data = DataSource(path=str(path), **source)
    return ProblemSet(source="gsm8k", domain="math", split="train", count=count, data=data)


def read(folder: Path, problem_set: ProblemSet, held_out: HeldOut | None = None, malformed: float = 0.5) -> Account:
    """Reads a set ``set`` into ``folder``."""
    paths = [folder / "out.parquet", folder / "out.jsonl", folder / "solutions.parquet"]
    return read_set("set", problem_set, held_out or HeldOut(), malformed, *paths)


def test_a_set_is_read_into_problems(tmp_path):
    account = read(tmp_path, gsm8k(write(tmp_path / "a.jsonl", QUESTIONS), count=2, skip=1))
    problems = read_records(tmp_path / "out.parquet", Problem)
    assert [(p.id, p.text, p.reference) for p in problems] == [
        ("set-00001", QUESTIONS[1]["question"], "2"),
        ("set-00002", QUESTIONS[2]["question"], "3"),
    ]
    assert {(p.domain, p.dataset, p.split, p.template, p.public_inputs) for p in problems} == {
        ("math", "set", "train", "gsm8k", "[]")
    }
    assert (account.records, account.problems, account.malformed) == (2, 2, 0)
    assert account.origin["licence"] == "MIT" and list(account.origin["files"]) == ["a.jsonl"]
    assert (tmp_path / "out.jsonl").read_text() == ""


def test_malformed_records_are_put_aside_with_file_line_field_and_reason(tmp_path):
    path = write(tmp_path / "a.jsonl", [*QUESTIONS, {"question": "Why?", "answer": "So"}])
    with path.open("a") as file:
        file.write("{\n")
    account = read(tmp_path, gsm8k(path))
    aside = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(a["file"], a["line"], a["field"]) for a in aside] == [(str(path), 6, "answer"), (str(path), 7, "(line)")]
    assert all(a["reason"] for a in aside)
    assert (account.records, account.malformed, account.problems) == (7, 2, 5)


def test_only_more_malformed_records_than_the_stated_share_end_the_run(tmp_path):
    bad = {"question": "Why?", "answer": "So"}
    path = write(tmp_path / "a.jsonl", [*QUESTIONS[:4], bad])
    assert read(tmp_path, gsm8k(path), malformed=0.2).malformed == 1
    (tmp_path / "out.parquet").unlink()
    with pytest.raises(TooManyMalformed) as error:
        read(tmp_path, gsm8k(path), malformed=0.19)
    for part in ("problems.sets.set", "1 of 5 records (20.0%)", "`problems.malformed` = 0.19", f"{path}:5: answer: "):
        assert part in str(error.value)
    assert not (tmp_path / "out.parquet").exists()  # whole or not at all
    with pytest.raises(TooManyMalformed, match="no record was read"):
        read(tmp_path, gsm8k(path, skip=5))


def test_problems_of_held_out_sets_are_left_out_and_counted(tmp_path):
    held_out = HeldOut(Near(2, 64, 0.5))
    held_out.add("test", "test-0", QUESTIONS[0]["question"].upper())
    held_out.add("other", "other-0", "Tell me, how many are 3 and 1?")
    texts = [r["question"] for r in QUESTIONS]
    matches = [held_out.match(text) for text in texts]
    account = read(tmp_path, gsm8k(write(tmp_path / "a.jsonl", QUESTIONS)), held_out)
    kept = [p.text for p in read_records(tmp_path / "out.parquet", Problem)]
    assert kept == [t for t, m in zip(texts, matches, strict=True) if m is None]
    assert account.exact == {"test": 1} and account.near["other"] >= 1
    assert account.problems + sum(account.exact.values()) + sum(account.near.values()) == 5


SHEPHERD = [
    {
        "input": f"Why {i % 3}? Step 1: a ки\nStep 2: b ки",
        "label": f"Why {i % 3}? Step 1: a +\nStep 2: b -",
        "task": "x",
    }
    for i in range(7)
]


def labelled(path: Path, **options) -> ProblemSet:
    """A labelled training set."""
    data = DataSource(path=str(path))
    return ProblemSet(source="math_shepherd", domain="math", split="train", count=1000, data=data, **options)


def test_labelled_solutions_share_their_problem(tmp_path):
    """Wrong behaviour: a problem a solution, so that what is split by problem is not."""
    held_out = HeldOut()
    held_out.add("test", "test-0", "why 1?")
    account = read(tmp_path, labelled(write(tmp_path / "a.jsonl", SHEPHERD)), held_out)
    problems = read_records(tmp_path / "out.parquet", Problem)
    solutions = read_records(tmp_path / "solutions.parquet", LabelledSolution)
    assert [p.text for p in problems] == ["Why 0?", "Why 2?"]
    assert [s.problem for s in solutions] == [problems[i].id for i in (0, 1, 0, 1, 0)]
    assert [s.id for s in solutions] == [f"{s.problem}/{i}" for i, s in enumerate(solutions)]
    assert (account.records, account.problems, account.solutions, account.exact) == (7, 2, 5, {"test": 1})
    assert all(s.ratings == (1, -1) and s.category == "x" for s in solutions)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    """Wrong behaviour: all records held at once. Python's own memory, of 5 and of 40 batches."""

    def peak(count: int) -> int:
        path = write(tmp_path / f"{count}.jsonl", [SHEPHERD[i % 7] for i in range(count)])
        tracemalloc.start()
        read(tmp_path, labelled(path))
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(100)  # what is imported and made once
    assert peak(160_000) < 1.3 * peak(20_000)


def test_records_are_written_in_batches_and_read_as_a_stream(tmp_path):
    made = [LabelledSolution(f"q/{i}", "q", ("a",), (None,), "", True, None) for i in range(10)]
    with record_writer(tmp_path / "s.parquet", LabelledSolution, rows=4) as add:
        for record in made:
            add(record)
            assert not (tmp_path / "s.parquet").exists()
    assert pq.ParquetFile(tmp_path / "s.parquet").num_row_groups == 3
    assert list(stream_records(tmp_path / "s.parquet", LabelledSolution, rows=3)) == made
    with pytest.raises(AttributeError), record_writer(tmp_path / "t.parquet", LabelledSolution) as add:
        add(Question("q", "math", "no solution"))
    assert not (tmp_path / "t.parquet").exists()
