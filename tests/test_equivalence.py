"""Whether two mathematical answers are equal: what is plain, what needs algebra, and what would never end."""

import json
import os
import re
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
from prm_scaling.chains.answers import extract_answer
from prm_scaling.problems.record import Question
from prm_scaling.verify.equivalence import Comparer, Comparison, plainly, read_answer

DATA = ROOT.parent / "shared" / "data"
MATH = Question("q", "math", "")
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


# --- real pairs ---

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the folder of real records is not here")


def records(path: str) -> list[dict]:
    return [json.loads(line) for line in (DATA / path).read_text().splitlines()]


# Where this grader and the labels of math-verify's tests part: gold, end of the prediction, label, why.
JUDGED = [
    (
        r"$x \in [-2,7]$",
        r"$-2 \\le x \\le 7$",
        0,
        "the same set; the label tests math-verify's option that tells the reference from the answer; here both ways",
    ),
    ("1000.99", "1000,99", 1, "a comma that is followed by two digits separates two answers in MATH's references"),
    ("1,22", "1.22", 1, "as above"),
    ("0,111", "0.111", 1, "as above"),
    ("2.74", "Soucis : 2,74 $ a..", 1, "as above; and no answer is stated"),
    ("1000.99", "not it's not 10 it's 1,000.99m²", 1, "no answer is stated: the last number of a text is none"),
    ("1000.99", "the number is not 10 which is 1,000.99€", 1, "as above"),
    (
        "$3$",
        "Jane started growing Sphere 3 hours ago. I hope it is correct. <|im_start|>user",
        1,
        "a sentence, of which only a number is right; the chain goes on after its end",
    ),
    ("$12$", "that meet the three given conditions. I hope it is correct. <|im_start|>user", 1, "as above"),
    (
        "$(7,6)$",
        "that solves the system is $(7, 6)$. <|im_start|>user",
        1,
        "no answer is stated, and nothing ends the chain",
    ),
    ("$100%$", "the minimum error in the measurement of the position increases by 100%.", 1, "no answer is stated"),
    (
        r"$\\boxed{35 cm} ++++++ \\boxed{4}$",
        "${35 cm,4}$",
        1,
        "boxes with other than `and` between them are not one answer: the last one is",
    ),
    (r"\\boxed{W(n) = 1 \\text{ and } W(n) = -1", "W(x)=1orW(x)=-1", 1, "a box that is never closed holds no answer"),
    (
        "$$(3, 3), (1, 1)$$",
        r"$$\boxed{(3, 3)} \text{ for part (a) and } \boxed{(1, 1)}$$",
        1,
        "as two boxes above: answers to two parts",
    ),
    ("$f(x)$", "$f(y)$", 1, "the label is for comparison up to names of variables; two answers differ by them"),
]


def stated(text: str) -> str:
    """The answer that a text states; else its last formula, for it is the comparison that is checked here."""
    formulas = re.findall(r"\$([^$]+)\$", text)
    inside = len(text) < 200 and formulas and not text.startswith("$")
    return extract_answer(MATH, text, True) or (formulas[-1] if inside else text)


@needs_data
def test_math_verifys_own_cases():
    found = []
    for places in (6, 2):
        cases = records("answer_equivalence/math_verify_cases.jsonl")
        cases = [row for row in cases if (row.get("precision") == 2) == (places == 2)]
        with Comparer(WORKERS, places=places) as comparer:
            results = comparer.compare([(stated(row["gold"]), stated(row["pred"])) for row in cases])
        found += [
            (row["gold"], row["pred"], row["expected"])
            for row, result in zip(cases, results, strict=True)
            if result.equal != bool(row["expected"])
        ]
    judged = [(gold, pred, label) for gold, pred, label, _ in JUDGED]
    unjudged = [f for f in found if not any(f[0] == g and f[1].endswith(p) and f[2] == e for g, p, e in judged)]
    settled = [j for j in judged if not any(f[0] == j[0] and f[1].endswith(j[1]) and f[2] == j[2] for f in found)]
    assert not unjudged and not settled


@needs_data
def test_real_generations_are_graded_as_labelled(comparer):
    for row in records("answer_equivalence/nemo_skills_score_rm_inputs.jsonl"):
        answer = extract_answer(MATH, row["generation"], True)
        assert answer == row["predicted_answer"]
        assert comparer.compare([(row["expected_answer"], answer)])[0].equal == row["symbolic_correct"]


def variants(gold: str) -> list[str]:
    """The same answer in other wrappings, spacings and kinds of fractions."""
    found = [gold, f" {gold} ", f"${gold}$", f"$${gold}$$", rf"\({gold}\)", rf"\[ {gold} \]", rf"\boxed{{{gold}}}"]
    found += [
        rf"$\boxed{{{gold}}}$.",
        rf"\fbox{{${gold}$}}",
        gold.replace(r"\frac", r"\dfrac"),
        gold.replace(" ", "  "),
    ]
    if r"\left" not in gold:
        found.append(gold.replace("(", r"\left(").replace(")", r"\right)"))
    if not re.search(r"\d,(?:\\!)?\s*\d{3}", gold):  # else spaces would part thousands
        found.append(re.sub(r"([,+=])", r" \1 ", gold))
    return found


@needs_data
@pytest.mark.parametrize("source", ["math500", "prm800k"])
def test_every_reference_equals_itself_however_it_is_wrapped(comparer, source):
    if source == "math500":
        golds = [row["answer"] for row in records("math500/test.jsonl")]
    else:
        raw = records("prm800k/phase1_phase2_examples_raw.jsonl") + records("prm800k/openr_samples_raw.jsonl")
        golds = [row["question"]["ground_truth_answer"] for row in raw]
    pairs = [(gold, other) for gold in dict.fromkeys(g for g in golds if g) for other in variants(gold)]
    assert len(pairs) > 50
    assert [p for p, r in zip(pairs, comparer.compare(pairs), strict=True) if not r.equal] == []


@needs_data
def test_the_answers_of_reference_solutions_are_the_references(comparer):
    for name, question in (("math500/test.jsonl", "solution"), ("gsm8k/test.jsonl", "answer")):
        rows = records(name)
        golds = [row["answer"].rsplit("####", 1)[-1].strip() for row in rows]
        said = [extract_answer(MATH, row[question], True) or "" for row in rows]
        assert [
            g for g, r in zip(golds, comparer.compare(list(zip(golds, said, strict=True))), strict=True) if not r.equal
        ] == []
