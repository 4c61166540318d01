"""The accuracy of every way to choose an answer, per problem: what all figures and claims are made of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from prm_scaling.analysis.estimators import best_of, majority, pass_at, weighted_vote
from prm_scaling.analysis.graded import Graded
from prm_scaling.search.choose import aggregate, vote_weight
from prm_scaling.search.record import Rewards
from prm_scaling.seeds import seed_of


@dataclass(frozen=True)
class Accuracy:
    """The expected correctness of one way to choose, on one problem.

    Attributes:
        method: ``pass``, ``majority``, ``best_of_n``, ``weighted``, or a tree strategy.
        prm: ``<training set>-<size>`` of the PRM, empty for methods without one.
        seed: of the PRM.
        step: of the PRM's training, where its checkpoints are compared; else 0.
        pool: where the solutions come from.
        dataset: the problem's data set.
        problem: its id.
        n: samples, or the budget of a tree search.
        value: between 0 and 1.
    """

    method: str
    prm: str
    seed: int
    step: int
    pool: str
    dataset: str
    problem: str
    n: int
    value: float


@dataclass(frozen=True)
class Pool:
    """One problem's samples: verdicts, answer classes, and the order of their chains."""

    name: str
    dataset: str
    problem: str
    chains: tuple[str, ...]
    right: np.ndarray
    answers: tuple[str | None, ...]


def pools_of(graded: Sequence[Graded]) -> list[Pool]:
    """The samples by problem, in order."""
    by_problem: dict[tuple[str, str], list[Graded]] = {}
    for g in graded:
        by_problem.setdefault((g.pool, g.problem), []).append(g)
    return [
        Pool(
            name,
            rows[0].dataset,
            problem,
            tuple(g.chain for g in rows),
            np.array([g.right for g in rows]),
            tuple(g.answer for g in rows),
        )
        for (name, problem), rows in by_problem.items()
    ]


def budgets(size: int) -> list[int]:
    """The powers of two up to a pool's size."""
    return [2**k for k in range(size.bit_length()) if 2**k <= size]


def without_prm(pools: Sequence[Pool]) -> Iterable[Accuracy]:
    """Pass@n and majority@n for every budget that the pool allows."""
    for pool in pools:
        voted = majority(pool.right, pool.answers)
        for n in budgets(len(pool.right)):
            key = ("", 0, 0, pool.name, pool.dataset, pool.problem, n)
            yield Accuracy("pass", *key, pass_at(pool.right, n))
            yield Accuracy("majority", *key, float(voted[n - 1]))


def with_prm(
    pools: Sequence[Pool], prm: str, rewards: Sequence[Rewards], how: str, checkpoints: bool
) -> Iterable[Accuracy]:
    """Best-of-n and weighted vote by a PRM for every budget that its scored samples allow.

    Args:
        prm: ``<training set>-<size>-s<seed>``.
        rewards: its rewards; a pool may have been scored on its first samples only.
        how: the aggregation of step rewards.
        checkpoints: whether the rewards are those of several checkpoints, told apart by their step.
    """
    name, seed = prm.rsplit("-s", 1)
    scores = {(r.step, r.pool, r.chain): (aggregate(r.rewards, how), vote_weight(r.rewards, how)) for r in rewards}
    for step in sorted({r.step for r in rewards}):
        for pool in pools:
            rated = [scores.get((step, pool.name, chain)) for chain in pool.chains]
            count = sum(value is not None for value in rated)
            if not count:
                continue
            if None in rated[:count]:
                raise ValueError(f"{prm} rated some samples of {pool.problem} in {pool.name}, but not the first ones")
            values, weights = np.array([v for v in rated if v is not None]).T
            right, answers = pool.right[:count], pool.answers[:count]
            answered = np.array([a is not None for a in answers])
            for n in budgets(count):
                key = (name, int(seed), step if checkpoints else 0, pool.name, pool.dataset, pool.problem, n)
                yield Accuracy("best_of_n", *key, best_of(right, np.where(answered, values, -np.inf), n))
                if not checkpoints:
                    voted = weighted_vote(right, answers, weights, n, seed_of(pool.problem))
                    yield Accuracy("weighted", *key, voted.value)


def frame(rows: Iterable[Accuracy]) -> pd.DataFrame:
    """The rows as a table."""
    return pd.DataFrame([vars(row) for row in rows])


def matrix(table: pd.DataFrame) -> np.ndarray:
    """(seeds, problems) of the values of one method at one budget; a method without seeds has one row."""
    return table.pivot(index="seed", columns="problem", values="value").to_numpy()
