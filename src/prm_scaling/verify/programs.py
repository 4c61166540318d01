"""Verdicts on model-written programs.

Programs run in the sandbox and never here. Expected outputs of calls, of standard input and of assertions that a call
equals a literal never enter it: outputs come out as data and are compared here. Other code that tests a function runs
in a process of its own and reaches the program through a channel of plain data. ``unittest`` classes share the
program's interpreter, by their nature (see ``inside.together`` for what that leaves open).
"""

import ast
import json
import secrets
import sys
import time
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

from prm_scaling.problems.code_tests import Asserts, Calls, Check, Stdin, Suite, Unittest
from prm_scaling.verify.compare import loosen, same_text, same_value
from prm_scaling.verify.equalities import Equalities, equalities
from prm_scaling.verify.inside.channel import Channel, Gone
from prm_scaling.verify.pool import Lane, channel, message_of, run_lanes
from prm_scaling.verify.runs import MOST_OUTPUT, Verdict, again, call, outcome_of, preloads, run_whole
from prm_scaling.verify.sandbox import Sandbox, SandboxError

# How much of a failing test is told.
MOST_TEXT = 300
# Tests that are code import numpy and more, besides the program: megabytes of address space.
TESTS_MEGABYTES = 4096
# Seconds between the limit of tests that are code and that of the clock here.
MARGIN = 2.0


def judge(programs: Sequence[str], suites: Sequence[Suite], sandbox: Sandbox) -> list[Verdict]:
    """The verdict on each program by the suite beside it, in order; equal pairs run once.

    Raises:
        SandboxError: programs cannot be run here in this mode, or within these limits.
    """
    texts: dict[int, str] = {}
    for suite in suites:
        if isinstance(suite, Unittest) and sandbox.mode == "process":
            raise SandboxError(
                "`unittest` suites write files and start processes, which `sandbox.mode: process` denies; "
                "use `sandbox.mode: bubblewrap`"
            )
        if id(suite) not in texts:
            texts[id(suite)] = suite.model_dump_json()
    keys = [(program, texts[id(suite)]) for program, suite in zip(programs, suites, strict=True)]
    pairs = dict(zip(keys, suites, strict=True))
    work = [(program, suite) for (program, _), suite in pairs.items()]
    preload = preloads([text for program, suite in work for text in (program, *_code(suite))])
    if any(isinstance(suite, Unittest) for suite in suites):
        preload.append("unittest.mock")
    verdicts = run_lanes(_judge, work, sandbox, preload)
    place = dict(zip(pairs, verdicts, strict=True))
    return [place[key] for key in keys]


# --- one program on a lane ---


def _judge(lane: Lane, pair: tuple[str, Suite]) -> Verdict:
    program, suite = pair
    match suite:
        case Calls():
            return again(partial(_judge_calls, lane, program, suite))
        case Stdin():
            return again(partial(_judge_stdin, lane, program, suite))
        case Unittest():
            return again(partial(_judge_unittest, lane, program, suite))
        case Asserts() if not suite.setup and (found := equalities(tuple(suite.tests))):
            return again(partial(_judge_equalities, lane, program, suite, found))
    return again(partial(_judge_code, lane, program, suite))


def _judge_calls(lane: Lane, program: str, suite: Calls) -> Verdict:
    seconds = suite.seconds or lane.sandbox.seconds
    tests = iter(suite.tests)

    def agrees(output: Any) -> bool:
        return same_value(loosen(output), next(tests)[1], suite.tolerance, suite.unordered)

    outcome, at = call(lane, program, suite.function, [args for args, _ in suite.tests], seconds, agrees)
    if outcome == "passed":
        return Verdict("passed")
    args, expected = suite.tests[at]
    shown = ", ".join(json.dumps(arg)[:MOST_TEXT] for arg in args[:20])
    return Verdict(outcome, f"{suite.function}({shown}) == {json.dumps(expected)}"[:MOST_TEXT])


def _judge_equalities(lane: Lane, program: str, suite: Asserts, found: Equalities) -> Verdict:
    seconds = suite.seconds or lane.sandbox.seconds
    expected = iter(found.expected)

    def agrees(output: Any) -> bool:
        return bool(output == next(expected))

    outcome, at = call(lane, program, found.function, found.calls, seconds, agrees, together=True)
    return Verdict("passed") if outcome == "passed" else Verdict(outcome, _text(suite.tests[at]))


