"""Whether an answer is right, and which answers are the same: one grader for all phases."""

import logging
from collections.abc import Sequence

from prm_scaling.problems.code_tests import Suite, parse_suite
from prm_scaling.problems.record import Problem
from prm_scaling.verify.behaviour import behaviour
from prm_scaling.verify.equivalence import Comparer, Comparison
from prm_scaling.verify.programs import judge
from prm_scaling.verify.sandbox import Sandbox

logger = logging.getLogger(__name__)


def equivalent_pairs(pairs: Sequence[tuple[str, str]], workers: int) -> list[Comparison]:
    """Whether the two mathematical answers of each pair are equal; ``workers`` processes compare."""
    with Comparer(workers) as comparer:
        return comparer.compare(pairs)


def grade(problems: Sequence[Problem], answers: Sequence[str | None], sandbox: Sandbox, workers: int = 1) -> list[bool]:
    """Whether each answer is right for the problem beside it. No answer is never right.

    Mathematical answers are right if they are equivalent to the reference, programs if they pass every hidden test,
    words if they are the reference: ``gray`` is not ``gary``.

    Args:
        problems: one an answer.
        answers: what the chains state.
        sandbox: where programs run.
        workers: processes that compare mathematical answers; none is started for plain numbers.
    """
    right = [False] * len(answers)
    code, math = [], []
    for i, (problem, answer) in enumerate(zip(problems, answers, strict=True)):
        if answer is None:
            continue
        if problem.domain == "code":
            code.append(i)
        elif problem.domain == "math":
            math.append(i)
        else:
            right[i] = answer == problem.reference
    with Comparer(workers) as comparer:
        pairs = [(problems[i].reference, answers[i] or "") for i in math]
        for i, comparison in zip(math, comparer.compare(pairs), strict=True):
            right[i] = comparison.equal
        _report(comparer)
    suites = _suites([problems[i].reference for i in code])
    for i, verdict in zip(code, judge([answers[i] or "" for i in code], suites, sandbox), strict=True):
        right[i] = verdict.outcome == "passed"
    return right


def classes(
    problems: Sequence[Problem], answers: Sequence[str | None], sandbox: Sandbox, workers: int = 1
) -> list[str | None]:
    """A name for the equivalence class of each answer, for voting; ``None`` has no class.

    Programs are alike if they give the same outputs on the problem's public inputs (AlphaCode's clustering; paper A
    gives no rule for code). Other answers are alike if they are equivalent, and the class is named after the first
    of them that the problem has. An answer joins the first class whose name it is equivalent to, so classes are
    disjoint also where math-verify is not transitive. Of a reference only how a program is called is used.

    Args:
        problems: one an answer.
        answers: what the chains state.
        sandbox: where programs run.
        workers: processes that compare mathematical answers; none is started for plain numbers.
    """
    names = list(answers)
    code = [i for i, answer in enumerate(answers) if answer is not None and problems[i].domain == "code"]
    suites = _suites([problems[i].reference for i in code])
    inputs = [problems[i].public_inputs for i in code]
    for i, name in zip(code, behaviour([answers[i] or "" for i in code], suites, inputs, sandbox), strict=True):
        names[i] = name
    said: dict[str, dict[str, None]] = {}
    for problem, answer in zip(problems, answers, strict=True):
        if answer is not None and problem.domain == "math":
            said.setdefault(problem.id, {})[answer] = None
    heads = _heads({problem: list(answers) for problem, answers in said.items()}, workers)
    for i, (problem, answer) in enumerate(zip(problems, answers, strict=True)):
        if answer is not None and problem.domain == "math":
            names[i] = heads[problem.id, answer]
    return names


def _suites(references: list[str]) -> list[Suite]:
    """The suite that each reference is; equal ones are read once."""
    read = {reference: parse_suite(reference) for reference in dict.fromkeys(references)}
    return [read[reference] for reference in references]


def _heads(said: dict[str, list[str]], workers: int) -> dict[tuple[str, str], str]:
    """The first equivalent one of the different answers that each problem has.

    One class a problem is settled at a time, for all problems together, so that the workers have enough to do.
    """
    found: dict[tuple[str, str], str] = {}
    with Comparer(workers) as comparer:
        while said:
            pairs = [(problem, answers[0], answer) for problem, answers in said.items() for answer in answers]
            results = comparer.compare([(head, answer) for _, head, answer in pairs])
            said = {}
            for (problem, head, answer), comparison in zip(pairs, results, strict=True):
                if comparison.equal:
                    found[problem, answer] = head
                else:
                    said.setdefault(problem, []).append(answer)
        _report(comparer)
    return found


def _report(comparer: Comparer) -> None:
    if comparer.undecided:
        logger.warning("%d pairs of answers were cut off by a limit: counted as not equal", comparer.undecided)
