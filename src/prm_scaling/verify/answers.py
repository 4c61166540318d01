"""Whether an answer is right, and which answers are the same: one grader for all phases."""

import json
from collections.abc import Sequence
from functools import lru_cache

from math_verify import parse, verify

from prm_scaling.problems.record import Problem, Question
from prm_scaling.verify.sandbox import Limits, Program, run_programs

# What math-verify may take to read or compare answers, which may be towers of powers.
SECONDS = 5


@lru_cache(maxsize=65536)
def equivalent(a: str, b: str) -> bool:
    """Whether two mathematical answers are equal, by math-verify; symmetric by construction."""
    if a == b:
        return True
    x, y = parse(f"${a}$", parsing_timeout=SECONDS), parse(f"${b}$", parsing_timeout=SECONDS)
    return bool(verify(x, y, timeout_seconds=SECONDS) or verify(y, x, timeout_seconds=SECONDS))


def _same(domain: str, a: str, b: str) -> bool:
    """Whether two stated answers are the same; words are not products of letters (``gray`` is not ``gary``)."""
    return equivalent(a, b) if domain == "math" else a == b


def grade(problems: Sequence[Problem], answers: Sequence[str | None], limits: Limits) -> list[bool]:
    """Whether each answer is right for the problem beside it. No answer is never right."""
    right = [False] * len(answers)
    programs, owners = [], []
    for i, (problem, answer) in enumerate(zip(problems, answers, strict=True)):
        if answer is None:
            continue
        if problem.domain == "code":
            programs.append(Program(answer, tuple(json.dumps(args) for args, _ in json.loads(problem.reference))))
            owners.append(i)
        else:
            right[i] = _same(problem.domain, problem.reference, answer)
    for i, result in zip(owners, run_programs(programs, limits), strict=True):
        expected = [json.dumps(value) for _, value in json.loads(problems[i].reference)]
        right[i] = list(result.outputs) == expected
    return right


def classes(questions: Sequence[Question], answers: Sequence[str | None], limits: Limits) -> list[str | None]:
    """A name for the equivalence class of each answer, for voting; ``None`` has no class.

    Programs are alike if they give the same outputs on the problem's public inputs (AlphaCode's
    clustering; paper A gives no rule for code). Other answers are alike if they are equivalent, and the
    class is named after the first of them that the question has.
    """
    names: list[str | None] = [None] * len(answers)
    heads: dict[str, list[str]] = {}
    programs, owners = [], []
    for i, (question, answer) in enumerate(zip(questions, answers, strict=True)):
        if answer is None:
            continue
        if question.domain == "code":
            inputs = json.loads(question.public_inputs)
            programs.append(Program(answer, tuple(json.dumps(args) for args in inputs)))
            owners.append(i)
            continue
        known = heads.setdefault(question.id, [])
        name = next((head for head in known if _same(question.domain, head, answer)), None)
        if name is None:
            known.append(name := answer)
        names[i] = name
    for i, result in zip(owners, run_programs(programs, limits), strict=True):
        names[i] = json.dumps(result.outputs) if result.verdict == "ran" else None
    return names
