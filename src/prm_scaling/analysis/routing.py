"""The router's thresholds, chosen on validation problems, and the router beside fixed strategies of equal cost."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import cast

import numpy as np
import pandas as pd

from prm_scaling.analysis.accuracy import matrix
from prm_scaling.analysis.estimators import bootstrap
from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.trees import Graded, correctness
from prm_scaling.search.router import Choice, Router, Signs, Thresholds, signs

# Of the scores seen on validation problems, those that are tried as a threshold.
QUANTILES = np.linspace(0.0, 1.0, 11)
# More than all samples cannot agree: a threshold above every agreement.
ABOVE = 1.01
# Of the comparison at equal cost.
COLUMNS = ["budget", "cost", "strategy", "accuracy", "other", "difference", "low", "high"]


@dataclass(frozen=True)
class Trial:
    """A validation problem: the signs of its first samples, and what would come of each choice.

    Attributes:
        right: the expected correctness of the answer.
        tokens: generated in all, the first samples' among them.
    """

    signs: Signs
    right: Mapping[Choice, float]
    tokens: Mapping[Choice, float]


def trial(
    samples: Sequence[Graded], sample_tokens: Sequence[int], tree: Sequence[Graded], tree_tokens: int, spec: Router
) -> Trial:
    """What is known of a validation problem on which all three choices were tried.

    Args:
        samples: as many as the budget, the router's first ones first.
        sample_tokens: how long each is.
        tree: the candidates of the tree search with the rest of the budget.
        tree_tokens: what that search generated.
        spec: how the router decides and answers.
    """
    first = samples[: spec.probe]
    spent = sum(sample_tokens[: spec.probe])
    found = {"stop": first, "best_of_n": samples, "tree": [*first, *tree]}
    right = {choice: correctness(graded, spec.answer, spec.aggregation) for choice, graded in found.items()}
    seen = signs([answer for _, _, answer in first], [c.rewards for c, _, _ in first], spec.aggregation)
    tokens = {"stop": spent, "best_of_n": sum(sample_tokens), "tree": spent + tree_tokens}
    return Trial(seen, cast(Mapping[Choice, float], right), cast(Mapping[Choice, float], tokens))


@dataclass(frozen=True)
class Tuned:
    """Thresholds, with the accuracy and the mean tokens of the router that has them, on the validation problems."""

    thresholds: Thresholds
    accuracy: float
    tokens: float


def tune(trials: Sequence[Trial], tokens: float) -> Tuned:
    """The thresholds with the greatest accuracy on validation problems among those within ``tokens`` on average.

    All combinations are tried of the agreements that occur (and never stopping), of quantiles of the scores, and of
    the agreements below which a tree is searched. Of equally accurate ones the cheapest is taken, then the first.

    Args:
        trials: held-out problems, never those that the thresholds are used on.
        tokens: what may be generated a problem, on average: the cost of the strategies to compare with.

    Raises:
        ValueError: without trials, or where even stopping at once costs more than ``tokens``.
    """
    if not trials:
        raise ValueError("the router's thresholds need validation problems; there are none")
    tried = [_routed(trials, thresholds) for thresholds in _grid([t.signs for t in trials])]
    fitting = [t for t in tried if t.tokens <= tokens]
    if not fitting:
        least = min(t.tokens for t in tried)
        raise ValueError(f"the router's first samples alone cost {least:.4g} tokens a problem, above {tokens:.4g}")
    return min(fitting, key=lambda t: (-t.accuracy, t.tokens))


def _grid(signs: Sequence[Signs]) -> Iterator[Thresholds]:
    agreements = sorted({s.agreement for s in signs})
    finite = [s.score for s in signs if np.isfinite(s.score)]
    scores = [float(q) for q in np.unique(np.quantile(finite, QUANTILES))] if finite else [0.0]
    # From never stopping to stopping wherever the score allows; from never searching a tree to always.
    for stop, score, tree in product([*agreements, ABOVE], scores, [0.0, *agreements, ABOVE]):
        yield Thresholds(agreement=stop, score=score, tree=tree)


def _routed(trials: Sequence[Trial], thresholds: Thresholds) -> Tuned:
    choices = [(t, t.signs.decide(thresholds)) for t in trials]
    right = float(np.mean([t.right[choice] for t, choice in choices]))
    return Tuned(thresholds, right, float(np.mean([t.tokens[choice] for t, choice in choices])))


def at_equal_cost(accuracy: pd.DataFrame, costs: pd.DataFrame, name: str, intervals: Intervals) -> pd.DataFrame:
    """A strategy less each other one at the same mean cost, with paired intervals over the same problems.

    Between two budgets of a fixed strategy its accuracy is interpolated, problem by problem, over the logarithm of
    the cost; beyond its least and greatest budget nothing is said.

    Args:
        accuracy: columns method, seed, problem, n, value; a method without seeds (0 alone) is compared with each.
        costs: columns strategy, budget, cost: the mean cost a question, in whatever unit the view has.
        name: the strategy to compare with the others: the router.

    Returns:
        Columns budget, cost, strategy, accuracy (of ``name``), other, difference, low, high.
    """
    curves = {m: _curve(accuracy[accuracy.method == m], part) for m, part in costs.groupby("strategy")}
    rows = []
    for budget, (cost, values) in curves[name].items():
        for strategy, curve in curves.items():
            other = None if strategy == name else _at(list(curve.values()), cost)
            if other is None:
                continue
            gap = bootstrap(values - other, intervals.resamples, intervals.confidence, intervals.seed)
            accuracies = (float(values.mean()), float(other.mean()))
            rows.append((budget, cost, strategy, *accuracies, gap.value, gap.low, gap.high))
    return pd.DataFrame(rows, columns=COLUMNS)


def _curve(accuracy: pd.DataFrame, costs: pd.DataFrame) -> dict[int, tuple[float, np.ndarray]]:
    """By budget: the mean cost, and the (seeds, problems) accuracies."""
    found = {}
    for budget, cost in sorted(zip(costs.budget, costs.cost, strict=True)):
        rows = accuracy[accuracy.n == budget]
        if rows.empty:
            raise ValueError(f"no accuracies of {costs.strategy.iloc[0]} at a budget of {budget}")
        found[int(budget)] = (float(cost), matrix(rows))
    return found


def _at(points: list[tuple[float, np.ndarray]], cost: float) -> np.ndarray | None:
    """The accuracies at ``cost``, between the neighbouring points; ``None`` beyond them."""
    points = sorted(points, key=lambda point: point[0])
    for (low, before), (high, after) in pairwise(points):
        if low <= cost <= high and low < high:
            share = np.log(cost / low) / np.log(high / low)
            return (1 - share) * before + share * after
    return None
