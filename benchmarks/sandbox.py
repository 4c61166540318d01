"""How many trivial programs a second one core judges: workers that fork, against an interpreter a program.

    PYTHONPATH=src python benchmarks/sandbox.py [--programs 600] [--repeats 3]

Tests that are more than calls and equalities are code, and take two processes a program: one for each side.

All ways run in turn, `--repeats` times, each with one worker, all on one core; a row a way, with the median rate. The
record is benchmarks/records/sandbox.json.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from common import record

from prm_scaling.problems.code_tests import Asserts, Calls, Stdin, Suite
from prm_scaling.verify.programs import judge
from prm_scaling.verify.sandbox import Sandbox, why_not

TESTS = [([x], 2 * x + 1) for x in range(8)]


def functions(count: int) -> list[str]:
    """Small functions, no two of them the same text."""
    return [f"def f(x):\n    a = x * 2\n    return a + 1  # {i}\n" for i in range(count)]


def pooled(mode: str, suite: Suite, programs: list[str]) -> Callable[[], None]:
    """The package's way."""

    def run() -> None:
        verdicts = judge(programs, [suite] * len(programs), Sandbox(mode, 5.0, 512, workers=1))
        assert all(v.passed for v in verdicts)

    return run


def interpreters(programs: list[str]) -> Callable[[], None]:
    """An isolated interpreter a program, without any limits: the least that a harness of this kind does."""
    calls = f"\nprint([f(*args) for args, _ in {TESTS!r}])"

    def run() -> None:
        for program in programs:
            told = subprocess.run([sys.executable, "-I", "-S", "-c", program + calls], capture_output=True, check=True)
            assert json.loads(told.stdout) == [value for _, value in TESTS]

    return run


def main() -> None:
    """Time all ways in turn."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", type=int, default=600)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    texts = functions(args.programs)
    few = texts[: max(1, args.programs // 10)]
    whole = [f"print(2 * int(input()) + 1)  # {i}" for i in range(args.programs)]
    ways: dict[str, tuple[int, Callable[[], None]]] = {"interpreter": (len(few), interpreters(few))}
    for mode in ("process", "bubblewrap"):
        reason = why_not(mode)
        if reason:
            sys.stderr.write(f"{mode}: left out, {reason}\n")
            continue
        ways[f"{mode}, calls"] = (len(texts), pooled(mode, Calls(function="f", tests=TESTS), texts))
        ways[f"{mode}, stdin"] = (len(whole), pooled(mode, Stdin(tests=[("3", "7")]), whole))
        ways[f"{mode}, equalities"] = (len(texts), pooled(mode, Asserts(tests=["assert f(3) == 7"]), texts))
        ways[f"{mode}, other tests"] = (len(texts), pooled(mode, Asserts(tests=["assert f(3) > 6"]), texts))
    # One core for all of them: the worker's and the harness's share counts.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.repeats):
        for name, (count, run) in ways.items():
            began = time.perf_counter()
            run()
            rates[name].append(count / (time.perf_counter() - began))
    peer = statistics.median(rates["interpreter"])
    rows = [
        {
            "way": name,
            "programs a second": round(statistics.median(found), 1),
            "least": round(min(found), 1),
            "most": round(max(found), 1),
            "times faster": round(statistics.median(found) / peer, 1),
        }
        for name, found in rates.items()
    ]
    bubblewrap = shutil.which("bwrap")
    told = subprocess.run([bubblewrap, "--version"], capture_output=True, text=True) if bubblewrap else None
    record("sandbox", vars(args) | {"bubblewrap": told.stdout.split()[-1] if told else "none"}, rows, ())


if __name__ == "__main__":
    main()
