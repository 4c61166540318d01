"""``unittest`` classes in one interpreter with the program: they patch its modules and look at its objects.

So the program can reach what runs the tests, and no wall within an interpreter is sure. What is done against a forged
pass, beyond the sandbox around the whole: the verdict goes out with a key that only the main thread's frame holds, while
program and tests run in another thread; an audit hook denies the program's own code frames, garbage collector, tracing
and ctypes; the functions of ``unittest``, Python's builtins and the tests themselves must be the same objects after the
tests as before; each test that the source has must be told as passed, once.

What stays possible: a program that is written against this very harness and that changes the result in passing, and puts
back what it has changed before the check, passes. It gains nothing but this verdict.
"""

import builtins
import sys
import threading
import traceback
import types
import unittest
import unittest.mock
from collections.abc import Callable
from typing import Any

MOST_TEXT = 300
MODULE = "__test__"
FORBIDDEN = (
    "gc.get_",
    "sys._current_",
    "sys._getframe",
    "sys.setprofile",
    "sys.settrace",
    "sys.addaudithook",
    "ctypes.",
)


def watch(library: tuple[str, ...]) -> Callable[[str, tuple], None]:
    """An audit hook that denies ways to other frames and objects to code that is not of a file of ``library``."""
    busy: set[int] = set()

    def hook(event: str, args: tuple) -> None:
        if not event.startswith(FORBIDDEN) and not (event == "object.__getattr__" and args[1] == "tb_frame"):
            return
        thread = threading.get_ident()
        if thread in busy:  # this hook's own look at its caller
            return
        busy.add(thread)
        try:
            allowed = sys._getframe(1).f_code.co_filename.startswith(library)
        finally:
            busy.discard(thread)
        if not allowed:
            raise PermissionError(event)

    return hook


class _Record(unittest.TestResult):
    """Names of the tests that passed, and the first that did not."""

    def __init__(self) -> None:
        super().__init__()
        self.passed: list[str] = []
        self.failing: list[tuple[str, str]] = []

    def addSuccess(self, test: unittest.TestCase) -> None:
        """See ``unittest``."""
        self.passed.append(test.id())

    def addFailure(self, test: unittest.TestCase, err: Any) -> None:
        """See ``unittest``."""
        self.failing.append(("wrong", f"{test.id()}: {_told(err)}"))

    def addError(self, test: Any, err: Any) -> None:
        """See ``unittest``."""
        outcome = "memory" if issubclass(err[0], MemoryError) else "error"
        self.failing.append((outcome, f"{test.id()}: {_told(err)}"))

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        """A program could skip what it fails: see ``unittest``."""
        self.failing.append(("wrong", f"{test.id()}: skipped"))

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        """See ``unittest``."""
        self.failing.append(("wrong", f"{test.id()}: unexpected success"))

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase, err: Any) -> None:
        """See ``unittest``."""
        if err is not None:
            self.addFailure(subtest, err)


def _told(err: Any) -> str:
    return "".join(traceback.format_exception_only(err[0], err[1])).strip()[:MOST_TEXT]


def _state() -> list[tuple[int, ...]]:
    """What a program would change so that failing tests pass."""
    owners: list[Any] = [builtins, unittest, unittest.case, unittest.suite, unittest.result, unittest.mock]
    owners += [unittest.TestCase, unittest.TestSuite, unittest.TestResult, _Record, unittest.mock.NonCallableMock]
    found = []
    for owner in owners:
        for name, value in sorted(vars(owner).items()):
            # Of `mock.call` each use makes another.
            if name not in ("_", "__warningregistry__", "call"):
                code = getattr(value, "__code__", None)
                found.append((hash(name), id(value), id(code)))
    return found


def together(payload: dict) -> list:
    """``[key, outcome, failing test]``: of ``program`` by ``source``, which must pass ``count`` tests."""
    key = payload["key"]
    box: dict[str, Any] = {"outcome": "error", "failing": "the program ended its thread", "passed": []}
    sys.addaudithook(watch(("<frozen ", *(path for path in sys.path if path))))
    program, source, names = payload["program"], payload["source"], payload["classes"]
    state = _state()
    runner = threading.Thread(target=_run, args=(box, program, source, names))
    runner.start()
    runner.join()
    outcome, failing = box["outcome"], str(box["failing"])[: 2 * MOST_TEXT]
    if outcome == "passed" and (state != _state() or sorted(set(box["passed"])) != sorted(payload["tests"])):
        outcome, failing = "refused", "the tests that ran are not those that were given"
    return [key, outcome, failing]


def _run(box: dict[str, Any], program: str, source: str, names: list[str]) -> None:
    module = types.ModuleType(MODULE)
    sys.modules[MODULE] = module
    space = module.__dict__
    space["__file__"] = f"{MODULE}.py"
    try:
        exec(compile(program, f"{MODULE}.py", "exec"), space)
        exec(compile(source, f"{MODULE}.py", "exec"), space)
        suite = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromTestCase(space[name]) for name in names)
        # Kept from here on: a program that is called may put others in their place.
        before = [(case, getattr(type(case), case._testMethodName).__code__) for case in _cases(suite)]
        record = _Record()
        suite.run(record)
        same = all(getattr(type(case), case._testMethodName).__code__ is code for case, code in before)
    except BaseException as error:  # noqa: BLE001 - whatever a program raises, SystemExit too, is its verdict
        box["outcome"] = "memory" if isinstance(error, MemoryError) else "error"
        box["failing"] = type(error).__name__
        return
    box["passed"] = record.passed
    if record.failing:
        box["outcome"], box["failing"] = record.failing[0]
    else:
        box["outcome"], box["failing"] = ("passed", "") if same else ("refused", "the tests were changed")


def _cases(suite: unittest.TestSuite) -> list[unittest.TestCase]:
    found = []
    for part in suite:
        found += _cases(part) if isinstance(part, unittest.TestSuite) else [part]
    return found
