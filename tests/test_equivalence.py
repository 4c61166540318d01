"""Whether two mathematical answers are equal: what is plain, what needs algebra, and what would never end."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

import prm_scaling.verify.equivalence as equivalence_module
from prm_scaling.verify.equivalence import Comparer, Comparison, plainly, read_answer

WORKERS = 2


@pytest.fixture(scope="module")
def comparer():
    with Comparer(WORKERS) as comparer:
        yield comparer


def equal(comparer: Comparer, a: str, b: str) -> bool:
    """Both ways round, which must agree."""
    one, other = comparer.compare([(a, b), (b, a)])
    assert one == other and not one.undecided
    return one.equal


# --- answers that are equal, and such as are not ---

SAME = r"""
1/2 | 0.5
\frac12 | 0.5
\frac{1}{2} | 1/2
\tfrac{1}{2} | \dfrac{1}{2}
-\frac{1}{2} | -.5
\frac{-1}{2} | -\frac12
07 | 7
2.0 | 2
12. | 12
2\frac12 | 5/2
2 1/2 | 2.5
x+1 | 1+x
(x+1)^2 | x^2+2x+1
\sqrt{12} | 2\sqrt{3}
\sqrt 5 | \sqrt{5}
sqrt(5) | \sqrt{5}
\frac{1}{\sqrt2} | \frac{\sqrt{2}}{2}
\sin^2 x | 1-\cos^2 x
1+2i | 2i+1
10^{3} | 1000
5 \times 10^3 | 5000
2**10 | 1024
1,234 | 1234
1{,}234 | 1234
10,\!080 | 10080
32,\! 349 | 32349
1,234,567 | 1234567
12,345.67 | 12345.67
1 234 | 1234
0.333333 | 1/3
0.3333333333 | 1/3
3.141593 | \pi
5\text{ cm} | 5
5 cm | 5
5\,m | 5
1\,000 | 1000
5 dollars | 5 \text{ dollars}
\$5 | 5
\$18.90 | 18.9
5 apples | 5
864 \mbox{ inches}^2 | 864
\frac{270}7\text{ degrees} | 270/7
90^\circ | 90
90° | 90 degrees
50\% | 50
50\% | 0.5
50% | 50\%
12.5\% | \frac18
\text{5 cents} | 5
204_5 | 204_{5}
\text{even} | even
\text{yes} | Yes
\text{(B)} | B
(B) | B
\textbf{(B)} | \mathrm{B}
\text{12} | 12
\text{E} | E
x=1 or x=2 | 1,2
x=1 \text{ or } x=2 | x=2 \text{ or } x=1
x=1, x=2 | \{1,2\}
1 and 2 | \{2,1\}
\{1,2\} | \{2,1\}
3, 5, 7 | 7,5,3
1\pm\sqrt2 | 1+\sqrt2, 1-\sqrt2
\pm 3 | 3,-3
x=\pm 3 | -3, 3
x \in [-2,7] | [-2,7]
-2 \le x \le 7 | [-2,7]
(1,2) | 1<x<2
x > 1 | (1,\infty)
1 < x | x>1
(-\infty, 2) \cup (3, \infty) | x<2 or x>3
(-\infty, 2) \cup (3, \infty) | x>3 \text{ or } x<2
\left(3,\frac{\pi}{2}\right) | (3, \pi/2)
(1, -0.5) | \left( 1, -\frac{1}{2} \right)
(0.5, 2] | \left(\frac12, 2\right]
\begin{pmatrix}1\\2\end{pmatrix} | \begin{bmatrix}1\\2\end{bmatrix}
y = 2x+3 | 2x+3
y = 2x+3 | y=3+2x
k=1 | 1
1+1=2 | 2
x^2+y^2=1 | y^2+x^2=1
2x+4y-3=0 | y=-\frac{1}{2}x+\frac{3}{4}
\emptyset | \{\}
abc | cba
"""
DIFFERENT = r"""
11 | 0
3 | -3
5 | {
5 6 | 56
1,234 | 1,2,34
(1,234) | 1234
0.33 | 1/3
0.333333 | 0.333334
.0000672 | .0000671
1000000.5 | 1000000.6
1/2 | 1/3
1\pm\sqrt2 | 1+\sqrt2
\pm 3 | 3
(1,2) | (2,1)
(1,2) | [1,2]
(1,2) | (1,2,3)
(1,2] | (1,3]
-2 \le x \le 7 | (-2,7)
\{1,2\} | \{1,2,3\}
x>1 | x<1
2x+z=1 | 1
2ab | 2
2c | 2
5m | 5
2 hours | 2 minutes
5 cm | 5 m
3 red | 3 blue
50\% | 0.05
204_5 | 204_6
gray | gary
\text{gray} | gary
\text{even} | odd
\text{Evelyn} | Navin
\text{B} | C
\text{even} | 2
\text{no solution} | 0
\text{3 red} | \text{3 blue}
\text{June 5} | \text{June 6}
x^2 | x^3
\log 2 | \ln 2
\begin{pmatrix}1\\2\end{pmatrix} | \begin{pmatrix}2\\1\end{pmatrix}
\infty | -\infty
\frac{1}{0} | 1
"""


def rows(table: str) -> list[tuple[str, str]]:
    pairs = [line.split(" | ") for line in table.strip().split("\n")]
    return [(a.strip(), b.strip()) for a, b in pairs]


@pytest.mark.parametrize(("a", "b"), rows(SAME))
def test_equal_answers(comparer, a, b):
    assert equal(comparer, a, b)


@pytest.mark.parametrize(("a", "b"), rows(DIFFERENT))
def test_different_answers(comparer, a, b):
    """Wrong behaviour among them: 2ab read as two abs (a unit of math-verify's list), 2x + z = 1 read as 1."""
    assert not equal(comparer, a, b)


def test_an_empty_answer_is_equal_to_nothing_else(comparer):
    assert not equal(comparer, "5", "")
    assert not equal(comparer, "5", "$$")


pieces = st.sampled_from(
    [*"0123456789+-*/^_{}()[]<>=,.% xyi", r"\frac", r"\sqrt", r"\pm", r"\text{ cm}", r"\circ", "or"]
)
written = st.sampled_from([a for row in rows(SAME) + rows(DIFFERENT) for a in row]) | st.lists(pieces, max_size=6).map(
    "".join
)


@given(written, written)
def test_equality_is_symmetric_and_of_everything_with_itself(comparer, a, b):
    """Wrong behaviour: math-verify finds (1,2) equal to 1<x<2, and 1<x<2 not equal to (1,2)."""
    there, back, self = comparer.compare([(a, b), (b, a), (a, a)])
    assert there == back and self == Comparison(True)


@given(st.fractions(max_denominator=9999), st.sampled_from(["{}/{}", r"\frac{{{}}}{{{}}}", r"$\dfrac{{{}}}{{{}}}$"]))
def test_numbers_are_read_exactly(value, way):
    said = way.format(value.numerator, value.denominator)
    assert read_answer(said).number == equivalence_module.Number(value)
    assert plainly(said, str(value), 6) and plainly(said, str(value + 1), 6) is False


@given(st.integers(-(10**12), 10**12), st.integers(-(10**12), 10**12))
def test_plain_integers_are_compared_here_whatever_they_are(a, b):
    assert plainly(str(a), f"{b:,}", 6) is (a == b)


def test_decimals_to_a_stated_precision():
    pairs = [(r"(\frac{3}{5},\frac{8}{3}]", "(0.6,2.6667]"), ("1/3", "0.33"), ("2.6667", "8/3"), ("1/3", "0.34")]
    with Comparer(1, places=2) as rough, Comparer(1) as fine:
        assert [r.equal for r in rough.compare(pairs)] == [True, True, True, False]
        assert [r.equal for r in fine.compare(pairs)] == [False] * 4


# --- what would never end ---

ENDLESS = (
    "9^{9^{9^9}}",
    "9^{9^9}",
    "10000000!",
    "((10!)!)!",
    r"\binom{10^{9}}{5\cdot 10^8}",
    "(" * 3000 + "1" + ")" * 3000,
    r"\sqrt{" * 300 + "x" + "}" * 300,
    r"\frac{1}{" * 200 + "x" + "}" * 200,
    "(x+y+z+1)^{4000} + (x+1)^{9999}",
    r"\sum_{k=1}^{10^{12}} \frac{1}{k^2 + \sin k}",
    r"\int_0^{10^{9}} \sin(e^{x^2}) \, dx",
    "9**9**9",
    "x" * 20_000,
    "1" * 20_000 + "+x",
)


@pytest.mark.slow
def test_no_expression_stops_the_comparison_or_spoils_what_comes_after():
    """Wrong behaviour: a signal that Python handles only after C code returns, so 9**9**9 hangs the whole phase."""
    began = time.monotonic()
    with Comparer(WORKERS, seconds=0.5) as comparer:
        pairs = [pair for bad in ENDLESS for pair in [(bad, "y^2+7"), ("x+1", f"1+x+{len(bad)}-{len(bad)}")]]
        results = comparer.compare(pairs)
        assert not any(r.equal for r in results[::2])
        assert all(r == Comparison(True) for r in results[1::2])
        assert results[0] == Comparison(False, undecided=True)
        assert comparer.undecided == sum(r.undecided for r in results) >= 3
        # Each is cut off once, and then known.
        again = time.monotonic()
        assert comparer.compare(pairs) == results and time.monotonic() - again < 0.5
    assert time.monotonic() - began < 60


def test_memory_is_limited_too():
    """Wrong behaviour: an answer that fills the machine's memory, or one for which that is told as "not equal"."""
    with Comparer(1, seconds=20.0, megabytes=400) as comparer:
        hungry, harmless = comparer.compare([(r"(x+y+z+w+1)^{60} - 1", r"(x+y+z+w)^{60}+t"), ("x+x", "2x")])
    assert not hungry.equal and harmless.equal


def test_limits_within_which_nothing_works_are_an_error_and_no_verdict():
    """Wrong behaviour: all answers are wrong, because no worker could start."""
    with Comparer(1, megabytes=10) as comparer, pytest.raises(RuntimeError, match="no two answers can be compared"):
        comparer.compare([("x+x", "2x")])


def test_a_limit_is_of_the_workers_own_time_and_holds_off_the_main_thread():
    """Wrong behaviour: math-verify's limit, which raises where the caller is not the main thread."""
    found = []

    def compare():
        with Comparer(1, seconds=0.5) as comparer:
            found.extend(comparer.compare([("9^{9^{9^9}}", "y+7"), ("x+x", "2x")]))

    thread = threading.Thread(target=compare)
    thread.start()
    thread.join(60)
    assert found == [Comparison(False, undecided=True), Comparison(True)]


@pytest.mark.parametrize("piece", ["\\boxed{", "1,", "}a", "\\text{", "a ", "5 a. ", "\\!", "{", "-", "1 "])
def test_answers_without_end_are_taken_apart_in_time_in_proportion(piece):
    began = time.monotonic()
    read_answer(piece * 20_000)
    read_answer(piece * 9_999 + "5")
    assert time.monotonic() - began < 5


# --- processes ---


def test_no_process_starts_for_what_is_plain(monkeypatch):
    """Wrong behaviour: seconds of start-up for the embedded problems, whose answers are small integers."""

    def never(*args, **kwargs):
        raise AssertionError("a process was started")

    monkeypatch.setattr(equivalence_module.subprocess, "Popen", never)
    pairs = [(str(i % 13), str(i % 11)) for i in range(5000)] + [("1/2", "0.5"), (r"\text{(A)}", "B"), ("5 cm", "5 m")]
    began = time.monotonic()
    with Comparer(WORKERS) as comparer:
        results = comparer.compare(pairs)
    assert [r.equal for r in results] == [a == b for a, b in pairs[:5000]] + [True, False, False]
    assert time.monotonic() - began < 1


def test_every_different_pair_is_compared_once(monkeypatch):
    asked = []
    with Comparer(1) as comparer:
        ask = comparer._ask
        monkeypatch.setattr(comparer, "_ask", lambda pairs: asked.append(pairs) or ask(pairs))
        results = comparer.compare([("x+x", "2x"), ("2x", "x+x"), (r"$2x$", r"\boxed{x+x}"), ("x+x", "3x")])
        assert [r.equal for r in results] == [True, True, True, False]
        comparer.compare([("3x", "x+x")])
    assert asked == [[("2x", "x+x"), ("3x", "x+x")]]


CALLER = """
import sys, time
from prm_scaling.verify.equivalence import Comparer
with Comparer(2, seconds=600) as comparer:
    comparer.compare([("x+x", "2x")])
    print(comparer._process.pid, flush=True)
    comparer.compare([("9^{9^{9^9}}", "y+7")] * 1)
"""


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="looks for processes in /proc")
def test_workers_do_not_outlive_a_caller_that_is_killed():
    """Wrong behaviour: processes that go on with 9**9**9 after the job was killed."""
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}
    )
    server = int(caller.stdout.readline())
    until = time.monotonic() + 20
    while not (workers := children(server)) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.3)
    caller.kill()
    caller.wait()
    caller.stdout.close()
    while any(map(alive, [server, *workers])) and time.monotonic() < until:
        time.sleep(0.05)
    assert workers and not any(map(alive, [server, *workers]))
