"""LiveCodeBench: contest problems with dates, so that a window after a model's training can be chosen."""

import json
import re
from typing import Any

from prm_scaling.problems.code_tests import Calls, Stdin
from prm_scaling.problems.datasets import programs
from prm_scaling.problems.datasets.fields import items, loads, mapping, optional_text, parsed, shown, text
from prm_scaling.problems.datasets.pickles import unpickled
from prm_scaling.problems.datasets.record import DataSet, Entry, Malformed, Options, Record

DIFFICULTIES = ("easy", "medium", "hard")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def read(record: Record, options: Options) -> Entry | None:
    """A record of the hub's, or of SandboxFusion's layout, which has no dates; ``None`` outside of the window."""
    if "question_content" not in record:
        return read_packed(record, options)
    if not within(record, options):
        return None
    public = tests_of(parsed(record, "public_test_cases"), "public_test_cases")
    hidden = hidden_tests(record)
    if not hidden and options.hidden:
        raise Malformed("private_test_cases", "no hidden tests; with `hidden: false` the public ones stand in")
    question, starter = text(record, "question_content"), optional_text(record, "starter_code")
    kinds = {test["testtype"] for test in public + hidden}
    if len(kinds) != 1:
        raise Malformed("public_test_cases", f"tests of several kinds: {sorted(kinds)}")
    pairs = [(test["input"], test["output"]) for test in public + hidden]
    if kinds == {"stdin"}:
        reference = programs.dumped(Stdin, "private_test_cases", tests=pairs)
        inputs: list = [given for given, _ in pairs[: len(public)]]
    else:
        name = mapping({"metadata": parsed(record, "metadata")}, "metadata").get("func_name")
        calls = [(arguments(given), loads(wanted, "private_test_cases")) for given, wanted in pairs]
        function = programs.method(name, starter)
        unordered = programs.any_order(question)
        reference = programs.dumped(Calls, "private_test_cases", function=function, tests=calls, unordered=unordered)
        inputs = [given for given, _ in calls[: len(public)]]
    difficulty = optional_text(record, "difficulty")
    return Entry(
        f"{question.rstrip()}\n\n{starter.rstrip() or programs.STDIN_NOTE}",
        reference,
        json.dumps(inputs),
        template=text(record, "platform"),
        difficulty=DIFFICULTIES.index(difficulty) + 1 if difficulty in DIFFICULTIES else 0,
    )


def within(record: Record, options: Options) -> bool:
    """Whether the contest's date is in the window."""
    if not (options.since or options.until):
        return True
    date = text(record, "contest_date")[:10]
    if not DAY.fullmatch(date):
        raise Malformed("contest_date", f"not a date: {shown(date)}")
    return options.since <= date and (not options.until or date < options.until)


def hidden_tests(record: Record) -> list[Record]:
    """The hidden tests: JSON, or base64 of a zlib stream of a pickle of JSON."""
    packed = optional_text(record, "private_test_cases")
    if not packed:
        return []
    if packed.lstrip().startswith("["):
        return tests_of(loads(packed, "private_test_cases"), "private_test_cases")
    content = unpickled(packed, "private_test_cases")
    if isinstance(content, str):
        content = loads(content, "private_test_cases")
    return tests_of(content, "private_test_cases")


def tests_of(value: Any, field: str) -> list[Record]:
    """Tests: objects with texts ``input``, ``output`` and ``testtype``."""
    tests = items({field: value}, field, dict)
    for test in tests:
        for part in ("input", "output", "testtype"):
            if not isinstance(test.get(part), str):
                raise Malformed(field, f"a test whose `{part}` is not a text: {shown(test.get(part))}")
    return tests


def arguments(given: str) -> list:
    """The arguments of a call: a JSON value a line."""
    return [loads(line, "private_test_cases") for line in given.split("\n") if line.strip()]


def read_packed(record: Record, options: Options) -> Entry:
    """SandboxFusion's layout: a prompt, and the pickled tests in that of APPS."""
    if options.since or options.until:
        raise Malformed("contest_date", "missing: this layout has no dates, so no window can be chosen")
    labels = mapping({"labels": parsed(record, "labels")}, "labels")
    content = mapping({"test": unpickled(text(record, "test"), "test")}, "test")
    tests = mapping({"test": loads(text(content, "input_output"), "test")}, "test")
    prompt = text(record, "content")
    if tests.get("fn_name") is not None:
        tests = tests | {
            "inputs": [arguments(given) for given in items(tests, "inputs")],
            "outputs": [loads(wanted, "test") for wanted in items(tests, "outputs")],
        }
    reference, inputs = programs.from_input_output(tests, prompt, prompt, "test", False, None)
    difficulty = optional_text(labels, "difficulty")
    return Entry(
        prompt,
        reference,
        inputs,
        template=optional_text(labels, "category"),
        difficulty=DIFFICULTIES.index(difficulty) + 1 if difficulty in DIFFICULTIES else 0,
    )


DATASET = DataSet(
    domain="code",
    licence="CC (as stated on the hub); code MIT",
    citation="Jain et al., LiveCodeBench: Holistic and Contamination Free Evaluation of Large Language Models for "
    "Code, arXiv 2403.07974",
    hub="livecodebench/code_generation_lite",
    revision="0fe84c3912ea0c4d4a78037083943e8f0c4dd505",
    files=("test*.jsonl",),
    dated=True,
    read=read,
)
