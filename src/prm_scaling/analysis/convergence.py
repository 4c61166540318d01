"""How fast the majority vote settles, against the bound of Wu et al. (arXiv 2408.00724, Theorem 1).

With n independent samples the vote differs from its limit, the likeliest answer, with probability at most
|A| exp(-n delta**2 / 2): |A| answers, delta the likeliest answer's probability less that of the next. A problem's
distribution of answers is that of its pool, from which samples are drawn independently and put back.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from prm_scaling.analysis.accuracy import Pool
from prm_scaling.analysis.figures import Intervals
from prm_scaling.seeds import stream

DRAWS = 400
BUDGETS = tuple(2**k for k in range(11))
COLUMNS = ["domain", "series", "n", "value", "low", "high", "problems", "tied"]


@dataclass(frozen=True)
class Votes:
    """A problem's distribution of answers, the likeliest first.

    Attributes:
        shares: of each answer among all samples; those without an answer do not vote, but were drawn.
        silent: the share of samples without an answer.
    """

    shares: tuple[float, ...]
    silent: float

    @classmethod
    def of(cls, answers: Sequence[str | None]) -> "Votes":
        """The distribution of a pool's answers."""
        found = Counter(a for a in answers if a is not None)
        shares = tuple(sorted((count / len(answers) for count in found.values()), reverse=True))
        return cls(shares, 1.0 - sum(shares))

    @property
    def delta(self) -> float:
        """The margin of the likeliest answer; 0 where it has an equal, or where there is none: then no limit exists."""
        first, second = (*self.shares, 0.0, 0.0)[:2]
        return first - second

    def bound(self, n: int) -> float:
        """Of the probability that n samples vote for another answer than the likeliest; 1 at the most."""
        return float(min(1.0, len(self.shares) * np.exp(-n * self.delta**2 / 2.0)))

    def error(self, n: int, rng: np.random.Generator) -> float:
        """That probability, estimated by :data:`DRAWS` votes; ties are broken at random, no vote is wrong."""
        chances = np.array([*self.shares, max(self.silent, 0.0)])
        drawn = rng.multinomial(n, chances / chances.sum(), size=DRAWS)[:, :-1]
        most = drawn.max(axis=1)
        right = (drawn[:, 0] == most) / (drawn == most[:, None]).sum(axis=1)
        return float(1.0 - np.where(most > 0, right, 0.0).mean())


@dataclass(frozen=True)
class Convergence:
    """Measured errors and bounds, (budgets, problems) for :data:`BUDGETS`, of the problems that have a limit."""

    error: np.ndarray
    bound: np.ndarray
    tied: float


def convergence(pools: Sequence[Pool], seed: int) -> Convergence:
    """Of the problems of one pool of samples; ``tied`` is the share of problems without a likeliest answer."""
    votes = [(pool.problem, Votes.of(pool.answers)) for pool in pools]
    clear = [(problem, v) for problem, v in votes if v.delta > 0]
    error = [[v.error(n, stream(seed, "votes", problem, n)) for problem, v in clear] for n in BUDGETS]
    bound = [[v.bound(n) for _, v in clear] for n in BUDGETS]
    return Convergence(np.array(error), np.array(bound), 1.0 - len(clear) / max(len(votes), 1))


def convergence_table(domain: str, found: Convergence, intervals: Intervals) -> pd.DataFrame:
    """The mean error and the mean bound over problems at each n; no row where no problem has a limit."""
    rows = []
    for series in ("error", "bound") if found.error.size else ():
        for n, values in zip(BUDGETS, getattr(found, series), strict=True):
            mean = intervals.of(values)
            rows.append((domain, series, n, mean["accuracy"], mean["low"], mean["high"], len(values), found.tied))
    return pd.DataFrame(rows, columns=COLUMNS)
