"""Whether two mathematical answers are equal, whatever they are: in bounded time and memory.

What is plain to see is decided here, exactly: equal texts, numbers, words, units that differ. All else goes to
math-verify, in processes of ``algebra``, which are started when the first pair needs them. A pair that takes more
than it may is not equal, and said to be undecided.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from importlib.resources import files
from types import TracebackType

# The unit that a word names. Answers with different units are different; one without any is equal to one with.
UNITS = {
    alias: unit
    for unit, aliases in {
        "percent": "% \\% percent percentage pct",
        "degree": "degree degrees deg \u00b0",
        "radian": "radian radians rad",
        "dollar": "dollar dollars usd $ \\$",
        "euro": "euro euros eur \u20ac",
        "pound sterling": "\u00a3",
        "cent": "cent cents",
        "millimetre": "mm millimeter millimeters millimetre millimetres",
        "centimetre": "cm centimeter centimeters centimetre centimetres",
        "metre": "m meter meters metre metres",
        "kilometre": "km kilometer kilometers kilometre kilometres",
        "inch": "in inch inches",
        "foot": "ft foot feet",
        "yard": "yd yard yards",
        "mile": "mi mile miles",
        "gram": "g gram grams",
        "kilogram": "kg kilogram kilograms",
        "pound": "lb lbs pound pounds",
        "ounce": "oz ounce ounces",
        "litre": "l liter liters litre litres",
        "millilitre": "ml milliliter milliliters millilitre millilitres",
        "second": "s sec secs second seconds",
        "minute": "min mins minute minutes",
        "hour": "h hr hrs hour hours",
        "day": "day days",
        "week": "week weeks",
        "month": "month months",
        "year": "yr yrs year years",
        "mile per hour": "mph",
        "unit": "unit units",
    }.items()
    for alias in aliases.split()
}

ENVIRONMENTS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))
BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
SPACING = re.compile(
    r"(?<!\\)\\!\s*|\\(?:left|right|displaystyle|bigl|bigr|Bigl|Bigr)(?![a-zA-Z])|(?<!\\)\$|\{(?=,\}\d)|(?<=\{,)\}"
)
TEXT = r"\\(?:text|mbox|textbf|textit|textrm|textnormal|mathrm|mathbf|operatorname)\s*"
WHOLE_TEXT = re.compile(TEXT + r"\{([^{}]*)\}")
MONEY = re.compile(r"(\\\$|[€£])\s*(?=[-.\d])")
SPACE = re.compile(r"(?<!\\)\\[,;: ]|~")
# White space that parts no two numbers.
LOOSE = re.compile(r"(?<!\d)\s+|\s+(?!\d)")
DEGREE = re.compile(r"\s*(?:\^\s*\{?\s*\\circ\s*\}?|\u00b0)\s*$")
PERCENT = re.compile(r"\s*\\?%\s*$")
UNIT_TEXT = re.compile(r"(?<![=<>+\-*/,(^\s])\s*(?:" + TEXT + r"\{\s*([^{}\d]*?)\s*\})(?:\^\s*(?:\d|\{\d\}))?$")
UNIT_WORDS = re.compile(r"(?<=[\d}])(\s*)([a-z]+\.?(?: [a-z]+\.?){0,2})(?:\s*\^\s*(?:\d|\{\d\}))?$", re.IGNORECASE)
BASE = re.compile(r"(\d[\dA-Fa-f]*)\s*_\s*(?:\{\s*)?(\d+)\s*\}?")

# Numbers of more digits are left to algebra; answers in more boxes and dollars stay wrapped.
DIGITS = 60
LAYERS = 8
SIGN = r"(?P<sign>[-+\u2212]?)\s*"
NUMBER = re.compile(
    SIGN + r"(?:(?P<grouped>\d{1,3}(?:,\d{3})+|\d{1,3}(?: \d{3})+|\d+)(?P<decimals>\.\d*)?|(?P<only>\.\d+))"
)
RATIO = re.compile(SIGN + r"(?:(?P<whole>\d+)\s+)?(?P<above>\d+)\s*/\s*(?P<below>\d+)")
FRACTION = re.compile(
    SIGN
    + r"(?P<whole>\d+)?\s*\\[dtc]?frac\s*(?:(?P<a>\d)|\{\s*(?P<above>-?\d+)\s*\})"
    + r"\s*(?:(?P<b>\d)|\{\s*(?P<below>\d+)\s*\})"
)
WORDS = re.compile(r"[^\W\d_]+(?:[ '’-]+[^\W\d_]+)*")
POINT = re.compile(r"[(\[]\s*([^()\[\]]{3,200})[)\]]")
CHOICE = re.compile(r"\(\s*([A-Za-z])\s*\)")


@dataclass(frozen=True)
class Comparison:
    """Whether two answers are equal, or ``undecided``: cut off by a limit, and then not equal."""

    equal: bool
    undecided: bool = False


@dataclass(frozen=True)
class Number:
    """A number as written: its value, and how many decimal places are given (``None`` for a whole or a ratio)."""

    value: Fraction
    places: int | None = None


@dataclass(frozen=True)
class Answer:
    """An answer without its wrapping.

    Attributes:
        text: what is left of it without boxes, dollars, spacing and unit.
        unit: its unit, ``base N`` for a number in that base, or "" if it has none.
        number: if it is one that can be read without a computer algebra system.
        entries: likewise the numbers of a point or an interval, in its order; empty if it is none.
        words: if it is letters alone, in lower case.
        marked: whether these are words for sure, and not a product of variables.
    """

    text: str
    unit: str
    number: Number | None
    entries: tuple[Number, ...]
    words: str | None
    marked: bool


@lru_cache(maxsize=65536)
def read_answer(said: str) -> Answer:
    """Takes an answer apart.

    >>> read_answer("$1,080 cm$").number, read_answer("90 degrees").unit
    (Number(value=Fraction(1080, 1), places=None), 'degree')
    """
    text, unit = _without_unit(_unwrapped(said))
    inside = WHOLE_TEXT.fullmatch(text)
    if inside:
        text, unit = (inside[1].strip(), unit) if unit else _without_unit(inside[1].strip())
    choice = CHOICE.fullmatch(text)
    letters = WORDS.fullmatch(choice[1] if choice else text.rstrip("."))
    words = letters[0].casefold() if letters else None
    # Four letters side by side are a word rather than four variables.
    marked = words is not None and bool(inside or len(words) == 1 or max(map(len, words.split())) > 3)
    # Words keep their mark for math-verify, so that it does not multiply their letters.
    kept = f"\\text{{{text}}}" if inside and not _number(text) else text
    return Answer(kept, unit, _number(text), _entries(text), words, marked)


def _unwrapped(said: str) -> str:
    """The answer without boxes, dollars and spacing."""
    text = " ".join(said.split())
    for _ in range(LAYERS):
        before = text
        for opening, closing in ENVIRONMENTS:
            if len(text) > len(opening + closing) and text.startswith(opening) and text.endswith(closing):
                text = text[len(opening) : -len(closing)].strip()
        box = BOX.match(text)
        if box and _closes_at_end(text, box.end()):
            text = text[box.end() : -1].strip()
        text = re.sub(r"(?<!\\)[.,;]$", "", text).rstrip()
        if text == before:
            break
    # Python's power is LaTeX's.
    return " ".join(SPACE.sub(" ", SPACING.sub("", text)).replace("**", "^").split())


def _closes_at_end(text: str, start: int) -> bool:
    """Whether the brace before ``start`` is closed by the last character."""
    depth = 1
    for i in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return i == len(text) - 1
    return False


def _without_unit(text: str) -> tuple[str, str]:
    """The answer without its unit, and the unit's name if it is known."""
    based = BASE.fullmatch(text)
    if based:
        return based[1], f"base {based[2]}"
    for pattern, unit in ((DEGREE, "degree"), (PERCENT, "percent")):
        found = pattern.search(text)
        if found and found.start():
            return text[: found.start()], unit
    money = MONEY.search(text)
    if money and text[: money.start()].strip(" -") == "":
        return text[: money.start()].strip() + text[money.end() :], UNITS[money[1]]
    named = UNIT_TEXT.search(text)
    if named and named.start() and named[1]:
        return text[: named.start()], _unit(named[1])
    plain = UNIT_WORDS.search(text)
    if plain and not {"and", "or"} & set(plain[2].split()):
        rest, unit = text[: plain.start()], _unit(plain[2])
        # A letter right behind a number is a variable.
        known = unit in UNITS.values() and (plain[1] or len(plain[2]) > 1)
        if known or (plain[1] and _number(rest) and min(map(len, plain[2].split())) > 2):
            return rest, unit
    return text, ""


