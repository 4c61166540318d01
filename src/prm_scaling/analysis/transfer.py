"""How PRMs carry over: trained on one domain, choosing among the samples of any policy in any domain."""

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd

from prm_scaling.analysis.accuracy import matrix
from prm_scaling.analysis.estimators import percentiles, weights
from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.graded import Graded
from prm_scaling.analysis.step_metrics import RatedSteps
from prm_scaling.search.record import Rewards

NONE = {"auc": np.nan, "auc_low": np.nan, "auc_high": np.nan}


def accuracy_in(accuracy: pd.DataFrame, prm: str, pool: str, n: int) -> np.ndarray:
    """(seeds, problems) best-of-n by a PRM in a pool.

    Raises:
        ValueError: it did not rate the pool.
    """
    rows = accuracy[(accuracy.method == "best_of_n") & (accuracy.prm == prm) & (accuracy.step == 0)]
    rows = rows[(rows.pool == pool) & (rows.n == n)]
    if rows.empty:
        raise ValueError(f"no accuracies of best-of-{n} by `{prm}` in {pool}")
    return matrix(rows)


def step_auc(
    seeds: Sequence[Sequence[Rewards]], graded: Mapping[str, Graded], intervals: Intervals
) -> dict[str, float]:
    """``auc``, ``auc_low``, ``auc_high`` over the steps of a pool, the mean over seeds; NaN where no truth is known.

    Args:
        seeds: the rewards of a PRM of each seed, of this pool.
        graded: the pool's chains whose steps' truth is known.
    """
    problems = sorted({g.problem for g in graded.values()})
    if not problems:
        return NONE
    drawn = weights(len(problems), intervals.resamples // 10, intervals.seed)
    rated = [RatedSteps.of([r for r in rows if r.chain in graded and r.scored], graded, problems) for rows in seeds]
    value = float(np.mean([steps.auc(np.ones((1, len(problems))))[0] for steps in rated]))
    # Seeds are resampled by their weights, as problems are.
    share = weights(len(rated), len(drawn), intervals.seed + 1) / len(rated)
    resampled = np.einsum("sr,rs->r", np.array([steps.auc(drawn) for steps in rated]), share)
    found = percentiles(value, resampled, intervals.confidence)
    return {"auc": found.value, "auc_low": found.low, "auc_high": found.high}


def gaps(
    accuracy: pd.DataFrame, prms: Mapping[str, str], domains: Mapping[str, str], policies: Sequence[str], n: int
) -> dict[str, np.ndarray]:
    """Best-of-n of a PRM in a domain that is not its own, less that of the domain's own PRM.

    Args:
        prms: training set -> PRM.
        domains: training set -> its domain, "" for a set of several; the first of a domain is that domain's own.

    Returns:
        ``<training set>_<domain>`` -> (seeds, problems of all policies).
    """
    own = {domain: name for name, domain in reversed(list(domains.items())) if domain}
    found = {}
    for (name, domain), (other, best) in product(domains.items(), own.items()):
        if other != domain:
            parts = [
                accuracy_in(accuracy, prms[name], f"{policy}-{other}", n)
                - accuracy_in(accuracy, prms[best], f"{policy}-{other}", n)
                for policy in policies
            ]
            found[f"{name}_{other}"] = np.concatenate(parts, axis=1)
    return found
