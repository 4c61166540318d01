"""APPS: programs from codeforces, codewars, leetcode and others, tested by calls or by standard input."""

import json
from pathlib import Path

from prm_scaling.problems.datasets import programs
from prm_scaling.problems.datasets.fields import optional_text, parsed, text
from prm_scaling.problems.datasets.record import DataSet, Entry, Malformed, Options, Record

DIFFICULTIES = ("introductory", "interview", "competition")


def read(record: Record, options: Options) -> Entry:
    """A row; ``input_output`` is JSON, and where it has ``fn_name`` the tests are calls."""
    question, starter = text(record, "question"), optional_text(record, "starter_code")
    url = optional_text(record, "url")
    # Codewars' expected values stand in lists of one, the others' as they are.
    wrapped = "codewars.com" in url if url else None
    tests = parsed(record, "input_output")
    reference, inputs = programs.from_input_output(tests, question, starter, "input_output", wrapped, None)
    difficulty = optional_text(record, "difficulty")
    return Entry(
        f"{question.rstrip()}\n\n{starter.rstrip() or programs.STDIN_NOTE}",
        reference,
        inputs,
        template="calls" if "fn_name" in tests else "stdin",
        difficulty=DIFFICULTIES.index(difficulty) + 1 if difficulty in DIFFICULTIES else 0,
    )


def folder(path: Path) -> Record:
    """The row of a problem's folder, as the authors spread the set."""
    record: Record = {"problem_id": path.name}
    names = {"question": "question.txt", "input_output": "input_output.json", "starter_code": "starter_code.py"}
    for field, name in names.items():
        if (path / name).is_file():
            record[field] = (path / name).read_text(encoding="utf-8", errors="replace")
    if (path / "metadata.json").is_file():
        try:
            record |= json.loads((path / "metadata.json").read_text(encoding="utf-8"))
        except (ValueError, TypeError) as error:
            raise Malformed("metadata.json", f"not a JSON object ({error})") from None
    return record


DATASET = DataSet(
    domain="code",
    licence="MIT",
    citation="Hendrycks et al., Measuring Coding Challenge Competence With APPS, arXiv 2105.09938",
    hub="codeparrot/apps",
    revision="21e74ddf8de1a21436da12e3e653065c5213e9d1",
    files=("{split}.jsonl",),
    folder=folder,
    read=read,
)
