"""Compares mathematical answers with math-verify, in processes that can be killed: the workers of ``equivalence``.

math-verify's own time limit is a signal that Python handles between two of its instructions, so it does not
hold while C code computes ``9**9**9``. Here the kernel ends a worker that has used up its processor time,
wherever it is, and another is forked in its place; time is the worker's own, so a busy machine changes nothing.

It runs as a script, isolated from the package: ``algebra.py WORKERS SECONDS MEGABYTES PLACES``. It reads a
line of JSON, a list of pairs, and writes a line with a sign a pair: ``=``, ``#`` (not equal) or ``?`` (cut off).
"""

import json
import logging
import os
import re
import resource
import select
import signal
import sys
import time
from collections import deque
from functools import lru_cache

from math_verify import parse, verify
from math_verify.grader import is_assignment_relation, is_equation, take_first_relation, take_last_relation
from math_verify.parser import LatexExtractionConfig, NormalizationConfig
from sympy import Expr, FiniteSet, Interval, Symbol, Tuple, Union, sympify
from sympy.core.relational import Eq, Ne, Relational

EQUAL, DIFFERENT, CUT_OFF = "=", "#", "?"
# Units are split off before: math-verify's list of them holds single letters, by which 2c would be 2.
READING = (
    LatexExtractionConfig(
        normalization_config=NormalizationConfig(
            basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none"
        )
    ),
)
EITHER = re.compile(r"(?<![a-zA-Z])or(?![a-zA-Z])|\\lor|\\vee")
# Of wall time per second of processor time, for a worker that does not even compute.
PATIENCE = 20.0
MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024
# Read before the first fork, so that every worker has the parser's tables.
USUAL = (
    r"\frac{1}{2}x^2+\sqrt{3}",
    r"(1, \frac{\pi}{2}]",
    r"\{1, 2\}",
    r"x \le -2",
    r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}",
)


@lru_cache(maxsize=4096)
def read(text: str) -> list:
    """What math-verify reads: an expression, where it finds one, and the normalised text."""
    found = parse(f"${text}$", READING, parsing_timeout=None, raise_on_error=True)
    if found and EITHER.search(text):
        return [_union(found[0]), *found[1:]]
    return found


def _union(found):
    """The set that alternatives such as ``x < 2 or x > 3`` describe."""
    parts = getattr(found, "args", ())
    if isinstance(found, FiniteSet) and all(isinstance(p, Relational) and not isinstance(p, Eq | Ne) for p in parts):
        symbols = set().union(*(part.free_symbols for part in parts))
        if len(symbols) == 1:
            return Union(*(part.as_set() for part in parts))
    return found


def differ(x, y) -> bool:
    """Whether two that were read clearly differ: one is several things, or their values at one place do.

    It only ever tells that they differ, which is the common case, and spares their simplification.
    """
    if not (isinstance(x, Expr) and isinstance(y, Expr)):
        return (isinstance(x, Expr) and _several(y)) or (isinstance(y, Expr) and _several(x))
    if isinstance(x, Symbol) or isinstance(y, Symbol):  # may be words: math-verify has rules for them
        return False
    symbols = sorted(x.free_symbols | y.free_symbols, key=str)
    place = {symbol: sympify(1.37 + 0.61 * i) for i, symbol in enumerate(symbols)}
    try:
        a, b = (complex(e.evalf(15, subs=place)) for e in (x, y))
    except (TypeError, ValueError, AttributeError, NotImplementedError, ArithmeticError):  # it has no such value
        return False
    return abs(a - b) > 1e-3 * max(1.0, abs(a), abs(b))


def _several(found) -> bool:
    """Whether it is more than one thing, which no expression is equal to."""
    if isinstance(found, FiniteSet | Tuple):
        return len(set(found.args)) > 1
    return isinstance(found, Union) or (isinstance(found, Interval) and found.start != found.end)


def same(a: str, b: str, places: int) -> bool:
    """Whether two answers are equal by math-verify, in either order of them."""
    x, y = read(a), read(b)
    if not (x and y):
        return False
    if is_equation(x[0]) != is_equation(y[0]):
        # math-verify takes the last side of any equation, if it is not the reference: 2x + z = 1 would be 1.
        x, y = [[_value(x[0]), *x[1:]], [_value(y[0]), *y[1:]]]
        if is_equation(x[0]) != is_equation(y[0]):
            return False
    if differ(x[0], y[0]):
        return False
    rules = {"float_rounding": places, "timeout_seconds": None}
    if verify(x, y, **rules):
        return True
    alike = type(x[0]) is type(y[0]) or (isinstance(x[0], Expr) and isinstance(y[0], Expr))
    # Its rules for two of different kinds, such as a relation and a set, depend on which is the reference.
    return not alike and bool(verify(y, x, **rules))


def _value(found):
    """What an equation such as ``x = 3`` or ``1 + 1 = 2`` says that something is; all else is what it is."""
    if is_equation(found) and (is_assignment_relation(found) or not take_first_relation(found).lhs.free_symbols):
        return take_last_relation(found).rhs
    return found


