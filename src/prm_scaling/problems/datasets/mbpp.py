"""MBPP: small functions to write from a sentence and three assertions, which the prompt shows (Austin et al.)."""

import ast
import json
from collections.abc import Iterator

from prm_scaling.problems.code_tests import Asserts
from prm_scaling.problems.datasets import programs
from prm_scaling.problems.datasets.fields import items, optional_text, text
from prm_scaling.problems.datasets.record import DataSet, Entry, Options, Record


def read(record: Record, options: Options) -> Entry:
    """The full set (``text``, ``test_setup_code``) or the sanitized one (``prompt``, ``test_imports``)."""
    tests = items(record, "test_list")
    imports = items(record, "test_imports") if record.get("test_imports") is not None else []
    setup = optional_text(record, "test_setup_code") or "\n".join(imports)
    reference = programs.dumped(Asserts, "test_list", setup=setup, tests=tests)
    return Entry(prompt(record, tests), reference, inputs(record, tests))


def prompt(record: Record, tests: list[str]) -> str:
    """The sentence with the assertions below it: without them nobody could know the function's name."""
    asked = text(record, "text" if record.get("text") is not None else "prompt")
    return f"{asked.strip()}\nYour code should pass these tests:\n" + "\n".join(test.strip() for test in tests)


def inputs(record: Record, tests: list[str]) -> str:
    """The arguments of the function in the assertions."""
    code = text(record, "code")
    names = set(functions(code))
    calls = [json.loads(programs.literal_calls("\n".join(tests), name)) for name in sorted(names)]
    return json.dumps(max(calls, key=len, default=[]))


def functions(code: str) -> Iterator[str]:
    """The functions that a solution defines; those of a solution that is no Python 3 are not known."""
    try:
        tree = ast.parse(code.replace("\r\n", "\n"))
    except (SyntaxError, ValueError):
        return
    yield from (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


DATASET = DataSet(
    domain="code",
    licence="CC-BY-4.0",
    citation="Austin et al., Program Synthesis with Large Language Models, arXiv 2108.07732",
    hub="google-research-datasets/mbpp",
    revision="4bb6404fdc6cacfda99d4ac4205087b89d32030c",
    names=("full",),
    read=read,
)
