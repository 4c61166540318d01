"""An adaptive router: per problem it stops early, samples on, or searches a tree."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from prm_scaling.search.beam import beam
from prm_scaling.search.choose import Aggregation, aggregate
from prm_scaling.search.dvts import dvts
from prm_scaling.search.mcts import mcts
from prm_scaling.search.path import ROOT, Classify, Path, Rate, Searching, Solve
from prm_scaling.search.rebase import rebase
from prm_scaling.search.snell_beam import snell_beam
from prm_scaling.search.strategy import Parameters
from prm_scaling.strict import Count, Strict

TREES = {"beam": beam, "snell_beam": snell_beam, "dvts": dvts, "rebase": rebase, "mcts": mcts}

Choice = Literal["stop", "best_of_n", "tree"]


class Thresholds(Strict):
    """Where the router turns; chosen on validation problems by :func:`prm_scaling.analysis.routing.tune`.

    Attributes:
        agreement: it stops where at least this share of the first samples agrees (above 1: never) ...
        score: ... and the best of them is scored at least so.
        tree: it searches a tree where less than this share agrees (above 1: always), and samples on elsewhere.
    """

    agreement: Annotated[float, Field(ge=0)]
    score: float
    tree: Annotated[float, Field(ge=0)]


class Router(Parameters):
    """The router; paper A names one as future work, so all of it is this project's.

    Attributes:
        probe: the first samples, from which it decides.
        tree: the strategy that searches where it decides for a tree.
        aggregation: from a sample's rewards to its score.
        tokens: to be generated for a question at the most, where that is less than ``budget`` solutions.
        thresholds: ``None`` where they are still to be chosen on validation problems.
    """

    bound: ClassVar[str] = "probe"
    probe: Count
    tree: Literal["beam", "snell_beam", "dvts", "rebase", "mcts"]
    aggregation: Aggregation
    tokens: Count | None
    thresholds: Thresholds | None

    @property
    def needs(self) -> tuple[str, ...]:
        """The tree's parameters."""
        return (self.tree,)


@dataclass(frozen=True)
class Signs:
    """What the first samples tell of a problem: the share that agrees on one answer, and the best score."""

    agreement: float
    score: float

    def decide(self, thresholds: Thresholds) -> Choice:
        """Stop early, sample on, or search a tree."""
        if self.agreement >= thresholds.agreement and self.score >= thresholds.score:
            return "stop"
        return "tree" if self.agreement < thresholds.tree else "best_of_n"


def signs(answers: Sequence[str | None], rewards: Sequence[Sequence[float]], aggregation: str) -> Signs:
    """The signs of samples whose answer classes and step rewards are given; no answer agrees with nothing."""
    votes = Counter(a for a in answers if a is not None)
    scores = [aggregate(r, aggregation) for a, r in zip(answers, rewards, strict=True) if a is not None]
    return Signs(max(votes.values(), default=0) / len(answers), max(scores, default=float("-inf")))


def router(budget: int, params, max_steps: int) -> Searching:
    """Sample ``probe`` solutions; from their agreement and scores decide how to spend the rest of the budget.

    What is left is counted in solutions as long as the first ones: of ``budget`` solutions, and of ``tokens`` if given.
    A tree search starts at the root anew, with randomness of its own; the first samples stay candidates. Where the
    rest is too little for the tree, it goes into samples.
    """
    spec = params.router
    if spec.thresholds is None:
        raise ValueError("router.thresholds: none are given, and none were chosen on validation problems")
    probe = yield Solve((ROOT,) * spec.probe, tuple(range(spec.probe)))
    rated = yield Rate(tuple(probe))
    first = yield Classify(tuple(rated))
    left = _left(budget, spec, first)
    choice = signs([p.answer for p in first], [p.rewards for p in first], spec.aggregation).decide(spec.thresholds)
    if choice == "stop" or left == 0:
        return first
    tree = getattr(params, spec.tree).at_most(left)
    if choice == "tree" and tree:
        # No sample has the number ``budget``, so no path of the tree has the name of a sample.
        return first + (yield from TREES[spec.tree](tree, params, max_steps, root=Path((budget,))))
    more = yield Solve((ROOT,) * left, tuple(range(spec.probe, spec.probe + left)))
    return first + (yield Rate(tuple(more)))


def _left(budget: int, spec: Router, first: list[Path]) -> int:
    """The solutions that may still be sampled."""
    left = budget - spec.probe
    if spec.tokens is not None:
        spent = first[-1].spent
        left = min(left, int((spec.tokens - spent) * spec.probe / max(spent, 1)))
    return max(left, 0)