def work(tasks: int, answers: int, seconds: float, megabytes: int, places: int) -> None:
    """A worker: answers one pair after another, and ends where a pair takes more than it may."""
    resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
    with os.fdopen(tasks) as lines:
        for line in lines:
            a, b = json.loads(line)
            # The signal's default action ends the process, also in the middle of C code.
            signal.setitimer(signal.ITIMER_PROF, seconds)
            try:
                sign = EQUAL if same(a, b, places) else DIFFERENT
            except (MemoryError, RecursionError):
                sign = CUT_OFF
            except Exception:  # noqa: BLE001 - of whatever kind: sympy could not tell that they are equal
                sign = DIFFERENT
            signal.setitimer(signal.ITIMER_PROF, 0)
            # math-verify itself takes running out of memory for an inequality.
            full = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT > (megabytes << 20) // 2
            os.write(answers, (CUT_OFF if full and sign == DIFFERENT else sign).encode())
            if full:
                return


class Worker:
    """A forked process and the pipes to it."""

    def __init__(self, others: list["Worker"], seconds: float, megabytes: int, places: int):
        task_read, self.tasks = os.pipe()
        self.answers, answer_write = os.pipe()
        self.pair = -1
        self.deadline = 0.0
        self.process = os.fork()
        if self.process == 0:
            status = 1
            try:
                for fd in (0, 1, self.tasks, self.answers, *(fd for w in others for fd in (w.tasks, w.answers))):
                    os.close(fd)
                work(task_read, answer_write, seconds, megabytes, places)
                status = 0
            finally:
                os._exit(status)
        os.close(task_read)
        os.close(answer_write)

    def ask(self, number: int, pair: list[str], patience: float) -> None:
        """Gives it the pair of this number."""
        self.pair, self.deadline = number, time.monotonic() + patience
        os.write(self.tasks, (json.dumps(pair) + "\n").encode())

    def end(self) -> None:
        """Kills it, if it has not ended already."""
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self.tasks)
        os.close(self.answers)


class Workers:
    """As many workers as are allowed, forked when needed."""

    def __init__(self, count: int, seconds: float, megabytes: int, places: int):
        self._count, self._limits = count, (seconds, megabytes, places)
        self._workers: list[Worker] = []

    def compare(self, pairs: list[list[str]]) -> str:
        """A sign a pair, in order."""
        signs = [""] * len(pairs)
        waiting = deque(range(len(pairs)))
        while waiting or any(w.pair >= 0 for w in self._workers):
            while waiting and len(self._workers) < self._count and all(w.pair >= 0 for w in self._workers):
                self._workers.append(Worker(self._workers, *self._limits))
                self._feed(self._workers[-1], waiting, pairs)
            for worker in [w for w in self._workers if w.pair < 0]:
                self._feed(worker, waiting, pairs)
            self._collect(signs)
        return "".join(signs)

    def _feed(self, worker: Worker, waiting: deque[int], pairs: list[list[str]]) -> None:
        if waiting:
            number = waiting.popleft()
            try:
                worker.ask(number, pairs[number], PATIENCE * self._limits[0])
            except BrokenPipeError:  # it has ended, full of what the last pair left
                waiting.appendleft(number)
                self._drop(worker)

    def _collect(self, signs: list[str]) -> None:
        """Takes what answers there are, and drops workers that ended or sit still."""
        busy = {w.answers: w for w in self._workers if w.pair >= 0}
        if not busy:
            return
        left = min(w.deadline for w in busy.values()) - time.monotonic()
        poll = select.poll()
        poll.register(sys.stdin, 0)  # of it only its end: then whoever asked is gone
        for fd in busy:
            poll.register(fd, select.POLLIN)
        ready = [fd for fd, _ in poll.poll(max(0.0, left) * 1000)]
        if sys.stdin.fileno() in ready:
            self.end()
            sys.exit(0)
        for fd in ready:
            worker = busy[fd]
            sign = os.read(fd, 1).decode()
            signs[worker.pair] = sign or CUT_OFF
            worker.pair = -1
            if not sign:
                self._drop(worker)
        for worker in [w for w in busy.values() if w.pair >= 0 and time.monotonic() > w.deadline]:
            signs[worker.pair] = CUT_OFF
            self._drop(worker)

    def _drop(self, worker: Worker) -> None:
        self._workers.remove(worker)
        worker.end()

    def end(self) -> None:
        """Ends all workers."""
        for worker in list(self._workers):
            self._drop(worker)


def main() -> None:
    """Serves until its input ends."""
    workers, seconds, megabytes, places = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Its warning that no time limit is set: the limit is this file's.
    logging.getLogger("math_verify").setLevel(logging.CRITICAL)
    for usual in USUAL:
        same(usual, "x + 1", places)
    pool = Workers(workers, seconds, megabytes, places)
    # If even this does not work, nothing that a worker says would mean anything.
    if pool.compare([["x + x", "2x"]]) != EQUAL:
        sys.exit(f"no two answers can be compared within {megabytes} MB and {seconds} s here")
    while line := sys.stdin.readline():
        sys.stdout.write(pool.compare(json.loads(line)) + "\n")
        sys.stdout.flush()
    pool.end()


if __name__ == "__main__":
    main()
