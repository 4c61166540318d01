"""The sandbox itself: where it cannot run, what a program finds there, and that programs share nothing."""

import ctypes
import ctypes.util
import json
import os
import shutil
import struct
from dataclasses import replace

import pytest
from sandboxes import GOOD, NEXT, PROCESS, sandbox, then_good

import prm_scaling.verify.sandbox as sandbox_module
from prm_scaling.problems.code_tests import Calls
from prm_scaling.verify.behaviour import behaviour
from prm_scaling.verify.programs import judge
from prm_scaling.verify.sandbox import SandboxError, available, why_not
from prm_scaling.verify.seccomp import ARCHITECTURES, CONDITIONAL, DENIED, seccomp_filter

BOTH = pytest.mark.parametrize("mode", ["process", "bubblewrap"])


def given(program: str, box, count: int = 1) -> list:
    """What ``f(1)`` gives, as its behaviour tells."""
    (text,) = behaviour([program], [NEXT], [json.dumps([[1]] * count)], box)
    return json.loads(text)


def test_without_bubblewrap_it_refuses_and_names_the_way_out(monkeypatch):
    """Wrong behaviour: programs run in the weaker mode, and nobody is told."""
    monkeypatch.setattr(sandbox_module.shutil, "which", lambda _: None)
    assert not available("bubblewrap")
    with pytest.raises(SandboxError, match=r"not installed.*apt install bubblewrap.*sandbox\.mode: process"):
        judge([GOOD], [NEXT], replace(PROCESS, mode="bubblewrap"))
    assert judge([GOOD], [NEXT], PROCESS)[0].passed


def test_without_namespaces_it_refuses_with_the_reason(tmp_path, monkeypatch):
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sandbox_module.shutil, "which", lambda _: str(program))
    assert "No permissions to create new namespace" in why_not("bubblewrap")
    assert "sandbox.mode: process" in why_not("bubblewrap")


def test_a_worker_that_fails_raises_and_makes_no_verdict_up(monkeypatch):
    """Wrong behaviour: a broad `except` that turns a failure of the sandbox into a wrong answer."""
    with pytest.raises(SandboxError, match="no program can run within 1 MB"):
        judge([GOOD], [NEXT], replace(PROCESS, megabytes=1))
    monkeypatch.setattr(sandbox_module.sys, "_base_executable", "/bin/false")
    with pytest.raises(SandboxError, match="worker ended with 1"):
        judge([GOOD], [NEXT], PROCESS)
    monkeypatch.setattr(sandbox_module.sys, "_base_executable", "/nowhere/python")
    with pytest.raises(SandboxError, match="does not start"):
        judge([GOOD], [NEXT], PROCESS)


@BOTH
def test_programs_share_nothing(mode):
    box = sandbox(mode)
    first = "import math, builtins, sys\nmath.pi = 3\nbuiltins.abs = lambda _: 0\nsys.mark = 1\ndef f(x): return 1\n"
    second = "import math, sys\ndef f(x): return [math.pi > 3, abs(-1), hasattr(sys, 'mark')]\n"
    suites = [NEXT, NEXT]
    assert behaviour([first, second], suites, ["[[1]]"] * 2, box) == ["[1]", "[[true, 1, false]]"]


def test_files_processes_and_limits_of_one_program_are_gone_for_the_next():
    box = sandbox("bubblewrap")
    leaves = """
import os, resource, subprocess
def f(x):
    for folder in ('/tmp', '/dev/shm'):
        os.makedirs(folder + '/a/b')
        open(folder + '/a/b/c', 'w').write('x')
        os.symlink('/usr', folder + '/link')
        os.chmod(folder + '/a', 0)
    subprocess.Popen(['/usr/bin/sleep', '99'])
    resource.setrlimit(resource.RLIMIT_NOFILE, (9, 9))
    os.environ['MARK'] = '1'
    os.chdir('/usr')
    return 1
"""
    looks = """
import os, resource
def f(x):
    processes = [n for n in os.listdir('/proc') if n.isdigit() and n not in ('1', str(os.getpid()))]
    found = os.listdir('/tmp') + os.listdir('/dev/shm') + processes
    return [found, resource.getrlimit(resource.RLIMIT_NOFILE)[0], os.environ.get('MARK'), os.getcwd()]
"""
    told = behaviour([leaves, looks], [NEXT, NEXT], ["[[1]]"] * 2, box)
    assert told == ["[1]", '[[[], 64, null, "/tmp"]]']


