"""Pairs of answers compared per second: by one to four workers, and by math-verify in a plain loop.

    PYTHONPATH=src python benchmarks/equivalence.py                        # answers made up here, of MATH's kinds
    PYTHONPATH=src python benchmarks/equivalence.py FILE.jsonl             # the field `answer` of each line of a file

Half of the pairs are equal answers written differently, half are an answer and another of the same kind. Each
worker count starts with fresh processes that have read nothing yet; starting them is measured too. The record is
benchmarks/records/equivalence.json.
"""

import argparse
import json
import logging
import random
import re
import resource
import sys
import time
from pathlib import Path

from common import record
from math_verify import parse, verify

from prm_scaling.verify.equivalence import Comparer, read_answer


def made_up(count: int, random_: random.Random) -> list[str]:
    """Answers of the kinds and about in the shares of MATH: numbers for the most part."""

    def number() -> str:
        return str(random_.randint(-20, 900))

    def ratio() -> str:
        return rf"\frac{{{random_.randint(1, 60)}}}{{{random_.choice([3, 7, 11, 13, 17])}}}"

    def root() -> str:
        return rf"{random_.randint(2, 20)}\sqrt{{{random_.choice([2, 3, 5, 7, 11])}}}"

    kinds = {
        number: 60,
        ratio: 14,
        root: 5,
        lambda: rf"{random_.randint(2, 400)}^\circ": 2,
        lambda: rf"{random_.randint(2, 400)} \text{{ cm}}": 2,
        lambda: f"({number()},{number()})": 4,
        lambda: rf"\left[{random_.randint(-20, 0)}, {ratio()}\right)": 2,
        lambda: f"{random_.randint(2, 9)}x^2 + {random_.randint(2, 99)}x - {random_.randint(1, 99)}": 4,
        lambda: rf"{random_.randint(1, 9)} \pm {root()}": 1,
        lambda: rf"{random_.randint(2, 90)}\pi": 2,
        lambda: rf"\begin{{pmatrix}} {number()} \\ {number()} \end{{pmatrix}}": 1,
        lambda: rf"\text{{({random_.choice('ABCDE')})}}": 2,
        lambda: f"{random_.randint(2, 90)} + {random_.randint(2, 90)}i": 1,
    }
    return [make() for make in random_.choices(list(kinds), list(kinds.values()), k=count)]


def rewritten(answer: str, random_: random.Random) -> str:
    """The same answer as another model would write it."""
    ways = [
        lambda a: rf"\boxed{{{a}}}",
        lambda a: f"${a}$",
        lambda a: a.replace(r"\frac", r"\dfrac"),
        lambda a: re.sub(r"\\frac\{(\d+)\}\{(\d+)\}", r"\1/\2", a),
        lambda a: a.replace("(", r"\left(").replace(")", r"\right)") if r"\left" not in a else a,
        lambda a: re.sub(r"^(-?\d+)$", r"\1.0", a),
        lambda a: re.sub(r"([+,])", r" \1 ", a),
    ]
    return random_.choice(ways)(answer)


def pairs_of(answers: list[str], random_: random.Random) -> list[tuple[str, str]]:
    """Each answer with itself in another writing, or with another answer of like length."""
    ordered = sorted(answers, key=lambda a: (bool(read_answer(a).number), len(a)))
    others = {a: ordered[(i + random_.randint(1, 5)) % len(ordered)] for i, a in enumerate(ordered)}
    return [(a, rewritten(a, random_) if random_.random() < 0.5 else others[a]) for a in answers]


def in_a_loop(pairs: list[tuple[str, str]]) -> float:
    """Seconds that math-verify takes in this process, in both directions, as symmetry needs."""
    began = time.perf_counter()
    for a, b in pairs:
        x, y = parse(f"${a}$"), parse(f"${b}$")
        _ = verify(x, y) or verify(y, x)
    return time.perf_counter() - began


def main() -> None:
    """One row a way of comparing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, help="JSON lines with a field `answer`")
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--loop", type=int, default=500, help="pairs for the plain loop")
    asked = parser.parse_args()
    random_ = random.Random(0)
    if asked.file:
        answers = [json.loads(line)["answer"] for line in asked.file.read_text().splitlines()]
        answers = (answers * (asked.pairs // len(answers) + 1))[: asked.pairs]
    else:
        answers = made_up(asked.pairs, random_)
    pairs = pairs_of(answers, random_)
    logging.disable(logging.WARNING)
    some = pairs[: asked.loop]
    loop = len(some) / in_a_loop(some)
    rows = [_row("math-verify in a loop", len(some), loop, loop)]
    for workers in (1, 2, 4):
        before = _of_children()
        with Comparer(workers) as comparer:
            began = time.perf_counter()
            comparer.compare([("x + x", "2x")])
            ready = time.perf_counter()
            results = comparer.compare(pairs)
            rate = len(pairs) / (time.perf_counter() - ready)
        found = {"seconds to start": round(ready - began, 1), "equal": sum(r.equal for r in results)}
        found |= {"undecided": comparer.undecided, "processor seconds": round(_of_children() - before, 1)}
        rows.append(_row(f"{workers} workers", len(pairs), rate, loop, **found))
    different = len({answer for pair in pairs for answer in pair})
    arguments = {"answers": asked.file.name if asked.file else "made up", "different answers": different}
    record("equivalence", arguments, rows, ("math-verify", "sympy"))


def _of_children() -> float:
    """Seconds of processor time of all processes that have ended, starting up included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _row(way: str, pairs: int, rate: float, loop: float, **found: float) -> dict:
    row = {"way": way, "pairs": pairs, "pairs a second": round(rate), "times faster": round(rate / loop, 1)}
    return row | dict.fromkeys(("seconds to start", "equal", "undecided", "processor seconds"), "") | found


if __name__ == "__main__":
    sys.exit(main())
