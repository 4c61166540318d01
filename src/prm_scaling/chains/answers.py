"""The answer that a chain states."""

import ast
import re
import warnings
from functools import lru_cache
from itertools import islice

from prm_scaling.problems.record import Question

BOX = re.compile(r"\\(?:boxed|fbox)(?![a-zA-Z])\s*")
# What may stand between two boxes of one answer.
AND = re.compile(r"(?:\s|,|;|&|\$|\\quad|\\qquad|\\[,;! ]|\\text\s*\{\s*(?:,?\s*(?:and|or)|,)\s*\}|\band\b|\bor\b)*")
NEXT = re.compile(r"(?:\s|,|;|\band\b|\bor\b)*")
HASHES = re.compile(r"^####[ \t]*(\S[^\n]*?)\s*$", re.MULTILINE)
# PRM800K's solutions end with it.
HEADING = re.compile(r"^#{1,3}[ \t]*(?:final )?answer:?[ \t]*\n\s*(\S[^\n]*?)\s*$", re.MULTILINE | re.IGNORECASE)
PHRASE = re.compile(
    r"\b(?:(?:final|correct) )?answer(?:\*\*)?"
    r"(?:(?P<colon>\s*:)|(?:\s+(?:to|for|of|in)\b[^.:\n]{0,60})?\s+is\b\s*:?|(?=\s*(?:\$|\\\(|\\\[)))"
    r"(?:\*\*)?\s*",
    re.IGNORECASE,
)
MATH = re.compile(r"\$\$(.+?)\$\$|\$([^$]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
SENTENCE = re.compile(r"(?<!\b[a-zA-Z])[.!](?=\s|$)|\*\*(?=\s|$)|\n")
# What an answer after plain words begins with, unless it is a few words.
VALUE = re.compile(r"[-+\u2212]?[\d.$\u20ac\u00a3(\[{\\]|[-+\u2212]?[a-zA-Z]\b\s*(?:$|[=<>+\-*/^_)])")
WORDS = 3
# Characters of an answer in plain words.
LONGEST = 1000
# Words by which a sentence speaks of the answer instead of stating it.
ABOUT = frozenset(
    ["correct", "right", "wrong", "incorrect", "unique", "not", "as", "given", "obtained", "found", "the", "in", "then"]
)

FENCE = re.compile(r"^[ \t]*```[ \t]*([\w+#.-]*)[^\n`]*\n(.*?)(?:^[ \t]*```[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
PYTHON = {"", "python", "python3", "py"}
# Where the code of a question may begin, and how many of these places are tried.
CODE_LINE = re.compile(r"^(?:import |from |def |async def |class |@|[A-Z_]+ = )", re.MULTILINE)
MOST_LINES = 100


def extract_answer(question: Question, text: str, finished: bool) -> str | None:
    """The stated answer of a whole chain; ``None`` for an unfinished chain or one that states none.

    In this order: the last box, the last ``####``, a heading "Answer", the last "the answer is" or "Answer:". A number
    that only happens to be the last is no answer. For code the answer is the program.

    >>> extract_answer(Question("q", "math", ""), "6 + 6 = 12\\n#### 12", True)
    '12'
    >>> extract_answer(Question("q", "math", ""), "so \\\\boxed{\\\\frac{1}{2}}", True)
    '\\\\frac{1}{2}'
    >>> extract_answer(Question("q", "math", ""), "So the final answer is $x = 12$.", True)
    'x = 12'
    >>> extract_answer(Question("q", "math", ""), "6 + 6 = 12", True) is None
    True
    >>> extract_answer(Question("q", "math", ""), "#### 12", False) is None
    True
    """
    if not finished or not text.strip():
        return None
    if question.domain == "code":
        return program(question, text)
    return last_boxed(text) or _after_mark(text) or _after_words(text)


def last_boxed(text: str) -> str | None:
    """The contents of the last ``\\boxed{...}`` or ``\\fbox{...}`` with its nesting; ``None`` if it is not whole.

    Boxes with nothing but "and" between them are one answer: their contents, with commas between. A box without
    braces holds what follows up to white space.
    """
    boxes = list(BOX.finditer(text))
    said, start = [], None
    for found in reversed(boxes):
        inside = _inside(text, found.end())
        if inside is None:
            break  # if it is the last box, it was not finished
        content, end = inside
        if start is not None and (end > start or not AND.fullmatch(text, end, start)):
            break
        said.append(content)
        start = found.start()
    return ", ".join(reversed([content for content in said if content])) or None


def _inside(text: str, start: int) -> tuple[str, int] | None:
    """What a box that opens there holds, and where it ends."""
    if not text.startswith("{", start):
        bare = re.compile(r"[^\s$.,;{}\\]+(?:\.\d+)?").match(text, start)
        return (bare[0], bare.end()) if bare else None
    depth = 0
    for i in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return text[start + 1 : i].strip(), i + 1
    return None


def _after_mark(text: str) -> str | None:
    """The answer after the last ``####``, or under the last heading "Answer"."""
    stated = HASHES.findall(text) or HEADING.findall(text)
    return stated[-1] if stated else None


def _after_words(text: str) -> str | None:
    """The answer in the last sentence that says what the answer is."""
    for found in reversed(list(PHRASE.finditer(text))):
        said = text[found.end() : found.end() + LONGEST].lstrip("* \n")
        answer = _formulas(said) or _value(said)
        if answer is None and found["colon"]:
            # A sentence in the answer's place: what it says that something is, or else all of it.
            rest = said.rpartition(" is ")[2]
            answer = _formulas(rest) or _value(rest) or _sentence(said)
        if answer:
            return answer
    return None


def _sentence(text: str) -> str:
    end = SENTENCE.search(text)
    return (text[: end.start()] if end else text).strip().rstrip(".*").strip()


def _value(text: str) -> str | None:
    """The sentence, if it is a value or a few words that may be one."""
    said = _sentence(text)
    words = said.split()
    few = 0 < len(words) <= WORDS and words[0].casefold() not in ABOUT
    return said if said and (few or VALUE.match(said)) else None


def _formulas(text: str) -> str | None:
    """The formulas with which a text begins, several with "and" between them as one answer."""
    said, place = [], 0
    while math := MATH.match(text, place):
        said.append(next(group for group in math.groups() if group).strip())
        place = NEXT.match(text, math.end()).end()  # type: ignore[union-attr]
    return ", ".join(formula for formula in said if formula) or None


def program(question: Question, text: str) -> str | None:
    """The program that a chain writes: a block of code, a whole program, or what continues the question's signature.

    Of several fenced blocks the last that defines the function asked for, or else the last. A block that the end of
    the chain closes counts. What the question's own code has before the function (imports, helpers) comes before.
    """
    asked, before, entry = _asked(question.text)
    blocks = FENCE.findall(text)
    blocks = [block for language, block in blocks if language.casefold() in PYTHON] or [block for _, block in blocks]
    defines = re.compile(rf"^[ \t]*(?:async )?(?:def|class)[ \t]+{re.escape(entry)}\b", re.MULTILINE)
    if blocks:
        chosen = [block for block in blocks if entry and defines.search(block)] or blocks
        source = before + chosen[-1]
    elif entry and not defines.search(text):
        source = f"{asked}\n{text}\n"
    else:
        source = f"{before}{text}"
    return source if source.strip() else None


@lru_cache(maxsize=4096)
def _asked(text: str) -> tuple[str, str, str]:
    """The code that ends a question, the part of it before the function asked for, and the function's name.

    All three are empty where a question asks for a whole program.
    """
    for found in islice(CODE_LINE.finditer(text), MOST_LINES):
        code = text[found.start() :].rstrip("\n")
        for body in ("\n    pass\n", "\n        pass\n", " pass\n"):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of strange escapes: they are the question's matter
                    last = ast.parse(code + body).body[-1]
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            if isinstance(last, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                first = min([last.lineno, *(d.lineno for d in last.decorator_list)]) - 1
                before = "".join(line + "\n" for line in code.split("\n")[:first])
                return code, before, last.name
    return "", "", ""
