"""Programs that attack the sandbox: none gets what it is after, and the program after it on the same worker passes."""

import os
import socket
import time
from dataclasses import replace

import pytest
from sandboxes import SUITES, sandbox, then_good

from prm_scaling.problems.code_tests import Calls, Unittest

BOTH = pytest.mark.parametrize("mode", ["process", "bubblewrap"])
WALLS = pytest.mark.parametrize("mode", ["bubblewrap"])


def body(text: str) -> str:
    """A function of these lines."""
    return "def f(x):\n" + "".join(f"    {line}\n" for line in text.strip().split("\n"))


def gives(value) -> Calls:
    """The attack is successful if ``f`` gives this."""
    return Calls(function="f", tests=[([1], value)])


# What each returns if it succeeds is 1.
READS = {
    "passwd": "return int(len(open('/etc/passwd').read()) > 0)",
    "home": "import os\nreturn int(bool(os.listdir(HOME)) and open(HOME + '/secret').read() == 'token')",
    "environment": "import os\nreturn int('SECRET_TOKEN' in os.environ)",
    "environment of the harness": """
import os
found = 0
for name in os.listdir('/proc'):
    try: found |= b'SECRET_TOKEN' in open(f'/proc/{name}/environ', 'rb').read()
    except OSError: pass
return int(found)
""",
    "loopback": "import socket\nsocket.create_connection(('127.0.0.1', PORT), 2)\nreturn 1",
    "outside": "import socket\nsocket.create_connection(('1.1.1.1', 53), 2)\nreturn 1",
    "memory of the worker": """
import os
for pid in (os.getppid(), 1):
    try: open(f'/proc/{pid}/mem', 'rb').close()
    except OSError: continue
    return 1
""",
}


@BOTH
@pytest.mark.parametrize("name", READS)
def test_nothing_of_the_machine_is_read_and_no_network_is_reached(name, mode, tmp_path, monkeypatch):
    box = sandbox(mode)
    monkeypatch.setenv("SECRET_TOKEN", "1")
    (tmp_path / "secret").write_text("token")
    tmp_path.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as server:
        text = READS[name].replace("PORT", str(server.getsockname()[1])).replace("HOME", repr(str(tmp_path)))
        assert then_good(body(text), gives(1), box).outcome in ("error", "wrong")


WRITES = [
    "open(P, 'w').write('gone')",
    "open(P, 'a').write('more')",
    "import os\nos.remove(P)",
    "import os\nos.open(P, os.O_WRONLY | os.O_TRUNC)",
    "import os\nos.mkdir(os.path.dirname(P) + '/new')",
    "import pathlib\npathlib.Path('/usr/x').write_text('x')",
    "import pathlib\npathlib.Path('/dev/x').write_text('x')",
    "import pathlib\npathlib.Path('/x').write_text('x')",
    "import os\nos.chmod(os.__file__, 0)",
]