def _unit(words: str) -> str:
    """The known unit that is among the words, else the words themselves; ``square`` and ``cubic`` do not count."""
    said = [word.rstrip(".") for word in words.casefold().split()]
    known = [UNITS[word] for word in said if word in UNITS]
    return known[0] if known else " ".join(said).removesuffix("s")


def _number(text: str) -> Number | None:
    """A number written out, with separators of thousands, as a ratio or with a whole before it."""
    if len(text) > DIGITS:
        return None
    text = text.strip()
    plain = NUMBER.fullmatch(text)
    if plain:
        whole = re.sub("[, ]", "", plain["grouped"] or "0")
        decimals = (plain["decimals"] or plain["only"] or "").lstrip(".")
        value = Fraction(int(whole + decimals), 10 ** len(decimals))
        return Number(-value if plain["sign"] in "-\u2212" and plain["sign"] else value, len(decimals) or None)
    ratio = RATIO.fullmatch(text) or FRACTION.fullmatch(text)
    if not ratio:
        return None
    parts = ratio.groupdict()
    above, below = int(parts["above"] or parts["a"]), int(parts["below"] or parts["b"])
    if below == 0 or (above < 0 and parts["whole"]):
        return None
    value = int(parts["whole"] or 0) + Fraction(above, below)
    return Number(-value if parts["sign"] and parts["sign"] in "-\u2212" else value)


