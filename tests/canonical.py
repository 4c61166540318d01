"""Canonical programs of real records, with the hidden tests that the sets' readers make."""

import gzip
import json
import warnings
from collections.abc import Callable
from typing import NamedTuple

from dataset_records import DATA, read

from prm_scaling.problems.code_tests import Suite, parse_suite
from prm_scaling.problems.datasets import DATASETS
from prm_scaling.problems.datasets.record import Options, Record
from prm_scaling.verify.programs import judge


class Known(NamedTuple):
    """A canonical program of a real record."""

    name: str | int
    program: str
    suite: Suite


def lines(path: str) -> list[Record]:
    opened = gzip.open if path.endswith(".gz") else open
    with opened(DATA / path, "rt") as file:
        return [json.loads(line) for line in file]


def canonical(source: str, records: list[Record], program: Callable[[Record], str]) -> list[Known]:
    """Of each record: its name, its canonical program, and its hidden tests as the set's reader has them."""
    read_record = DATASETS[source].read
    return [Known(r["task_id"], program(r), parse_suite(read_record(r, Options()).reference)) for r in records]


def completed(record: Record) -> str:
    return record["prompt"] + record["canonical_solution"]


def coded(record: Record) -> str:
    return record["code"]


def failed(known: list[Known], box) -> list[tuple[str | int, str]]:
    found = judge([k.program for k in known], [k.suite for k in known], box)
    return [(k.name, v.outcome) for k, v in zip(known, found, strict=True) if not v.passed]


def solutions(kind: type[Suite], count: int) -> list[tuple[Known, str]]:
    """The first solutions of each problem of APPS, with its statement; of those that can run here.

    In some of them a ``return`` is left of a function that is gone. The weaker mode has no numpy.
    """
    found = []
    for record in lines("apps/apps_hf_style.jsonl"):
        suite = parse_suite(read("apps", record).reference)
        programs = [s for s in json.loads(record["solutions"]) if "numpy" not in s and compiles(s)][:count]
        if isinstance(suite, kind):
            found += [(Known(record["problem_id"], program, suite), record["question"]) for program in programs]
    return found


def compiles(program: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of `x is 1` and the like: they are the program's matter
        try:
            compile(program, "solution", "exec")
        except SyntaxError:
            return False
    return True
