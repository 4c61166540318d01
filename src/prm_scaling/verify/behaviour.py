"""What programs do on public inputs, for telling apart those that nobody may test."""

import ast
import builtins
import json
from collections.abc import Sequence
from typing import Any

from prm_scaling.problems.code_tests import Asserts, Calls, Stdin, Suite
from prm_scaling.verify.compare import loosen
from prm_scaling.verify.pool import Lane, run_lanes
from prm_scaling.verify.runs import MOST_OUTPUT, Verdict, again, call, preloads, run_whole
from prm_scaling.verify.sandbox import Sandbox


def behaviour(
    programs: Sequence[str], suites: Sequence[Suite], public_inputs: Sequence[str], sandbox: Sandbox
) -> list[str | None]:
    """What each program gives on its problem's public inputs, as a text that programs share that give the same.

    ``None`` if it does not run on all of them. Of a suite only the way in is used: the function's name, or standard
    input.

    Raises:
        SandboxError: as ``judge``.
    """
    entries = [_entry(suite) for suite in suites]
    keys = list(zip(programs, entries, public_inputs, strict=True))
    unique = list(dict.fromkeys(keys))
    found = run_lanes(_behave, unique, sandbox, preloads([program for program, _, _ in unique]))
    place = dict(zip(unique, found, strict=True))
    return [place[key] for key in keys]


def _entry(suite: Suite) -> str:
    """The function that a suite tests, ``""`` for a whole program."""
    match suite:
        case Calls():
            return suite.function
        case Stdin():
            return ""
        case Asserts():
            return _called(suite.tests[0])
    return suite.entry


def _called(test: str) -> str:
    """The function that an assertion calls, Python's own only if it calls no other; ``f`` of none can be called."""
    names = [
        node.func.id
        for node in ast.walk(ast.parse(test))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    return next((name for name in names if not hasattr(builtins, name)), names[-1] if names else "f")


def _behave(lane: Lane, item: tuple[str, str, str]) -> str | None:
    program, entry, public_inputs = item
    inputs = json.loads(public_inputs)
    given: list[Any] = []
    if not entry:
        for stdin in inputs:
            whole: list[str] = []

            def run(stdin: str = stdin, whole: list[str] = whole) -> Verdict:
                outcome, output = run_whole(lane, program, stdin, lane.sandbox.seconds, MOST_OUTPUT)
                whole[:] = output.split()
                return Verdict(outcome)

            if not again(run).passed:
                return None
            given.append(whole)
        return json.dumps(given)

    def keep(output: Any) -> bool:
        given.append(loosen(output))
        return True

    def collect() -> Verdict:
        given.clear()
        # One call of nothing would run no program: whether it can be loaded is still to be seen.
        outcome, _ = call(lane, program, entry, inputs, lane.sandbox.seconds, keep)
        return Verdict(outcome)

    return json.dumps(given, sort_keys=True) if again(collect).passed else None
