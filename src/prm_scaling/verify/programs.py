"""Verdicts on model-written programs, and what they do on inputs that are not tested.

Programs run in the sandbox and never here. Expected outputs of calls and of standard input never enter it: outputs come
out as data and are compared here. Code that tests a function runs in a process of its own and reaches the program
through a channel of plain data. ``unittest`` classes share the program's interpreter, by their nature (see
``inside.together`` for what that leaves open).
"""

import ast
import builtins
import json
import os
import re
import secrets
import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, Literal

from prm_scaling.problems.code_tests import Asserts, Calls, Check, Stdin, Suite, Unittest
from prm_scaling.verify.compare import loosen, same_text, same_value
from prm_scaling.verify.inside.channel import Channel, Gone
from prm_scaling.verify.inside.roles import OUT_OF_MEMORY
from prm_scaling.verify.pool import Ended, Lane, WorkerDied, channel, memory_file, message_of, run_lanes
from prm_scaling.verify.sandbox import WAY_OUT, Sandbox, SandboxError

Outcome = Literal["passed", "wrong", "error", "timeout", "memory", "refused"]
OUTCOMES = ("passed", "wrong", "error", "timeout", "memory", "refused")
# How much of a failing test is told.
MOST_TEXT = 300
# Standard output beyond what is expected, in bytes, before a program is stopped.
MOST_OUTPUT = 16 << 20
# Tests that are code import numpy and more, besides the program: megabytes of address space.
TESTS_MEGABYTES = 4096
# Seconds between the limit of tests that are code and that of the clock here.
MARGIN = 2.0
# Installed packages that are imported before programs run, where any of them or of the tests imports them.
PRELOADED = ("numpy", "pandas", "scipy", "matplotlib", "matplotlib.pyplot", "sklearn")


@dataclass(frozen=True)
class Verdict:
    """What came of a program.

    Attributes:
        outcome: ``passed``; ``wrong`` (a test failed); ``error`` (it raised or ended); ``timeout``; ``memory``;
            ``refused`` (what it gave is no plain data, or too much of it).
        failing: the first test that it did not pass, ``""`` if none or before the first.
    """

    outcome: Outcome
    failing: str = ""

    @property
    def passed(self) -> bool:
        """Whether all tests passed."""
        return self.outcome == "passed"


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
    preload = _preload([text for program, suite in work for text in (program, *_code(suite))])
    if any(isinstance(suite, Unittest) for suite in suites):
        preload.append("unittest.mock")
    verdicts = run_lanes(_judge, work, sandbox, preload)
    place = dict(zip(pairs, verdicts, strict=True))
    return [place[key] for key in keys]


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
    found = run_lanes(_behave, unique, sandbox, _preload([program for program, _, _ in unique]))
    place = dict(zip(unique, found, strict=True))
    return [place[key] for key in keys]


# --- one program on a lane ---


def _again(work: Callable[[], Verdict]) -> Verdict:
    """``work``, a second time if its worker dies: then it is the program that ends workers."""
    try:
        return work()
    except WorkerDied:
        pass
    try:
        return work()
    except WorkerDied:
        return Verdict("error", "its worker ended")


def _judge(lane: Lane, pair: tuple[str, Suite]) -> Verdict:
    program, suite = pair
    match suite:
        case Calls():
            return _again(partial(_judge_calls, lane, program, suite))
        case Stdin():
            return _again(partial(_judge_stdin, lane, program, suite))
        case Unittest():
            return _again(partial(_judge_unittest, lane, program, suite))
    return _again(partial(_judge_code, lane, program, suite))


def _judge_calls(lane: Lane, program: str, suite: Calls) -> Verdict:
    seconds = suite.seconds or lane.sandbox.seconds
    tests = iter(suite.tests)

    def agrees(output: Any) -> bool:
        return same_value(output, next(tests)[1], suite.tolerance, suite.unordered)

    outcome, at = _call(lane, program, suite.function, [args for args, _ in suite.tests], seconds, agrees)
    if outcome == "passed":
        return Verdict("passed")
    args, expected = suite.tests[at]
    shown = ", ".join(json.dumps(arg)[:MOST_TEXT] for arg in args[:20])
    return Verdict(outcome, f"{suite.function}({shown}) == {json.dumps(expected)}"[:MOST_TEXT])


