"""Whether an answer is right, and which answers are the same: one grader for all phases."""

from collections.abc import Sequence
from functools import lru_cache

from math_verify import parse, verify

from prm_scaling.problems.code_tests import parse_suite
from prm_scaling.problems.record import Problem
from prm_scaling.verify.programs import behaviour, judge
from prm_scaling.verify.sandbox import Sandbox

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


def grade(problems: Sequence[Problem], answers: Sequence[str | None], sandbox: Sandbox) -> list[bool]:
    """Whether each answer is right for the problem beside it. No answer is never right."""
    right = [False] * len(answers)
    programs, suites, owners = [], [], []
    for i, (problem, answer) in enumerate(zip(problems, answers, strict=True)):
        if answer is None:
            continue
        if problem.domain == "code":
            programs.append(answer)
            suites.append(_suite(problem.reference))
            owners.append(i)
        else:
            right[i] = _same(problem.domain, problem.reference, answer)
    for i, verdict in zip(owners, judge(programs, suites, sandbox), strict=True):
        right[i] = verdict.passed
    return right


_suite = lru_cache(maxsize=4096)(parse_suite)


def classes(problems: Sequence[Problem], answers: Sequence[str | None], sandbox: Sandbox) -> list[str | None]:
    """A name for the equivalence class of each answer, for voting; ``None`` has no class.

    Programs are alike if they give the same outputs on the problem's public inputs (AlphaCode's
    clustering; paper A gives no rule for code). Other answers are alike if they are equivalent, and the
    class is named after the first of them that the problem has.
    """
    names: list[str | None] = [None] * len(answers)
    heads: dict[str, list[str]] = {}
    programs, suites, inputs, owners = [], [], [], []
    for i, (problem, answer) in enumerate(zip(problems, answers, strict=True)):
        if answer is None:
            continue
        if problem.domain == "code":
            programs.append(answer)
            suites.append(_suite(problem.reference))
            inputs.append(problem.public_inputs)
            owners.append(i)
            continue
        known = heads.setdefault(problem.id, [])
        name = next((head for head in known if _same(problem.domain, head, answer)), None)
        if name is None:
            known.append(name := answer)
        names[i] = name
    for i, name in zip(owners, behaviour(programs, suites, inputs, sandbox), strict=True):
        names[i] = name
    return names
