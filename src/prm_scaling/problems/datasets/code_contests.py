"""CodeContests: programming contests with public, private and generated tests on standard input."""

import json
from collections.abc import Iterator

from prm_scaling.problems.code_tests import Stdin
from prm_scaling.problems.datasets import programs
from prm_scaling.problems.datasets.fields import integer, items, mapping, optional_text, text
from prm_scaling.problems.datasets.record import DataSet, Entry, Malformed, Options, Record

TESTS = ("public_tests", "private_tests", "generated_tests")


def read(record: Record, options: Options) -> Entry:
    """All three kinds of tests are hidden tests, as in AlphaCode; the inputs of the public ones may be seen."""
    files = [f for f in ("input_file", "output_file") if optional_text(record, f)]
    if files:
        raise Malformed(files[0], f"tests through a file, not standard input: {record[files[0]]}")
    pairs = [pair for field in TESTS for pair in tests(record, field)]
    return Entry(
        f"{text(record, 'description').rstrip()}\n\n{programs.STDIN_NOTE}",
        programs.dumped(Stdin, "private_tests", tests=pairs, seconds=seconds(record), tolerance=programs.TOLERANCE),
        json.dumps([given for given, _ in tests(record, "public_tests")]),
        difficulty=integer(record, "difficulty") if record.get("difficulty") is not None else 0,
    )


def tests(record: Record, field: str) -> Iterator[tuple[str, str]]:
    """The pairs of one kind of tests, which may be missing."""
    if record.get(field) is None:
        return
    columns = mapping(record, field)
    given, wanted = items(columns, "input"), items(columns, "output")
    if len(given) != len(wanted):
        raise Malformed(field, f"{len(given)} inputs and {len(wanted)} outputs")
    yield from zip(given, wanted, strict=True)


def seconds(record: Record) -> float | None:
    """The contest's time limit of one test."""
    if record.get("time_limit") is None:
        return None
    limit = mapping(record, "time_limit")
    return (integer(limit, "seconds") + integer(limit, "nanos") / 1e9) or None


DATASET = DataSet(
    domain="code",
    licence="CC-BY-4.0",
    citation="Li et al., Competition-Level Code Generation with AlphaCode, arXiv 2203.07814",
    hub="deepmind/code_contests",
    revision="802411c3010cb00d1b05bad57ca77365a3c699d6",
    read=read,
)
