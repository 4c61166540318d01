"""Solutions with their verdicts: the only place where references meet what was searched."""

from collections.abc import Sequence
from dataclasses import dataclass

from prm_scaling.chains.answers import extract_answer
from prm_scaling.chains.record import Chain
from prm_scaling.chains.steps import Steps
from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.truth import truth_of
from prm_scaling.search.record import Candidate
from prm_scaling.verify.answers import classes, grade
from prm_scaling.verify.sandbox import Sandbox


@dataclass(frozen=True)
class Graded:
    """A chain of a pool and all that is known of it.

    Attributes:
        pool: ``<policy>-<domain>``, or the name of a set of chains.
        chain: the chain's id.
        dataset: its problem's data set.
        problem: its problem's id.
        sample: its number among the problem's samples.
        answer: the class of its answer, for voting; ``None`` without an answer.
        right: whether the answer is right.
        finished: whether the policy ended it.
        on_track: per step, the truth; empty where it is not known.
        first_error: the first error that is not taken back, -1 if none, ``None`` where not known.
        corrections: per step, whether it is marked as a self-correction.
        sandbox: the mode in which its program ran, ``None`` where the answer is no program.
    """

    pool: str
    chain: str
    dataset: str
    problem: str
    sample: int
    answer: str | None
    right: bool
    finished: bool
    on_track: tuple[bool, ...]
    first_error: int | None
    corrections: tuple[bool, ...]
    sandbox: str | None


def grade_chains(
    pool: str, chains: Sequence[Chain], problems: dict[str, Problem], steps: Steps, sandbox: Sandbox, workers: int = 1
) -> list[Graded]:
    """Verdict, answer class and, for embedded problems, step truth of every chain."""
    owners = [problems[c.problem] for c in chains]
    answers = [extract_answer(p.question, c.text, c.finished) for p, c in zip(owners, chains, strict=True)]
    named = classes(owners, answers, sandbox, workers)
    verdicts = grade(owners, answers, sandbox, workers)
    result = []
    for chain, problem, answer, name, right in zip(chains, owners, answers, named, verdicts, strict=True):
        truth = truth_of(problem, steps.of_chain(chain)) if problem.derivation else None
        result.append(
            Graded(
                pool=pool,
                chain=chain.id,
                dataset=problem.dataset,
                problem=problem.id,
                sample=int(chain.id.rsplit("/", 1)[1]),
                answer=name,
                right=right,
                finished=chain.finished,
                on_track=truth.on_track if truth else (),
                first_error=truth.first_error if truth else None,
                corrections=truth.corrections if truth else (),
                sandbox=sandbox.mode if problem.domain == "code" and answer is not None else None,
            )
        )
    return result


def grade_candidates(
    candidates: Sequence[Candidate], problems: dict[str, Problem], sandbox: Sandbox, workers: int = 1
) -> list[tuple[Candidate, bool, str | None]]:
    """Each candidate of a tree search with its verdict and its answer's class."""
    owners = [problems[c.problem] for c in candidates]
    answers = [extract_answer(p.question, c.text, c.whole) for p, c in zip(owners, candidates, strict=True)]
    named = classes(owners, answers, sandbox, workers)
    return list(zip(candidates, grade(owners, answers, sandbox, workers), named, strict=True))
