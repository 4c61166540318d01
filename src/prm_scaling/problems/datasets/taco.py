"""TACO: programming contests, in the layout of APPS with a time limit a problem."""

import re

from prm_scaling.problems.datasets import programs
from prm_scaling.problems.datasets.fields import optional_text, parsed, text
from prm_scaling.problems.datasets.record import DataSet, Entry, Options, Record

DIFFICULTIES = ("EASY", "MEDIUM", "MEDIUM_HARD", "HARD", "VERY_HARD")
SECONDS = re.compile(r"(\d+(?:\.\d+)?)\s*(?:s\b|sec)", re.IGNORECASE)


def read(record: Record, options: Options) -> Entry:
    """A row; expected values of calls stand in lists of one where all of them do."""
    question, starter = text(record, "question"), optional_text(record, "starter_code")
    tests = parsed(record, "input_output")
    limit = SECONDS.search(optional_text(record, "time_limit"))
    seconds = float(limit[1]) if limit and float(limit[1]) > 0 else None
    reference, inputs = programs.from_input_output(tests, question, starter, "input_output", None, seconds)
    difficulty = optional_text(record, "difficulty")
    return Entry(
        f"{question.rstrip()}\n\n{starter.rstrip() or programs.STDIN_NOTE}",
        reference,
        inputs,
        template=optional_text(record, "source"),
        difficulty=DIFFICULTIES.index(difficulty) + 1 if difficulty in DIFFICULTIES else 0,
    )


DATASET = DataSet(
    domain="code",
    licence="Apache-2.0",
    citation="Li et al., TACO: Topics in Algorithmic COde generation dataset, arXiv 2312.14852",
    hub="BAAI/TACO",
    revision="d593ed0a2becbbc952230bb89be09189bf1056dc",
    files=("ALL/{split}-*.parquet",),
    read=read,
)
