"""MATH: competition problems whose worked solutions box their answer."""

import re

from prm_scaling.chains.answers import last_boxed
from prm_scaling.problems.datasets.fields import shown, text, value_of
from prm_scaling.problems.datasets.record import DataSet, Entry, Malformed, Options, Record

# A few solutions box without braces: `\boxed 7`, `\boxed\frac12`.
BARE = re.compile(r"\\boxed\s+([^\s$]+)|\\fbox\{([^{}]*)\}")


def read(record: Record, options: Options) -> Entry:
    """A record of the original (``level``, ``type``) or of another spread with an ``answer`` and a ``subject``."""
    solution = text(record, "solution")
    answer = record.get("answer") or boxed(solution)
    if not isinstance(answer, str) or not answer.strip():
        raise Malformed("solution", f"boxes no answer: {shown(solution[-60:])}")
    subject = record.get("type") or record.get("subject") or ""
    return Entry(
        text(record, "problem"),
        answer.strip(),
        template=str(subject),
        difficulty=level(record),
    )


def boxed(solution: str) -> str:
    """The answer that a worked solution boxes last; empty if it boxes none."""
    answer = last_boxed(solution)
    if answer is not None:
        return answer
    bare = BARE.findall(solution)
    return bare[-1][0] or bare[-1][1] if bare else ""


def level(record: Record) -> int:
    """1 to 5, from a number or from ``Level N``; 0 for ``Level ?``, which a few records have."""
    value = value_of(record, "level")
    number = str(value).removeprefix("Level ").strip()
    if number == "?":
        return 0
    if isinstance(value, bool) or number not in {"1", "2", "3", "4", "5"}:
        raise Malformed("level", f"not a level from 1 to 5: {shown(value)}")
    return int(number)


DATASET = DataSet(
    domain="math",
    licence="MIT",
    citation="Hendrycks et al., Measuring Mathematical Problem Solving With the MATH Dataset, arXiv 2103.03874",
    hub="EleutherAI/hendrycks_math",
    revision="21a5633873b6a120296cce3e2df9d5550074f4a3",
    names=(
        "algebra",
        "counting_and_probability",
        "geometry",
        "intermediate_algebra",
        "number_theory",
        "prealgebra",
        "precalculus",
    ),
    read=read,
)
