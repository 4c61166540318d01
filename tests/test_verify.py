"""Programs in the sandbox."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest

import prm_scaling.verify.sandbox as sandbox
from prm_scaling.problems.record import Problem
from prm_scaling.verify.answers import classes, grade
from prm_scaling.verify.sandbox import Limits, Program, Result, run_programs

LIMITS = Limits(seconds=5.0, megabytes=512)
SHORT = Limits(seconds=0.7, megabytes=512)

# --- the sandbox ---


def program(body: str, calls: tuple[str, ...] = ("[1]",)) -> Program:
    return Program("def f(x):\n" + "".join(f"    {line}\n" for line in body.split("\n")), calls)


def verdict(body: str, limits: Limits = LIMITS) -> str:
    return run_programs([program(body)], limits)[0].verdict


def code_problem(tests: list, public: list) -> Problem:
    return Problem("p", "code", "d", "test", "t", "Write f\ndef f(x):\n", json.dumps(tests), json.dumps(public), 1, "")


def test_programs_pass_or_fail_by_their_outputs():
    problem = code_problem([[[1], 2], [[5], 6]], [[7]])
    right, wrong, broken, silent = (
        "def f(x):\n    return x + 1\n",
        "def f(x):\n    return 2\n",
        "def f(x):\n    return x +\n",
        "def f(x):\n    pass\n",
    )
    said = [right, wrong, broken, silent, None, "def f(x):\n    return str(x + 1)\n", "def g(x):\n    return x + 1\n"]
    assert grade([problem] * len(said), said, LIMITS) == [True] + [False] * 6
    assert classes([problem.question] * 4, [right, "def f(y):\n    return 1 + y\n", wrong, broken], LIMITS) == [
        '["8"]',
        '["8"]',
        '["2"]',
        None,
    ]


def test_results_are_in_order_and_equal_programs_run_once(monkeypatch):
    sent = []
    original = subprocess.run

    def spy(*args, **kwargs):
        sent.append(json.loads(kwargs["input"]))
        return original(*args, **kwargs)

    monkeypatch.setattr(sandbox.subprocess, "run", spy)
    one, two = program("return x + 1", ("[1]", "[2]")), program("return x * 10", ("[3]",))
    results = run_programs([one, two, one, one], LIMITS)
    assert results == [Result("ran", ("2", "3")), Result("ran", ("30",))] + [Result("ran", ("2", "3"))] * 2
    assert [len(work) for work in sent] == [2]
    assert run_programs([], LIMITS) == [] and len(sent) == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return x + 1", "ran"),
        ("raise ValueError", "error"),
        ("return x +", "error"),
        ("return f(x)", "error"),
        ("return {1}", "error"),
        ("import sys\nsys.exit(0)", "error"),
        ("raise SystemExit", "error"),
        ("import os\nos._exit(0)", "error"),
        ("import os\nos.abort()", "error"),
        ("return 'x' * 10 ** 6", "error"),
        ("return 'x' * 90000", "error"),
        ("return 'x' * 50000", "ran"),
        ("import os\nos.write(4, b'5')\nos._exit(0)", "error"),
        ("import os\nos.write(4, b'[' * 60000)\nos._exit(0)", "error"),
        ("import os\nos.write(4, b'[\"ran\", [1]]')\nos._exit(0)", "error"),
        ("import os\nos.write(4, b'[\"passed\", []]')\nos._exit(0)", "error"),
        ("import os\nwhile True: os.write(4, b'x' * 60000)", "error"),
        ("return ['x' * 10 ** 9 for _ in range(9)]", "memory"),
    ],
)
def test_verdicts(body, expected):
    """Wrong behaviour: `os._exit` told as a timeout, outputs that were dropped told as a run."""
    assert verdict(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "import time\ntime.sleep(100)",
        "while True: print('x' * 1000)",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    ],
)
def test_endless_programs_time_out(body):
    began = time.monotonic()
    assert verdict(body, SHORT) == "timeout"
    assert time.monotonic() - began < 10


def test_a_memory_bomb_does_not_grow_beyond_its_limit():
    body = "a = []\nwhile True: a.append(bytearray(10 ** 6))"
    assert verdict(body, Limits(seconds=10.0, megabytes=128)) == "memory"
    assert verdict("return len(bytearray(200 * 10 ** 6))", Limits(5.0, 128)) == "memory"
    assert verdict("return len(bytearray(20 * 10 ** 6))", Limits(5.0, 128)) == "ran"


def test_programs_may_use_the_standard_library():
    body = (
        "import collections, datetime, decimal, fractions, heapq, itertools, math, re, statistics, string\n"
        "return [math.gcd(12, 18), statistics.mean([1, 2]), str(fractions.Fraction(1, 2)),\n"
        "    collections.Counter('aab')['a'], re.sub('a', 'b', 'a'), str(decimal.Decimal('0.1'))]"
    )
    assert run_programs([program(body)], LIMITS) == [Result("ran", (json.dumps([6, 1.5, "1/2", 2, "b", "0.1"]),))]


def test_files_are_neither_written_nor_truncated_nor_removed(tmp_path):
    """Wrong behaviour: RLIMIT_FSIZE stops the bytes, but `open(.., "w")` has emptied the file by then."""
    victim, new = tmp_path / "victim", tmp_path / "new"
    victim.write_text("kept")
    tmp_path.chmod(0o777)
    victim.chmod(0o666)
    bodies = [
        f"open({str(victim)!r}, 'w').write('gone')",
        f"open({str(victim)!r}, 'a').write('more')",
        f"open({str(victim)!r}, 'r+').truncate()",
        f"open({str(new)!r}, 'x')",
        f"import pathlib\npathlib.Path({str(new)!r}).write_text('x')",
        f"import os\nos.open({str(victim)!r}, os.O_WRONLY | os.O_TRUNC)",
        f"import os\nos.remove({str(victim)!r})",
        f"import os\nos.rename({str(victim)!r}, {str(new)!r})",
        f"import os\nos.mkdir({str(new)!r})",
        f"import os\nos.symlink({str(victim)!r}, {str(new)!r})",
        f"import os\nos.chmod({str(victim)!r}, 0)",
        f"import shutil\nshutil.rmtree({str(tmp_path)!r})",
        f"import sqlite3\nsqlite3.connect({str(new)!r}).execute('create table t (a)')",
    ]
    results = run_programs([program(f"{body}\nreturn 1") for body in bodies], LIMITS)
    assert [r.verdict for r in results] == ["error"] * len(bodies)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["victim"]
    assert victim.read_text() == "kept" and victim.stat().st_mode & 0o777 == 0o666


def processes() -> set[int]:
    return {int(p) for p in os.listdir("/proc") if p.isdigit()} if os.path.isdir("/proc") else set()


def command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read()
    except OSError:
        return ""


def test_no_process_is_started_signalled_or_left_behind():
    """Forks fail. As root RLIMIT_NPROC binds nobody, so it is the audit hook, and where the child can become
    another user that too, which must deny them: this test holds as root and as any other user."""
    bodies = [
        "import os\nreturn os.fork()",
        "import os\nwhile True: os.fork()",
        "import subprocess\nreturn subprocess.run(['sleep', '100'])",
        "import os\nreturn os.system('sleep 100 &')",
        "import os\nreturn os.posix_spawn('/bin/sleep', ['sleep', '100'], {})",
        "import os\nos.execv('/bin/sleep', ['sleep', '100'])",
        "import _posixsubprocess\nreturn 1",
        "import ctypes\nreturn ctypes.CDLL(None).fork()",
        "import multiprocessing\nmultiprocessing.Process(target=print).start()",
        "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)",
        "import os, signal\nos.killpg(os.getpgid(os.getppid()), signal.SIGKILL)",
        "import resource\nresource.prlimit(1, resource.RLIMIT_CPU)",
        "import socket\nsocket.socket()",
    ]
    # A runner's command line holds its limits: these tell it from a runner of another test or run.
    limits = replace(LIMITS, seconds=LIMITS.seconds + 0.0625)
    before = processes()
    results = run_programs([program(body) for body in bodies], limits)
    assert [r.verdict for r in results] == ["error"] * len(bodies)
    left = [
        p for p in processes() - before if f"\x00{limits.seconds}\x00" in command(p) or "sleep\x00100" in command(p)
    ]
    assert not left


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only the superuser has something to give up")
def test_the_superuser_is_given_up_where_another_user_can_read_the_library(monkeypatch):
    system = next((p for p in ("/usr/bin/python3", "/usr/local/bin/python3") if os.path.exists(p)), None)
    if system is None:
        pytest.skip("no interpreter here that another user can read")
    monkeypatch.setattr(sandbox.sys, "executable", system)
    results = run_programs([program("import os\nreturn [os.getuid(), os.getgid(), os.getgroups()]")], LIMITS)
    if results[0].outputs == ("[0, 0, [0]]",):
        pytest.skip("this container has no other user")
    assert results[0].outputs == ("[65534, 65534, []]",)


def test_no_environment_variable_is_visible(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    results = run_programs(
        [program("import os\nreturn sorted(os.environ)"), program("return open('/proc/self/environ').read()")], LIMITS
    )
    assert set(json.loads(results[0].outputs[0])) <= {"LC_CTYPE"}
    assert results[1].verdict == "error"


SNOOP = """
import gc, json, os, sys
seen = []
try:
    frame = sys._getframe()
    while frame:
        seen += [repr(frame.f_globals), repr(frame.f_locals)]
        frame = frame.f_back
