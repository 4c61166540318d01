"""HumanEval: functions to complete from their signature and docstring."""

import ast

from prm_scaling.problems.code_tests import Check
from prm_scaling.problems.datasets import programs
from prm_scaling.problems.datasets.fields import shown, text
from prm_scaling.problems.datasets.record import DataSet, Entry, Malformed, Options, Record


def read(record: Record, options: Options) -> Entry:
    """The tests see the helpers of the prompt, also where a program leaves them out."""
    return entry(record, f"{helpers(record)}{text(record, 'test')}\n")


def entry(record: Record, source: str) -> Entry:
    """The entry of a record that is tested by ``source``."""
    prompt, function = text(record, "prompt"), text(record, "entry_point")
    return Entry(
        prompt,
        programs.dumped(Check, "test", entry=function, source=source),
        programs.literal_calls(prompt, function),
    )


def helpers(record: Record) -> str:
    """What the prompt defines besides the function that it asks for; the tests of three problems call it."""
    prompt, function = text(record, "prompt"), text(record, "entry_point")
    try:
        tree = ast.parse(prompt)
    except (SyntaxError, ValueError):
        # A prompt that ends with a bare signature, as in the authors' example. Null bytes are a ValueError.
        return ""
    if not any(isinstance(node, ast.FunctionDef) and node.name == function for node in tree.body):
        raise Malformed("entry_point", f"not a function of the prompt: {shown(function)}")
    kept = [node for node in tree.body if not (isinstance(node, ast.FunctionDef) and node.name == function)]
    if not any(isinstance(node, ast.FunctionDef) for node in kept):
        return ""
    return ast.unparse(ast.Module(kept, [])) + "\n\n"


DATASET = DataSet(
    domain="code",
    licence="MIT",
    citation="Chen et al., Evaluating Large Language Models Trained on Code, arXiv 2107.03374",
    hub="openai/openai_humaneval",
    revision="7dce6050a7d6d172f3cc5c32aa97f52fa1a2e544",
    read=read,
)
