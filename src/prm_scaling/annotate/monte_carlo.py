"""Monte Carlo step labels: rollouts from prefixes, by binary search for the first error or after every step.

Sources: Math-Shepherd (hard estimation), OmegaPRM (binary search: a prefix with a right rollout has its
error later, one with none has it at or before its end). `annotate/tree.py` has OmegaPRM's tree.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from prm_scaling.annotate.record import Annotation, labels_until
from prm_scaling.annotate.rollouts import Completer
from prm_scaling.chains.record import Chain

NAME = "monte_carlo"


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


def binary(
    chains: Sequence[Chain],
    completer: Completer,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Annotation]:
    """First errors by binary search; each round advances every chain at once.

    A chain whose own answer is right has no error by this method (its last prefix has a right
    "rollout": itself). One whose answer is wrong has its last step wrong at the latest.
    """
    answered = completer.answers(chains)
    searches = {
        c.id: Bisection(0, len(c.ends) - 1) for c, right in zip(chains, answered, strict=True) if not right and c.ends
    }
    by_id = {c.id: c for c in chains}
    while live := [i for i, s in searches.items() if not s.done]:
        progress(len(searches) - len(live), len(searches))
        counts = completer.count([(by_id[i], searches[i].middle) for i in live])
        for i, count in zip(live, counts, strict=True):
            searches[i].tell(count, completer.hopeful(count))
    # What no search looks for has no error.
    right = Bisection(-1, -1)
    return [_annotation(c, searches.get(c.id, right), completer) for c in chains]


def _annotation(chain: Chain, search: Bisection, completer: Completer) -> Annotation:
    if not chain.ends:
        return Annotation(chain.id, NAME, None, (), completer.rollouts, seed=completer.seed)
    return annotation(chain, search.low, search.probed, search.correct, completer)


def annotation(
    chain: Chain, first_error: int, probed: Sequence[int], correct: Sequence[int], completer: Completer
) -> Annotation:
    """The record of a chain with steps."""
    labels = labels_until(first_error, len(chain.ends))
    counts = (completer.rollouts, tuple(probed), tuple(correct), completer.seed)
    return Annotation(chain.id, NAME, first_error, labels, *counts)


def full(
    chains: Sequence[Chain],
    completer: Completer,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Annotation]:
    """Rollouts after every step of every chain, whatever its answer; a round does the next step of all chains.

    The first step that is not hopeful is the first error. The last step needs no rollout: all completions of a whole
    chain are itself, k right ones or none (an unfinished chain is never right).
    """
    able = [c for c in chains if c.ends]
    counts: dict[str, list[int]] = {c.id: [] for c in able}
    longest = max((len(c.ends) for c in able), default=0)
    for step in range(longest - 1):
        progress(step, longest - 1)
        live = [c for c in able if step + 1 < len(c.ends)]
        for chain, count in zip(live, completer.count([(c, step) for c in live]), strict=True):
            counts[chain.id].append(count)
    for chain, right in zip(able, completer.answers(able), strict=True):
        counts[chain.id].append(completer.rollouts if right else 0)
    result = []
    for chain in chains:
        found = counts.get(chain.id)
        if found is None:
            result.append(Annotation(chain.id, NAME, None, (), completer.rollouts, seed=completer.seed))
            continue
        first = next((step for step, count in enumerate(found) if not completer.hopeful(count)), -1)
        result.append(annotation(chain, first, range(len(found)), found, completer))
    return result