def _judge_stdin(lane: Lane, program: str, suite: Stdin) -> Verdict:
    seconds = suite.seconds or lane.sandbox.seconds
    for stdin, expected in suite.tests:
        outcome, output = run_whole(lane, program, stdin, seconds, MOST_OUTPUT + 2 * len(expected))
        if outcome == "passed" and not same_text(output, expected, suite.tolerance):
            outcome = "wrong"
        if outcome != "passed":
            return Verdict(outcome, f"stdin: {stdin[:MOST_TEXT]}")
    return Verdict("passed")


def _judge_code(lane: Lane, program: str, suite: Check | Asserts) -> Verdict:
    """Tests in one process, the program in another, and a channel between them that neither's past reaches."""
    seconds = suite.seconds or lane.sandbox.seconds
    check = isinstance(suite, Check)
    tests = (suite.source,) if isinstance(suite, Check) else (suite.setup, *suite.tests)
    names, modules = _names(tests)
    payload = {
        "entry": suite.entry if isinstance(suite, Check) else "",
        "tests": tests,
        "names": names,
        "modules": modules,
        "check": check,
        "seconds": seconds,
    }
    started = []
    with channel() as (ours, verdict), channel() as (one, other):
        try:
            # The program first: who fails to start must not leave the other waiting.
            lane.programs.start("serve", {"source": program}, seconds, lane.sandbox.megabytes, [one.fileno()])
            started.append(lane.programs)
            lane.tests.start("tests", payload, seconds + MARGIN, TESTS_MEGABYTES, [other.fileno(), verdict.fileno()])
            started.append(lane.tests)
            for end in (verdict, one, other):
                end.close()
            try:
                told, failing, _ = message_of(Channel(ours), time.monotonic() + seconds + MARGIN)
            except TimeoutError:
                told, failing = "timeout", ""
            except Gone:
                told, failing = "refused", "the tests ended"
        finally:
            ends = [worker.finish(wait=False) for worker in started]
    if told == "gone":
        # It has ended by itself, so that is how it ended.
        told = ends[0].outcome()
    return Verdict(outcome_of(told), _text(failing))


@lru_cache(maxsize=64)
def _names(tests: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names that tests read, and modules of the standard library of which they take attributes.

    Found here, once a suite, and not in the process of each program's tests.
    """
    names, modules = set(), set()
    for text in tests:
        try:
            nodes = ast.walk(ast.parse(text))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # it will not run there either
        for node in nodes:
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                modules |= {node.value.id} & sys.stdlib_module_names
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                names.add(node.id)
    return tuple(sorted(names)), tuple(sorted(modules))


def _text(failing: Any) -> str:
    """A failing test as text that can be written to any file."""
    return str(failing)[:MOST_TEXT].encode(errors="replace").decode()


def _judge_unittest(lane: Lane, program: str, suite: Unittest) -> Verdict:
    seconds = suite.seconds or lane.sandbox.seconds
    classes, tests = _unittests(suite.source)
    key = secrets.token_hex(16)
    payload = {"program": program, "source": suite.source, "classes": classes, "tests": tests, "key": key}
    with channel() as (ours, theirs):
        lane.programs.start("unittests", payload, seconds, lane.sandbox.megabytes, [theirs.fileno()])
        theirs.close()
        ended_itself = False
        try:
            line = Channel(ours)
            told, outcome, failing = message_of(line, time.monotonic() + seconds)
        except TimeoutError:
            told, outcome, failing = key, "timeout", ""
        except Gone:
            ended_itself = True
        ended = lane.programs.finish(wait=ended_itself)
    if ended_itself:
        return Verdict(ended.outcome())
    if told != key:
        return Verdict("refused", "a verdict that is not the harness's")
    return Verdict(outcome_of(outcome), _text(failing))


def _unittests(source: str) -> tuple[list[str], list[str]]:
    """The classes of tests that a source defines, and the names of the tests: what must run, read without running.

    BigCodeBench runs the class ``TestCases`` only, where there is one.
    """
    found: dict[str, list[str]] = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and any("TestCase" in ast.unparse(base) for base in node.bases):
            names = {item.name for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)}
            found[node.name] = sorted(f"__test__.{node.name}.{name}" for name in names if name.startswith("test"))
    if "TestCases" in found:
        found = {"TestCases": found["TestCases"]}
    return list(found), [name for names in found.values() for name in names]


def _code(suite: Suite) -> list[str]:
    return [suite.source] if isinstance(suite, Check | Unittest) else []
