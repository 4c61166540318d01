"""What a judge's critique says: a verdict a step, the first error; or why it says nothing that can be used.

Nothing is guessed: a critique that contradicts itself, refuses, breaks off or names a step that is not there is no
verdict, and each of these is counted apart.
"""

import re
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["verdict", "refusal", "contradiction", "out_of_range", "cut_off", "garbage"]

BOX = re.compile(r"\\boxed\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
# The number in a box, bare or as `paragraph_3`, `\text{Step 3}`, `$-1$`; the minus may be a sign of its own.
NUMBER = re.compile(
    r"(?:\\text\s*\{)?[\s$]*(?:paragraph|step)?[\s_#]*([-\u2212\u2013]?\s?\d{1,9})[\s$.]*\}?[\s$.]*", re.I
)
VERDICT = re.compile(
    r"\b(?:paragraph|step|verdict)[ _#]*(\d{1,9})[>\]*\s]*(?::|-|\bis\b|\bappears to be\b)[*\s]*"
    r"(correct|right|incorrect|wrong|not correct)\b(?![ ]*/)",
    re.IGNORECASE,
)
REFUSAL = re.compile(
    r"\b(?:i(?:'|\u2019)?m (?:sorry|unable|not able)"
    r"|i (?:can(?:'|\u2019)t|cannot|can not|won(?:'|\u2019)t|will not|am unable|am not able)"
    r"|as an ai\b|i apologi[sz]e|unable to (?:assist|help))",
    re.IGNORECASE,
)
# A refusal stands at the beginning: "I cannot find an error" at the end of a critique is none.
BEGINNING = 200
RIGHT_WORDS = {"correct", "right"}


@dataclass(frozen=True)
class Reading:
    """A critique as it was understood.

    Attributes:
        outcome: ``verdict``, or why there is none: ``refusal``, ``contradiction`` (its box and its verdicts on steps
            exclude each other), ``out_of_range`` (a step that the solution does not have), ``cut_off`` (at the limit of
            tokens), ``garbage``.
        first_error: 0-based, -1 for none; ``None`` without a verdict.
        right, wrong: the steps that it calls so, ascending; also where there is no verdict in the end.
    """

    outcome: Outcome
    first_error: int | None
    right: tuple[int, ...] = ()
    wrong: tuple[int, ...] = ()


def read_critique(text: str, steps: int, finished: bool) -> Reading:
    """What a critique of a solution with so many steps says.

    The last box with a number is the answer (ProcessBench's rule); boxes with other contents are formulas. Of two
    verdicts on a step the later counts: a critic may correct itself.

    Args:
        finished: whether the judge ended it, and not the limit of tokens.

    >>> read_critique("Paragraph 0: correct\\nParagraph 1: incorrect\\n\\\\boxed{1}", 3, True)
    Reading(outcome='verdict', first_error=1, right=(0,), wrong=(1,))
    >>> read_critique("I'm sorry, but I can't help with that.", 3, True).outcome
    'refusal'
    """
    said = {int(number): word.lower() in RIGHT_WORDS for number, word in VERDICT.findall(text)}
    right, wrong = (tuple(sorted(i for i, good in said.items() if good is which)) for which in (True, False))
    judged = (tuple(i for i in some if i < steps) for some in (right, wrong))
    outcome, first_error = _outcome(text, steps, finished, right, wrong)
    return Reading(outcome, first_error, *judged)


def _outcome(
    text: str, steps: int, finished: bool, right: tuple[int, ...], wrong: tuple[int, ...]
) -> tuple[Outcome, int | None]:
    boxed = _boxed(text)
    if boxed is None:
        if max((*right, *wrong), default=-1) >= steps:
            return "out_of_range", None
        if wrong:
            # What was judged before it must reach it: a verdict on a later step alone is half a critique.
            whole = right[: wrong[0]] == tuple(range(wrong[0]))
            return ("verdict", wrong[0]) if whole else ("cut_off" if not finished else "garbage", None)
        if right and right == tuple(range(steps)):
            return "verdict", -1
        if REFUSAL.search(text[:BEGINNING]) and not right:
            return "refusal", None
        return "garbage" if finished else "cut_off", None
    if not -1 <= boxed < steps or max((*right, *wrong), default=-1) >= steps:
        return "out_of_range", None
    if (wrong[0] if wrong else boxed) != boxed or boxed in right:
        return "contradiction", None
    return "verdict", boxed


def _boxed(text: str) -> int | None:
    """The number in the last box that has nothing else in it."""
    for content in reversed(BOX.findall(text)):
        if number := NUMBER.fullmatch(content):
            return int(re.sub(r"[\u2212\u2013-]\s?", "-", number[1]))
    return None
