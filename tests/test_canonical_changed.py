"""Canonical programs with one operator changed fail, but where no test of the set sees the change."""

import ast
from dataclasses import replace

import pytest
from canonical import Known, canonical, coded, completed, failed, lines, solutions
from dataset_records import needs_data
from sandboxes import PROCESS

from prm_scaling.problems.code_tests import Calls, Stdin

SWAPS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
}


def mutants(known: list[Known]) -> list[Known]:
    """Each program with the first operator changed that it has; a text is none."""
    return [k._replace(program=changed) for k in known if (changed := mutant(k.program))]


def mutant(program: str) -> str | None:
    try:
        tree = ast.parse(program.replace("\r", ""))
    except SyntaxError:  # Python 2
        return None
    found = [n for n in ast.walk(tree) if isinstance(n, ast.BinOp | ast.BoolOp | ast.Compare | ast.AugAssign)]
    for node in sorted(found, key=lambda n: (n.lineno, n.col_offset)):
        operator = node.ops[0] if isinstance(node, ast.Compare) else node.op
        if type(operator) in SWAPS:
            swapped = SWAPS[type(operator)]()
            if isinstance(node, ast.Compare):
                node.ops[0] = swapped
            else:
                node.op = swapped
            return ast.unparse(tree)
    return None


def survivors(known: list[Known], box) -> dict[str, list]:
    """How many programs were changed, and the names of those that pass nevertheless."""
    made = mutants(known)
    wrong = {name for name, _ in failed(made, box)}
    return {"changed": len(made), "passed": [k.name for k in made if k.name not in wrong]}


# The programs that pass with an operator changed, each looked at: why its tests cannot tell.
ALIVE: dict[str, dict[str | int, str]] = {
    "mbpp": {
        76: "untested: the first number is never the larger one where that matters",
        103: "a recursion that ends one call later, in the same 0",
        134: "a sum of which only the parity is asked",
        188: "a loop that ends before numbers whose squares are too large anyway",
        189: "untested: lists without a 1",
        195: "untested: numbers that are larger than all of the list",
        198: "untested: one negative number of the two",
        223: "untested: numbers that are larger than all of the list",
    },
    "humaneval": {
        "HumanEval/40": "untested: lists in which one number taken twice makes a sum of zero",
        "HumanEval/50": "in a helper that the function asked for does not call",
        "HumanEval/129": "a first value that is always replaced",
        "HumanEval/147": "three terms that are each smaller by two, modulo three",
    },
    "humaneval_plus": {
        "HumanEval/38": "in a helper that the function asked for does not call",
        "HumanEval/50": "in a helper that the function asked for does not call",
    },
    "apps by calls": {},
    "apps by standard input": {
        4021: "in a helper that is not called",
        4037: "a constant that is not used",
        4039: "in a helper that is not called",
    },
}


@needs_data
def test_programs_of_mbpp_with_one_operator_changed_fail():
    """Wrong behaviour: a harness that says passed whatever runs. But for those in which no test sees the change."""
    found = survivors(canonical("mbpp", lines("mbpp/mbpp.jsonl")[:250], coded), PROCESS)
    assert found == {"changed": 182, "passed": list(ALIVE["mbpp"])}


@needs_data
@pytest.mark.slow
def test_programs_of_other_sets_with_one_operator_changed_fail():
    box = replace(PROCESS, seconds=10.0, megabytes=4096)
    sets = {
        "humaneval": canonical("humaneval", lines("humaneval/HumanEval.jsonl.gz"), completed),
        "humaneval_plus": canonical(
            "humaneval_plus", lines("humaneval_plus/HumanEvalPlus-OriginFmt.jsonl.gz"), completed
        ),
        "apps by calls": [k for k, _ in solutions(Calls, 1)],
        "apps by standard input": [k for k, _ in solutions(Stdin, 1)],
    }
    found = {name: survivors(known, box) for name, known in sets.items()}
    assert {name: of["changed"] for name, of in found.items()} == {
        "humaneval": 139,
        "humaneval_plus": 145,
        "apps by calls": 37,
        "apps by standard input": 47,
    }
    assert {name: of["passed"] for name, of in found.items()} == {name: list(ALIVE[name]) for name in sets}
