"""Step metrics of a PRM over many bootstrap samples of problems at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from prm_scaling.analysis.graded import Graded
from prm_scaling.search.record import Rewards

EDGE = 1e-7  # rewards are kept so far away from 0 and 1 before their logarithm is taken


@dataclass(frozen=True)
class RatedSteps:
    """The steps of a pool as a PRM rates them.

    Attributes:
        problems: how many there are.
        problem: (steps,) the index of each step's problem.
        right: (steps,) the truth.
        reward: (steps,) the PRM's.
    """

    problems: int
    problem: np.ndarray
    right: np.ndarray
    reward: np.ndarray

    @classmethod
    def of(cls, rewards: Sequence[Rewards], graded: Mapping[str, Graded], problems: Sequence[str]) -> "RatedSteps":
        """The steps of these chains; ``ValueError`` where a chain has another number of rewards than of steps."""
        place = {name: i for i, name in enumerate(problems)}
        owners: list[int] = []
        right: list[bool] = []
        values: list[float] = []
        for r in rewards:
            truth = graded[r.chain].on_track
            if len(truth) != len(r.rewards):
                raise ValueError(
                    f"chain {r.chain} of {r.pool} has {len(truth)} steps and {len(r.rewards)} rewards; score it again"
                )
            owners += [place[graded[r.chain].problem]] * len(truth)
            right += truth
            values += r.rewards
        return cls(
            len(problems), np.array(owners, dtype=int), np.array(right, dtype=bool), np.array(values, dtype=float)
        )

    def auc(self, weights: np.ndarray) -> np.ndarray:
        """(resamples,) area under the ROC over all steps, ties counted half; NaN where one class is empty.

        Args:
            weights: (resamples, problems) how often each problem counts.
        """
        _, place = np.unique(self.reward, return_inverse=True)
        at = [weights @ self._by_problem(place, chosen) for chosen in (self.right, ~self.right)]
        below = np.cumsum(at[1], axis=1) - at[1] / 2
        with np.errstate(invalid="ignore"):
            return (at[0] * below).sum(axis=1) / (at[0].sum(axis=1) * at[1].sum(axis=1))

    def loss(self, weights: np.ndarray) -> np.ndarray:
        """(resamples,) mean binary cross-entropy over all steps, in nats."""
        given = np.clip(np.where(self.right, self.reward, 1.0 - self.reward), EDGE, 1.0)
        sums = np.bincount(self.problem, -np.log(given), minlength=self.problems)
        steps = np.bincount(self.problem, minlength=self.problems)
        with np.errstate(invalid="ignore"):
            return (weights @ sums) / (weights @ steps)

    def _by_problem(self, place: np.ndarray, chosen: np.ndarray) -> csr_array:
        """(problems, distinct rewards) how many of the chosen steps each problem has at each reward."""
        ones = np.ones(int(chosen.sum()))
        return csr_array((ones, (self.problem[chosen], place[chosen])), shape=(self.problems, int(place.max()) + 1))
