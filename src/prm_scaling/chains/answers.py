"""The answer that a chain states."""

import re

from prm_scaling.problems.record import Question

HASHES = re.compile(r"^####[ \t]*(\S[^\n]*?)\s*$", re.MULTILINE)


def extract_answer(question: Question, text: str, finished: bool) -> str | None:
    """The stated answer of a whole chain; ``None`` for an unfinished chain or one that states none.

    For code the answer is the program: the problem's signature and the chain's lines.

    >>> extract_answer(Question("q", "math", ""), "6 + 6 = 12\\n#### 12", True)
    '12'
    >>> extract_answer(Question("q", "math", ""), "so \\\\boxed{\\\\frac{1}{2}}", True)
    '\\\\frac{1}{2}'
    >>> extract_answer(Question("q", "math", ""), "the answer is 12", True) is None
    True
    >>> extract_answer(Question("q", "math", ""), "#### 12", False) is None
    True
    """
    if not finished or not text.strip():
        return None
    if question.domain == "code":
        return program(question, text)
    boxed = last_boxed(text)
    if boxed:
        return boxed
    stated = HASHES.findall(text)
    return stated[-1] if stated else None


def program(question: Question, text: str) -> str:
    """The program that a chain writes: its code fence if it has one, else it continues the signature."""
    fence = re.findall(r"```(?:python)?\n(.*?)```", text, re.DOTALL)
    if fence:
        return fence[-1]
    signature = question.text.rstrip("\n").rsplit("\n", 1)[-1]
    return f"{signature}\n{text}\n"


def last_boxed(text: str) -> str | None:
    """The contents of the last ``\\boxed{...}`` with its nesting; ``None`` if there is no whole one."""
    start = text.rfind("\\boxed{")
    if start < 0:
        return None
    depth = 0
    for i in range(start + 6, len(text)):
        depth += {"{": 1, "}": -1}.get(text[i], 0)
        if depth == 0:
            return text[start + 7 : i].strip()
    return None