def test_the_user_is_unprivileged_and_the_system_is_read_only():
    program = """
import os
def f(x):
    status = dict(line.split(':', 1) for line in open('/proc/self/status').read().splitlines())
    caps = [int(status[name].strip(), 16) for name in ('CapPrm', 'CapEff', 'CapInh', 'CapAmb')]
    writable = [p for p in ('/', '/usr', '/dev', '/inside', '/proc/sys/kernel/hostname') if os.access(p, os.W_OK)]
    return [os.getuid() != 0, os.getgid() != 0, caps, writable, os.path.exists('/etc/passwd'),
        status['NoNewPrivs'].strip(), status['Seccomp'].strip(), os.path.exists('/home')]
"""
    box = sandbox("bubblewrap")
    assert given(program, box) == [[True, True, [0, 0, 0, 0], [], False, "1", "2", False]]


@BOTH
def test_no_environment_variable_is_visible(mode, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    program = "import os\ndef f(x): return sorted(os.environ)\n"
    names = {*sandbox_module.ENVIRONMENT, "LC_CTYPE", "PWD"}
    assert set(given(program, sandbox(mode))[0]) <= names


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only the superuser has something to give up")
def test_the_superuser_is_given_up_where_another_user_can_read_the_library(monkeypatch):
    system = next((p for p in ("/usr/bin/python3", "/usr/local/bin/python3") if os.path.exists(p)), None)
    if system is None:
        pytest.skip("no interpreter here that another user can read")
    monkeypatch.setattr(sandbox_module.sys, "_base_executable", system)
    told = given("import os\ndef f(x): return [os.getuid(), os.getgid(), os.getgroups()]\n", PROCESS)
    if told == [[0, 0, [0]]]:
        pytest.skip("this container has no other user")
    assert told == [[65534, 65534, []]]


def test_installed_packages_are_found_wherever_they_are(tmp_path, monkeypatch):
    """Wrong behaviour: an environment below /tmp is hidden by the sandbox's own /tmp."""
    (tmp_path / "module_of_mine.py").write_text("ONE = 1\n")
    tmp_path.chmod(0o755)
    monkeypatch.setattr(sandbox_module, "_packages", lambda: [str(tmp_path)])
    program = "from module_of_mine import ONE\ndef f(x):\n    return x + ONE\n"
    assert then_good(program, NEXT, sandbox("bubblewrap")).passed


def test_programs_may_use_the_standard_library():
    program = (
        "import collections, datetime, decimal, fractions, heapq, itertools, math, re, statistics, string\n"
        "def f(x):\n"
        "    return [math.gcd(12, 18), statistics.mean([1, 2]), str(fractions.Fraction(1, 2)),\n"
        "        collections.Counter('aab')['a'], re.sub('a', 'b', 'a'), str(decimal.Decimal('0.1'))]\n"
    )
    assert given(program, PROCESS) == [[6, 1.5, "1/2", 2, "b", "0.1"]]


def test_a_worker_that_a_program_ends_is_replaced(monkeypatch):
    """Here the worker is ended from outside; a program has no way to it."""
    from prm_scaling.verify.pool import Worker

    original, ended = Worker.finish, []

    def finish(self, wait):
        if self.process is not None and len(ended) < 3:
            ended.append(self.process.process.pid)
            self.process.process.kill()
            self.process.process.wait()
        return original(self, wait)

    worker_opened = Worker._open
    monkeypatch.setattr(Worker, "_open", lambda self: _untouched(monkeypatch, worker_opened, original, finish, self))
    verdicts = judge([GOOD, f"{GOOD}#\n"], [NEXT, NEXT], PROCESS)
    # Ended twice while it ran the first: that is told. Ended once while it ran the second: it ran again.
    assert [v.outcome for v in verdicts] == ["error", "passed"] and len(ended) == 3


def _untouched(monkeypatch, opened, original, finish, worker) -> None:
    from prm_scaling.verify.pool import Worker

    monkeypatch.setattr(Worker, "finish", original)
    opened(worker)
    monkeypatch.setattr(Worker, "finish", finish)


def test_several_workers_give_the_verdicts_in_order():
    programs = [f"def f(x):\n    return {i % 3}\n# {i}\n" for i in range(40)]
    suites = [Calls(function="f", tests=[([1], 1)])] * 40
    verdicts = judge(programs, suites, replace(PROCESS, workers=3))
    assert [v.passed for v in verdicts] == [i % 3 == 1 for i in range(40)]


# --- the seccomp filter ---


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_filter_has_the_kernels_numbers(machine):
    """Against libseccomp's table, where that library is."""
    name = ctypes.util.find_library("seccomp")
    if name is None:
        pytest.skip("no libseccomp here")
    library = ctypes.CDLL(name)
    place, architecture = ARCHITECTURES[machine]
    for call, numbers in {**DENIED, **CONDITIONAL}.items():
        known = library.seccomp_syscall_resolve_name_arch(ctypes.c_uint32(architecture), call.encode())
        if known == -1:  # newer than the library
            continue
        assert (numbers[place] if numbers[place] is not None else known) == known or known < 0, call


def evaluate(program: bytes, number: int, architecture: int, arguments: tuple[int, ...] = (0,) * 6) -> int:
    """What a filter returns for a system call: an interpreter of the few instructions that it is made of."""
    data = struct.pack("<iIQ6Q", number, architecture, 0, *arguments)
    instructions = list(struct.iter_unpack("<HBBI", program))
    at, value = 0, 0
    while True:
        code, then, otherwise, constant = instructions[at]
        at += 1
        if code == 0x20:
            value = struct.unpack_from("<I", data, constant)[0]
        elif code == 0x06:
            return constant
        else:
            met = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}[code]
            at += then if met else otherwise


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_the_filter_denies_what_it_lists_and_allows_the_rest(machine):
    place, architecture = ARCHITECTURES[machine]
    program, allow, denied = seccomp_filter(machine), 0x7FFF0000, 0x00050001
    listed = {numbers[place] for numbers in DENIED.values()} - {None}
    special = {name: numbers[place] for name, numbers in CONDITIONAL.items()}
    for number in range(460):
        if number not in special.values():
            assert evaluate(program, number, architecture) == (denied if number in listed else allow)
    arguments = {
        "socket": {(1, 1): allow, (2, 1): denied, (16, 3): denied},
        "clone": {(17,): allow, (0x3D0F00,): allow, (0x10000000,): denied, (0x20000,): denied},
        "prlimit64": {(0, 7): allow, (1, 7): denied},
        "clone3": {(0,): 0x00050026},
    }
    for name, cases in arguments.items():
        for first, expected in cases.items():
            padded = (*first, *([0] * (6 - len(first))))
            assert evaluate(program, special[name], architecture, padded) == expected
    assert evaluate(program, 0, 0x40000003) == 0x80000000
    if machine == "x86_64":
        assert evaluate(program, 0x40000000 | 101, architecture) == denied


def test_other_architectures_are_refused_with_the_way_out(monkeypatch):
    if shutil.which("bwrap") is None:
        pytest.skip("no bubblewrap here")
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert "riscv64" in why_not("bubblewrap") and "sandbox.mode: process" in why_not("bubblewrap")
