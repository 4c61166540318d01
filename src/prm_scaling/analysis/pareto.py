"""What accuracy compute buys: the FLOPs view and its Pareto front over policy sizes (Wu et al., figures 1 and 3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from prm_scaling.analysis.accuracy import matrix
from prm_scaling.analysis.costs import CHOICES
from prm_scaling.analysis.figures import Intervals
from prm_scaling.search.record import Cost, ScoringCost


@dataclass(frozen=True)
class Policy:
    """A policy of the front.

    Attributes:
        name: its size's name.
        parameters: non-embedding parameters.
        pool: its pool of samples.
        policy_flops: of one sample, mean over questions; the prompt is computed once for all samples.
        prm_flops: of rating one sample, mean over chains and seeds of the PRM.
    """

    name: str
    parameters: int
    pool: str
    policy_flops: float
    prm_flops: float


def policy_of_pool(
    name: str, parameters: int, pool: str, costs: Sequence[Cost], scoring: Sequence[ScoringCost]
) -> Policy:
    """A policy with what its samples cost.

    Raises:
        ValueError: no PRM rated this pool.
    """
    rated = [c.prm_flops / c.chains for c in scoring if c.pool == pool]
    if not rated:
        raise ValueError(f"no PRM rated the pool `{pool}`, so that rating it has no cost")
    sampled = [c.policy_flops / c.budget for c in costs]
    return Policy(name, parameters, pool, float(np.mean(sampled)), float(np.mean(rated)))


def pareto(table: pd.DataFrame, policies: Sequence[Policy], prm: str, intervals: Intervals) -> pd.DataFrame:
    """Accuracy over FLOPs a question, for every policy, way to choose and number of samples.

    Args:
        table: accuracies per problem, of the pools of ``policies`` at least.
        prm: the PRM (``<training set>-<size>``) that rates.

    Returns:
        One row for each of them, with ``policy_flops`` (Wu et al. count the policy alone), ``flops`` (the PRM's too),
        and for both whether the point is on the front: none is as cheap or cheaper and more accurate.
    """
    rows = []
    for policy in policies:
        own = table[(table.pool == policy.pool) & (table.step == 0)]
        for strategy, rated in CHOICES.items():
            chosen = own[(own.method == strategy) & (own.prm == (prm if rated else ""))]
            if chosen.empty:
                raise ValueError(f"no accuracies of {strategy} on {policy.pool} with PRM `{prm}`")
            for n, group in chosen.groupby("n"):
                rows.append(
                    {
                        "policy": policy.name,
                        "parameters": policy.parameters,
                        "strategy": strategy,
                        "n": n,
                        "policy_flops": policy.policy_flops * n,
                        "flops": (policy.policy_flops + policy.prm_flops * rated) * n,
                        **intervals.of(matrix(group)),
                    }
                )
    result = pd.DataFrame(rows)
    for cost in ("policy_flops", "flops"):
        result[f"{cost}_front"] = on_front(result[cost].to_numpy(), result["accuracy"].to_numpy())
    return result


def on_front(costs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Whether each point is on the Pareto front: no other costs as little or less and is worth more.

    >>> on_front(np.array([1.0, 2.0, 2.0, 3.0]), np.array([0.5, 0.4, 0.6, 0.6])).tolist()
    [True, False, True, False]
    """
    order = np.lexsort((-values, costs))
    best = np.maximum.accumulate(values[order])
    # The first to reach a value: a dearer one of the same value is not on the front.
    first = np.concatenate([[True], best[1:] > best[:-1]])
    front = np.zeros(len(costs), dtype=bool)
    front[order] = first
    return front