@BOTH
@pytest.mark.parametrize("text", WRITES)
def test_nothing_is_written_outside(text, mode, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("kept")
    tmp_path.chmod(0o777)
    victim.chmod(0o666)
    program = body(f"P = {str(victim)!r}\n{text}\nreturn 1")
    assert then_good(program, gives(1), sandbox(mode)).outcome == "error"
    assert [p.name for p in tmp_path.iterdir()] == ["victim"] and victim.read_text() == "kept"
    assert victim.stat().st_mode & 0o777 == 0o666


@WALLS
def test_a_disk_filler_fills_its_own_small_disk_only(mode):
    """/tmp and /dev/shm are 64 MB each, of memory; and nothing of it is there for the next program."""
    text = """
import os
total = 0
for folder in ('/tmp', '/dev/shm', '/dev', '/', '/inside', '/var/tmp'):
    for i in range(40):
        try:
            with open(f'{folder}/{i}', 'wb') as file:
                for _ in range(100): total += file.write(bytes(1 << 20))
        except OSError: pass
return total >> 20
"""
    verdict = then_good(body(text), Calls(function="f", tests=[([1], -1)]), sandbox(mode))
    assert verdict.outcome in ("wrong", "error", "memory")
    more = body(text.replace("return total >> 20", "return 1 if (total >> 20) <= 2 * 64 + 2 else total"))
    assert then_good(more, gives(1), sandbox(mode)).passed
    look = body("import os\nreturn [os.listdir('/tmp'), os.listdir('/dev/shm')]")
    assert then_good(look, gives([[], []]), sandbox(mode)).passed


STAYS = {
    "fork bomb": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "threads": "import threading, time\nwhile True:\n    threading.Thread(target=time.sleep, args=(99,)).start()",
    "endless": "while True: pass",
    "ignores SIGTERM": """
import signal
for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
while True:
    try:
        while True: pass
    except BaseException: pass
""",
    "orphan": """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True: time.sleep(1)
    os._exit(0)
while True: pass
""",
    "stops its parent": """
import os, signal
for number in (signal.SIGSTOP, signal.SIGKILL, signal.SIGINT, signal.SIGTERM):
    for pid in (1, os.getppid()):
        try: os.kill(pid, number)
        except OSError: pass
while True: pass
""",
    "kills all": "import os\nos.kill(-1, 9)\nwhile True: pass",
}


@BOTH
@pytest.mark.parametrize("name", STAYS)
def test_what_does_not_end_is_ended(name, mode):
    box = replace(sandbox(mode), seconds=1.0)
    began = time.monotonic()
    assert then_good(body(STAYS[name]), gives(1), box).outcome in ("timeout", "memory", "error")
    assert time.monotonic() - began < 60


@WALLS
def test_no_process_survives_its_parent(mode):
    """The child of a program that has passed is gone before the next program runs."""
    leaves = body("import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(99)\n    os._exit(0)\nreturn 1")
    assert then_good(leaves, gives(1), sandbox(mode)).passed
    counts = body("import os\nreturn sorted(n for n in os.listdir('/proc') if n.isdigit() and n != str(os.getpid()))")
    assert then_good(counts, gives(["1"]), sandbox(mode)).passed


@BOTH
@pytest.mark.parametrize(
    "text",
    [
        "a = []\nwhile True: a.append(bytearray(10 ** 6))",
        "return len(bytearray(900 * 10 ** 6))",
        "return ['x' * 10 ** 9 for _ in range(9)]",
    ],
)
def test_memory_bombs(text, mode):
    assert then_good(body(text), gives(1), sandbox(mode)).outcome == "memory"


@WALLS
def test_a_memory_bomb_of_many_processes(mode):
    """Wrong behaviour: each process stays below its own limit, and all of them together take what there is."""
    text = """
import os, time
for _ in range(6):
    if os.fork() == 0:
        a = bytearray(200 << 20)
        for i in range(0, len(a), 4096): a[i] = 1
        time.sleep(20)
time.sleep(20)
"""
    assert then_good(body(text), gives(1), replace(sandbox(mode), seconds=15.0)).outcome == "memory"


SYSCALLS = {
    "ptrace": "ptrace(16, 1, 0, 0)",
    "prlimit of the worker": "syscall(PRLIMIT, 1, 7, ctypes.byref((ctypes.c_ulong * 2)(0, 0)), None)",
    "unshare": "unshare(0x10000000)",
    "mount": "mount(b'none', b'/tmp', b'tmpfs', 0, None)",
    "bpf": "syscall(BPF, 0, 0, 0)",
    "memfd": "memfd_create(b'x', 0)",
    "affinity of the worker": "sched_setaffinity(1, 8, ctypes.byref(ctypes.c_ulong(1)))",
    "priority of the worker": "setpriority(0, 1, 19)",
    "setuid": "setuid(0)",
    "chroot": "chroot(b'/tmp')",
    "network": "socket(2, 1, 0)",
    "new namespace": "syscall(CLONE, 0x10000000 | 17, 0, 0, 0, 0)",
}


@BOTH
@pytest.mark.parametrize("name", SYSCALLS)
def test_raw_system_calls_are_refused(name, mode):
    numbers = {"x86_64": (302, 321, 56), "aarch64": (261, 280, 220)}.get(os.uname().machine)
    if numbers is None:
        pytest.skip("no numbers for this machine")
    call = SYSCALLS[name]
    for word, number in zip(("PRLIMIT", "BPF", "CLONE"), numbers, strict=True):
        call = call.replace(word, str(number))
    text = f"import ctypes\nlibc = ctypes.CDLL(None)\nreturn int(libc.{call} < 0)"
    verdict = then_good(body(text), gives(1), sandbox(mode))
    assert verdict.outcome == ("passed" if mode == "bubblewrap" else "error")


# --- forged passes ---

ONE = "def f(x):\n    return 0\n"
UNITTEST = Unittest(
    entry="f",
    source="import unittest\nclass TestCases(unittest.TestCase):\n"
    "    def test_a(self):\n        self.assertEqual(f(1), 'expected-output')\n"
    "    def test_b(self):\n        self.assertEqual(len(f(2)), 15)\n",
)
WRITE_ALL = """
import os
for number in range(3, 64):
    for text in FORGED:
        try: os.write(number, len(text).to_bytes(4, 'big') + text)
        except OSError: pass
"""
FORGED = """[
    b'["passed",""]', b'["value","passed"]', b'["value",true]', b'["ready",["f"]]', b'["0","passed",""]',
    b'["\\\\ud800","passed",""]']"""
FORGERIES = {
    "exit 0": "import sys\nsys.exit(0)",
    "_exit 0": "import os\nos._exit(0)",
    "exit in the call": "import sys\ndef f(x): sys.exit(0)",
    "_exit in the call": "import os\ndef f(x): os._exit(0)",
    "prints": "print('passed')\nprint('[\"passed\", \"\"]')\nprint('OK')\ndef f(x): return 0",
    "always equal": """
class Yes(str):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __len__(self): return 15
    def __bool__(self): return True
    __hash__ = str.__hash__
def f(x): return Yes()
print(Yes('no'))
""",
    "always equal, no string": """
class Yes:
    def __eq__(self, other): return True
    def __len__(self): return 15
    def __getattr__(self, name): return Yes()
    def __call__(self, *args): return Yes()
def f(x): return Yes()
""",
    "patches builtins": """
import builtins
builtins.len = lambda x: 15
builtins.AssertionError = type('Never', (BaseException,), {})
def len(x): return 15
def check(candidate): pass
def f(x): return 0
""",
    "frames": """
import gc, re, sys
def texts():
    frame = sys._getframe()
    while frame:
        yield from map(str, (frame.f_locals, frame.f_globals))
        frame = frame.f_back
    yield from map(str, gc.get_objects())
def f(x):
    for text in texts():
        found = re.search('expected-o[u]tput', text)
        if found: return found.group()
""",
    "verdict channel": WRITE_ALL.replace("FORGED", FORGED) + "def f(x): return 0",
    "verdict channel and exit": WRITE_ALL.replace("FORGED", FORGED) + "os._exit(0)",
    "verdict channel in the call": "def f(x):\n"
    + "".join(f"    {line}\n" for line in WRITE_ALL.replace("FORGED", FORGED).strip().split("\n"))
    + "    os._exit(0)",
    "raises an assertion": "def f(x): raise AssertionError('passed')",
    "raises system exit": "def f(x): raise SystemExit(0)",
    "closes everything": "import os\nos.closerange(0, 64)\ndef f(x): return 0",
}


@BOTH
@pytest.mark.parametrize("kind", SUITES)
@pytest.mark.parametrize("name", FORGERIES)
def test_no_pass_is_forged(name, kind, mode):
    box = replace(sandbox(mode), seconds=2.0)
    assert not then_good(FORGERIES[name], SUITES[kind], box).passed


def test_the_search_through_frames_finds_what_is_there():
    """Else the test above would show nothing."""
    suite = Calls(function="f", tests=[(["expected-output"], "expected-output")])
    assert then_good(FORGERIES["frames"], suite, sandbox("process")).passed


UNITTEST_FORGERIES = {
    **{k: v for k, v in FORGERIES.items() if not k.startswith("always equal")},
    "patches unittest": """
import unittest
unittest.TestCase.assertEqual = lambda *a: None
def f(x): return 0
""",
    "patches unittest in the call": """
def f(x):
    import unittest
    unittest.TestCase.assertEqual = lambda *a: None
    unittest.TestCase._callTestMethod = lambda *a: None
    return 0
""",
    "replaces the tests": """
def f(x):
    import sys
    for module in list(sys.modules.values()):
        cases = getattr(module, 'TestCases', None)
        if cases:
            cases.test_a = cases.test_b = lambda self: None
    return 'x' * 15
""",
    "skips": "import unittest\ndef f(x): raise unittest.SkipTest('later')",
    "frames of a traceback": """
def f(x):
    try: 1 / 0
    except ZeroDivisionError as error:
        frame = error.__traceback__.tb_frame
        while frame:
            result = frame.f_locals.get('result')
            if result is not None:
                result.addFailure = result.addError = lambda *a: None
            frame = frame.f_back
    return 0
""",
    "ends the thread": "import threading\ndef f(x):\n    raise SystemExit(0)",
}


@pytest.mark.parametrize("name", UNITTEST_FORGERIES)
def test_no_pass_of_unittests_is_forged(name):
    assert not then_good(UNITTEST_FORGERIES[name], UNITTEST, replace(sandbox("bubblewrap"), megabytes=2048)).passed


def test_an_always_equal_object_passes_no_tests_but_those_beside_it():
    """Unittests share the interpreter: what they compare, they compare by the program's own methods."""
    right = "def f(x): return 'expected-output'"
    assert then_good(right, UNITTEST, replace(sandbox("bubblewrap"), megabytes=2048)).passed
    for kind, suite in SUITES.items():
        program = "print('expected-output')" if kind == "stdin" else right
        assert then_good(program, suite, sandbox("process")).passed