def _call(
    lane: Lane, program: str, function: str, calls: list[list], seconds: float, agrees: Callable[[Any], bool]
) -> tuple[Outcome, int]:
    """Call a program's function; the outcome, and the call that it fell at. ``agrees`` is asked of each output."""
    payload = {"source": program, "function": function, "calls": calls}
    at, wait = 0, True
    outcome: Outcome | None = None
    with channel() as (ours, theirs):
        lane.programs.start("calls", payload, seconds * len(calls), lane.sandbox.megabytes, [theirs.fileno()])
        theirs.close()
        line = Channel(ours)
        try:
            while outcome is None and at < len(calls):
                told, value, _ = message_of(line, time.monotonic() + seconds)
                if told == "value":
                    try:
                        outcome = None if agrees(loosen(value)) else "wrong"
                    except (RecursionError, ValueError, TypeError, AttributeError):  # no value that a program encoded
                        outcome = "refused"
                    at += outcome is None
                else:
                    outcome = _known(told)
        except TimeoutError:
            outcome, wait = "timeout", False
        except Gone:
            pass
        ended = lane.programs.finish(wait and outcome is None and at < len(calls))
    if outcome is None and at < len(calls):
        outcome = ended.outcome()
    return (outcome or "passed"), at


def _known(told: str) -> Outcome:
    """The outcome that a program tells of itself: anything but a pass."""
    for outcome in ("error", "memory", "refused"):
        if told == outcome:
            return outcome
    return "refused"


def _judge_stdin(lane: Lane, program: str, suite: Stdin) -> Verdict:
    seconds = suite.seconds or lane.sandbox.seconds
    for stdin, expected in suite.tests:
        outcome, output = _run_whole(lane, program, stdin, seconds, MOST_OUTPUT + 2 * len(expected))
        if outcome == "passed" and not same_text(output, expected, suite.tolerance):
            outcome = "wrong"
        if outcome != "passed":
            return Verdict(outcome, f"stdin: {stdin[:MOST_TEXT]}")
    return Verdict("passed")


def _run_whole(lane: Lane, program: str, stdin: str, seconds: float, most: int) -> tuple[Outcome, str]:
    """Run a whole program: how it ended, ``passed`` if well, and what it printed."""
    read, write = os.pipe()
    try:
        try:
            with memory_file(stdin.encode(errors="replace")) as file:
                payload = {"source": program}
                lane.programs.start("whole", payload, seconds, lane.sandbox.megabytes, [file, write])
        finally:
            os.close(write)
        output, deadline = bytearray(), time.monotonic() + seconds
        outcome: Outcome | None = None
        while outcome is None:
            if not select.select([read], [], [], max(0.0, deadline - time.monotonic()))[0]:
                outcome = "timeout"
                break
            piece = os.read(read, 1 << 16)
            if not piece:
                break
            output += piece
            if len(output) > most:
                outcome = "refused"
    finally:
        os.close(read)
    ended = lane.programs.finish(wait=outcome is None)
    if outcome is None:
        outcome = _exit(ended)
    return outcome, output.decode(errors="replace")


def _exit(ended: Ended) -> Outcome:
    if ended.status == 0 and not ended.memory:
        return "passed"
    return "memory" if ended.status == OUT_OF_MEMORY else ended.outcome()


def _judge_code(lane: Lane, program: str, suite: Check | Asserts) -> Verdict:
    """Tests in one process, the program in another, and a channel between them that neither's past reaches."""
    seconds = suite.seconds or lane.sandbox.seconds
    check = isinstance(suite, Check)
    payload = {
        "entry": suite.entry if isinstance(suite, Check) else "",
        "tests": [suite.source] if isinstance(suite, Check) else [suite.setup, *suite.tests],
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
    return Verdict(_outcome(told), str(failing)[:MOST_TEXT])


def _outcome(told: str) -> Outcome:
    for outcome in OUTCOMES:
        if told == outcome:
            return outcome
    return "refused"


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
    if not secrets.compare_digest(told.encode(), key.encode()):
        return Verdict("refused", "a verdict that is not the harness's")
    return Verdict(_outcome(outcome), str(failing)[:MOST_TEXT])


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


# --- public inputs ---


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
                outcome, output = _run_whole(lane, program, stdin, lane.sandbox.seconds, MOST_OUTPUT)
                whole[:] = output.split()
                return Verdict(outcome)

            if not _again(run).passed:
                return None
            given.append(whole)
        return json.dumps(given)

    def collect() -> Verdict:
        given.clear()
        # One call of nothing would run no program: whether it can be loaded is still to be seen.
        outcome, _ = _call(lane, program, entry, inputs, lane.sandbox.seconds, lambda v: given.append(v) is None)
        return Verdict(outcome)

    return json.dumps(given, sort_keys=True) if _again(collect).passed else None


# --- what to import before programs run ---


def _code(suite: Suite) -> list[str]:
    return [suite.source] if isinstance(suite, Check | Unittest) else []


def _preload(texts: Sequence[str]) -> list[str]:
    """Modules that take long to import and that these programs or tests do import."""
    wanted = set()
    for text in dict.fromkeys(texts):
        wanted |= set(re.findall(r"^\s*(?:import|from)\s+([\w.]+)", text, re.MULTILINE))
    roots = {name.partition(".")[0] for name in wanted}
    modules = []
    for name in PRELOADED:
        if (name in wanted if "." in name else name in roots) and find_spec(name.partition(".")[0]) is not None:
            modules.append(name)
    return modules