def _entries(text: str) -> tuple[Number, ...]:
    """The numbers between brackets, if there is nothing else between them."""
    inside = POINT.fullmatch(text)
    numbers = [_number(part) for part in inside[1].split(",")] if inside else []
    return tuple(n for n in numbers if n) if len(numbers) > 1 and all(numbers) else ()


def _same_number(a: Number, b: Number, places: int) -> bool:
    """Whether two numbers are equal; one given to at least ``places`` decimals stands for all that round to it."""
    given = min((n.places for n in (a, b) if n.places is not None), default=0)
    slack = Fraction(1, 2 * 10**given) if given >= places else 0
    return abs(a.value - b.value) <= slack


def plainly(a: str, b: str, places: int) -> bool | None:
    """Whether two answers are equal, where that is plain to see; ``None`` where it needs algebra."""
    if a == b:
        return True
    x, y = read_answer(a), read_answer(b)
    if x.unit and y.unit and x.unit != y.unit:
        return False
    if LOOSE.sub("", x.text) == LOOSE.sub("", y.text):
        return True
    if not x.text or not y.text:
        return False
    if x.number and y.number:
        if _same_number(x.number, y.number, places):
            return True
        percents = [Number(n.value / 100, n.places and n.places + 2) for n in (x.number, y.number)]
        if (x.unit == "percent") == (y.unit == "percent"):
            return False
        share = (percents[0], y.number) if x.unit == "percent" else (x.number, percents[1])
        return _same_number(*share, places)
    if x.entries and y.entries and (x.text[0], x.text[-1]) == (y.text[0], y.text[-1]):
        same = len(x.entries) == len(y.entries)
        return same and all(_same_number(a, b, places) for a, b in zip(x.entries, y.entries, strict=True))
    if x.words and y.words and (x.words == y.words or x.marked or y.marked):
        return x.words == y.words
    if (x.number and y.words and len(y.words) > 1 and y.marked) or (
        y.number and x.words and len(x.words) > 1 and x.marked
    ):
        return False
    return None


class Comparer:
    """Compares answers; its processes start with the first pair that needs them and end with the ``with`` block.

    Equality is symmetric by construction: a pair is compared in the order of its texts, whichever way round it came.
    """

    def __init__(self, workers: int, seconds: float = 5.0, megabytes: int = 1024, places: int = 6):
        """
        Args:
            workers: processes that compare.
            seconds: processor time that one pair may take.
            megabytes: address space of a worker.
            places: decimals to which numbers that are not exact have to agree.
        """
        self._workers, self._seconds, self._megabytes, self._places = workers, seconds, megabytes, places
        self._process: subprocess.Popen[str] | None = None
        self._known: dict[tuple[str, str], Comparison] = {}

    def __enter__(self) -> "Comparer":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        if self._process is not None:
            with self._process as process:
                if kind is not None:
                    process.kill()
                process.stdin.close()  # type: ignore[union-attr]
            self._process = None
            self._errors.close()

    @property
    def undecided(self) -> int:
        """How many different pairs were cut off so far."""
        return sum(c.undecided for c in self._known.values())

    def compare(self, pairs: Sequence[tuple[str, str]]) -> list[Comparison]:
        """One result a pair, in order; each different pair is compared once.

        Raises:
            RuntimeError: the workers themselves failed; no result is made up for a pair that was not compared.
        """
        keys: list[tuple[str, str] | None] = []
        results: list[Comparison | None] = []
        for a, b in pairs:
            plain = plainly(a, b, self._places)
            results.append(None if plain is None else Comparison(plain))
            keys.append(None if plain is not None else _ordered(read_answer(a).text, read_answer(b).text))
        fresh = list(dict.fromkeys(k for k in keys if k is not None and k not in self._known))
        if fresh:
            self._known.update(zip(fresh, self._ask(fresh), strict=True))
        return [r if k is None else self._known[k] for r, k in zip(results, keys, strict=True)]  # type: ignore[misc]

    def _ask(self, pairs: list[tuple[str, str]]) -> list[Comparison]:
        if self._process is None:
            self._process = self._start()
        sent, received = self._process.stdin, self._process.stdout
        assert sent is not None and received is not None
        try:
            sent.write(json.dumps(pairs) + "\n")
            sent.flush()
        except BrokenPipeError:
            pass  # it has ended: what it says about that is read below
        signs = received.readline().rstrip("\n")
        if len(signs) != len(pairs):
            status = self._process.wait()
            self._errors.seek(0)
            error = self._errors.read().decode(errors="replace").strip()[-500:]
            raise RuntimeError(f"the processes that compare answers ended with {status}: {error}")
        return [Comparison(sign == "=", sign == "?") for sign in signs]

    def _start(self) -> "subprocess.Popen[str]":
        script = str(files("prm_scaling.verify").joinpath("algebra.py"))
        # A file, because a pipe that nobody reads would fill up and stop who writes to it.
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        limits = [str(self._workers), str(self._seconds), str(self._megabytes), str(self._places)]
        return subprocess.Popen(
            # -P: the folder of the script holds modules that are not for it to import.
            [sys.executable, "-P", "-W", "ignore", script, *limits],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )


def _ordered(a: str, b: str) -> tuple[str, str]:
    return (a, b) if a <= b else (b, a)
