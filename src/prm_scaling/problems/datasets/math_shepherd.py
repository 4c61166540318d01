"""Math-Shepherd: steps labelled by Monte Carlo rollouts (hard estimation), + right and - wrong."""

import re

from prm_scaling.problems.datasets.fields import optional_text, shown, text
from prm_scaling.problems.datasets.record import DataSet, Entry, Malformed, Options, RatedSteps, Record
from prm_scaling.problems.datasets.tagged import TAG, split_steps

FIRST_STEP = re.compile(r"\s*Step 1:")


def read(record: Record, options: Options) -> Entry:
    """``input`` and ``label`` are the same text, but where the one has the tag the other has + or -."""
    tagged, labelled = text(record, "input"), text(record, "label")
    starts = list(FIRST_STEP.finditer(tagged, 0, tagged.index(TAG))) if TAG in tagged else []
    if not starts:
        raise Malformed("input", f"has no `Step 1:` before the first tag {TAG}: {shown(tagged)}")
    question, solution = tagged[: starts[-1].start()], tagged[starts[-1].start() :]
    if not question.strip():
        raise Malformed("input", "has no question before its steps")
    steps = split_steps(solution, "input")
    source = optional_text(record, "task")
    return Entry(
        question.strip(),
        template=source,
        solutions=(RatedSteps(steps, signs(tagged, labelled), source, finished="The answer is" in steps[-1]),),
    )


def signs(tagged: str, labelled: str) -> tuple[int, ...]:
    """The rating of each step, read where its tag is."""
    ratings: list[int] = []
    place = 0
    *pieces, rest = tagged.split(TAG)
    for piece in pieces:
        place += len(piece)
        sign = labelled[place : place + 1]
        if labelled[place - len(piece) : place] != piece or sign not in ("+", "-"):
            raise Malformed("label", f"differs from `input` before or at tag {len(ratings) + 1}")
        ratings.append(1 if sign == "+" else -1)
        place += 1
    if labelled[place:].strip() != rest.strip():
        raise Malformed("label", "differs from `input` after the last tag")
    return tuple(ratings)


DATASET = DataSet(
    domain="math",
    licence="MIT",
    citation="Wang et al., Math-Shepherd: Verify and Reinforce LLMs Step-by-step without Human Annotations, "
    "arXiv 2312.08935",
    hub="peiyi9979/Math-Shepherd",
    revision="c6042b88f2050c0ff35587de21185a8476176a2a",
    files=("math-shepherd.jsonl",),
    labelled=True,
    read=read,
)
