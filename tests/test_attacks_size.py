"""Programs that give too much: none takes more time or memory than its own, and the program after it passes."""

import time
from dataclasses import replace

import pytest
from sandboxes import SUITES, sandbox, then_good

BOTH = pytest.mark.parametrize("mode", ["process", "bubblewrap"])


@BOTH
@pytest.mark.parametrize("kind", SUITES)
def test_a_gigabyte_of_standard_output(kind, mode):
    program = "import sys\nfor _ in range(1000): sys.stdout.write('x' * 10 ** 6)\ndef f(x): return 0\n"
    # Far more than it takes on a machine with nothing else to do.
    box = replace(sandbox(mode), seconds=60.0)
    assert then_good(program, SUITES[kind], box).outcome == ("refused" if kind == "stdin" else "wrong")


LAUGHS = """
def f(x):
    a = ['ha'] * 10
    for _ in range(30): a = [a] * 10
    return a
"""
DEEP = "def f(x):\n    a = []\n    for _ in range(10 ** 5): a = [a]\n    return a\n"
ITSELF = "def f(x):\n    a = []\n    a.append(a)\n    return a\n"
LONG = "class A:\n    def __repr__(self): return 'x' * 10 ** 9\n    __str__ = __repr__\ndef f(x): return A()\n"
DIGITS = "def f(x): return 1 << 10 ** 8\n"
TABLE = "def f(x): return [('a',) * 10 ** 6] * 10 ** 6\n"
WIDE = "def f(x): return [('a',) * 180000] * 1000\n"
LIAR = "class A(list):\n    def __iter__(self):\n        while True: yield 1\ndef f(x): return A()\n"


@BOTH
@pytest.mark.parametrize("kind", ["calls", "check", "asserts"])
@pytest.mark.parametrize("program", [LAUGHS, DEEP, ITSELF, LONG, DIGITS, LIAR, TABLE, WIDE], ids=range(8))
def test_values_that_are_larger_than_they_look(program, kind, mode):
    box = replace(sandbox(mode), seconds=2.0)
    began = time.monotonic()
    assert not then_good(program, SUITES[kind], box).passed
    assert time.monotonic() - began < 60


@BOTH
def test_garbage_on_the_channel_is_refused(mode):
    """Messages that claim to be huge, or are deep, or are no JSON: whoever reads them goes on."""
    for text in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x02[[", b"\x00\x01\x86\xa0" + b"[" * 100000, b"\x00\x00\x00\x01x"):
        program = f"import os\nfor n in range(3, 64):\n    try: os.write(n, {text!r})\n    except OSError: pass\n"
        verdict = then_good(program + "def f(x): return 0\n", SUITES["calls"], replace(sandbox(mode), seconds=1.0))
        assert verdict.outcome == "refused"


@BOTH
@pytest.mark.slow
@pytest.mark.parametrize("piece", [b"[],", b"{},", b'{"t":"table","v":["list",1,[0],"a"]},'])
def test_a_message_as_long_as_tests_take_that_holds_as_many_values_as_fit(piece, mode):
    """It may end the tests, which have memory of their own, and nothing else."""
    program = f"""
import os
def f(x):
    piece = {piece!r}
    text = b'["value",[' + piece * ((191 << 20) // len(piece)) + b'0]]'
    text = len(text).to_bytes(4, 'big') + text
    for number in range(3, 64):
        try:
            place = 0
            while place < len(text): place += os.write(number, text[place : place + (1 << 20)])
        except OSError: pass
    os._exit(0)
"""
    box = replace(sandbox(mode), seconds=10.0, megabytes=1024)
    assert not then_good(program, SUITES["check"], box).passed