except Exception as e: seen.append(repr(e))
try: seen += [repr(o) for o in gc.get_objects()]
except Exception as e: seen.append(repr(e))
for path in [{path!r}, '/proc/self/cmdline', '/proc/%d/mem' % os.getppid(), '/proc/%d/cmdline' % os.getppid()]:
    try: seen.append(open(path).read())
    except Exception as e: seen.append(repr(e))
for descriptor in range(3, 16):
    try: seen.append(os.read(descriptor, 10000).decode())
    except Exception as e: seen.append(repr(e))
found = ''.join(map(chr, {needle})) in ''.join(seen)
def f(x):
    return [found, 'the-argument' in ''.join(seen), len(seen) > 10]
"""


def test_hidden_tests_cannot_be_read(tmp_path):
    """Wrong behaviour: the expected outputs travel with the program, or lie in a file that it can open."""
    path = tmp_path / "problems.json"
    tests = [[["the-argument"], "expected-output"]]
    path.write_text(json.dumps(tests))
    path.chmod(0o644)
    problem = code_problem(tests, [])
    # Spelled in numbers, or it would find itself.
    needle = str([ord(c) for c in "expected-output"])
    sent = SNOOP.replace("{path!r}", repr(str(path))).replace("{needle}", needle)
    (result,) = run_programs([Program(sent, ('["the-argument"]',))], LIMITS)
    # It does see its own argument, so it looked where there is something to see.
    assert result == Result("ran", ("[false, true, true]",))
    assert grade([problem], ["def f(x):\n    return 'expected-output'\n"], LIMITS) == [True]


def test_programs_do_not_share_anything():
    first = program("import math, builtins\nmath.pi = 3\nbuiltins.len = lambda _: 0\nreturn 1")
    second = program("import math\nreturn [math.pi > 3, len([1])]")
    assert [r.outputs for r in run_programs([first, second], LIMITS)] == [("1",), ("[true, 1]",)]


def test_a_runner_that_fails_raises_and_makes_no_verdict_up(monkeypatch):
    """Wrong behaviour: a broad `except` that turns a failure of the sandbox into a wrong answer."""
    with pytest.raises(RuntimeError, match="no program can run within 1 MB"):
        run_programs([program("return 1")], Limits(seconds=1.0, megabytes=1))
    monkeypatch.setattr(sandbox.sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="runner ended with 1"):
        run_programs([program("return 1")], LIMITS)
    monkeypatch.setattr(sandbox.sys, "executable", "/nowhere/python")
    with pytest.raises(FileNotFoundError):
        run_programs([program("return 1")], LIMITS)


def test_nothing_runs_in_this_process():
    body = "import sys\nsys.modules['pytest'] = None\nreturn 'pytest' in sys.modules"
    assert run_programs([program(body)], LIMITS)[0].verdict == "ran"
    assert sys.modules["pytest"] is pytest
