"""Monte Carlo step labels: rollouts from prefixes, and binary search for the first error.

Sources: Math-Shepherd (hard estimation), OmegaPRM (binary search: a prefix with a right rollout has its
error later, one with none has it at or before its end).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from prm_scaling.annotate.record import Annotation, labels_until
from prm_scaling.chains.record import Chain
from prm_scaling.engines.interface import Extend, Policy, Sampling
from prm_scaling.seeds import seed_of

# Grades completed token sequences of chains: (chain, solution tokens, whether the policy ended it).
Grader = Callable[[Sequence[tuple[Chain, tuple[int, ...], bool]]], list[bool]]


@dataclass
class Bisection:
    """Binary search for the first error of one chain: steps before ``low`` are right, ``high`` is wrong."""

    low: int
    high: int
    probed: list[int] = field(default_factory=list)
    correct: list[int] = field(default_factory=list)

    @property
    def middle(self) -> int:
        """The step after which to roll out next."""
        return (self.low + self.high) // 2

    @property
    def done(self) -> bool:
        """Whether the first error is known to be step ``low``."""
        return self.low >= self.high

    def tell(self, correct: int, hopeful: bool) -> None:
        """Takes in that ``correct`` rollouts after ``middle`` were right, and whether that makes it ``hopeful``."""
        self.probed.append(self.middle)
        self.correct.append(correct)
        if hopeful:
            self.low = self.middle + 1
        else:
            self.high = self.middle


def annotate(
    chains: Sequence[Chain],
    policy: Policy,
    grade: Grader,
    rollouts: int,
    threshold: float,
    sampling: Sampling,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Annotation]:
    """First errors by binary search; each round advances every chain at once.

    A chain whose own answer is right has no error by this method (its last prefix has a right
    "rollout": itself). One whose answer is wrong has its last step wrong at the latest.

    Args:
        rollouts: k completions per probed prefix.
        threshold: a prefix is right if more than this share of its rollouts is.
        sampling: of the rollouts, to the end of the text.
    """
    answered = grade([(c, c.tokens, c.finished) for c in chains])
    searches = {
        c.id: Bisection(0, len(c.ends) - 1) for c, right in zip(chains, answered, strict=True) if not right and c.ends
    }
    by_id = {c.id: c for c in chains}
    while live := [i for i, s in searches.items() if not s.done]:
        progress(len(searches) - len(live), len(searches))
        asked = [(by_id[i], searches[i].middle) for i in live]
        counts = _right_rollouts(asked, policy, grade, rollouts, sampling, seed)
        for i, count in zip(live, counts, strict=True):
            searches[i].tell(count, count / rollouts > threshold)
    result = []
    for chain in chains:
        if not chain.ends:
            result.append(Annotation(chain.id, "monte_carlo", None, (), rollouts, seed=seed))
            continue
        search = searches.get(chain.id)
        first_error = -1 if search is None else search.low
        probed, correct = ((), ()) if search is None else (tuple(search.probed), tuple(search.correct))
        labels = labels_until(first_error, len(chain.ends))
        result.append(Annotation(chain.id, "monte_carlo", first_error, labels, rollouts, probed, correct, seed))
    return result


def _right_rollouts(
    asked: list[tuple[Chain, int]], policy: Policy, grade: Grader, rollouts: int, sampling: Sampling, seed: int
) -> list[int]:
    """How many of ``rollouts`` completions after each (chain, step) are right."""
    requests = [
        Extend(
            chain.prompt + chain.tokens[: chain.ends[step]], sampling, seed_of(seed, chain.id, step, j), chain.problem
        )
        for chain, step in asked
        for j in range(rollouts)
    ]
    extensions = policy.extend(requests)
    owners = [(chain, step) for chain, step in asked for _ in range(rollouts)]
    right = grade(
        [
            (chain, chain.tokens[: chain.ends[step]] + e.tokens, e.finish == "end")
            for (chain, step), e in zip(owners, extensions, strict=True)
        ]
    )
    return [sum(right[i * rollouts : (i + 1) * rollouts]) for i in range(len(asked))]
