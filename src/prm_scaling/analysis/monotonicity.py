"""Binary search for the first error takes it that a hopeless prefix stays hopeless: how often that fails, and what the
stored counts say at other thresholds than the search's own.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from prm_scaling.analysis.estimators import detectable, ratios
from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.label_noise import problem_of
from prm_scaling.annotate.counts import bracket, rises, soft_values
from prm_scaling.annotate.monte_carlo import Bisection
from prm_scaling.annotate.record import Annotation

# Zhang et al., figure 5.
THRESHOLDS = tuple(i / 8 for i in range(8))
MISSED = "binary search by the truth misses the first error"
COLUMNS = ["domain", "threshold", "measure", "count", "share", "low", "high", "detectable"]

# (problem, whether it happened) of each thing that it could have happened to.
Cases = list[tuple[str, bool]]


def rises_again(on_track: Sequence[float]) -> bool:
    """Whether a wrong step is followed by a right one.

    >>> rises_again([1.0, 0.0, 0.0]), rises_again([1.0, 0.0, 1.0])
    (False, True)
    """
    return any(a < b for a, b in pairwise(on_track))


def bisected(on_track: Sequence[float]) -> int:
    """The first error that binary search finds where each of its probes is answered by the truth.

    >>> bisected([1.0, 0.0, 0.0]), bisected([0.0, 1.0, 1.0, 0.0]), bisected([1.0, 1.0])
    (1, 3, -1)
    """
    if on_track[-1] > 0:
        return -1
    search = Bisection(0, len(on_track) - 1)
    while not search.done:
        right = on_track[search.middle] > 0
        search.tell(int(right), right)
    return search.low


def table(
    domain: str, exact: Sequence[Annotation], counted: Sequence[Annotation], intervals: Intervals
) -> pd.DataFrame:
    """How often the assumption fails, and how right stored counts are at each threshold.

    Args:
        exact: the truth of every chain; rows without a threshold are measured on it.
        counted: Monte Carlo's annotations of the same chains.

    Returns:
        Columns domain, threshold, measure, count (of what the share is of), share, low, high, detectable.
    """
    known = {a.chain: a for a in exact if a.labels}
    judged = [a for a in counted if a.first_error is not None]
    for a in judged:
        if len(a.labels) != len(known[a.chain].labels):
            raise ValueError(
                f"{a.chain}: {len(a.labels)} labels by {a.annotator}, {len(known[a.chain].labels)} steps by the truth; "
                "they were made with different steps: annotate both again"
            )
    measures = _measures(known, judged)
    problems = {name: i for i, name in enumerate(dict.fromkeys(map(problem_of, known)))}
    sums = np.zeros((len(problems), len(measures), 2))
    for column, cases in enumerate(measures.values()):
        places = [problems[problem] for problem, _ in cases]
        np.add.at(sums[:, column], places, [(float(hit), 1.0) for _, hit in cases])
    shares = ratios(sums[..., 0], sums[..., 1], intervals.resamples, intervals.confidence, intervals.seed)
    rows = [
        (domain, *key, len(cases), s.value, s.low, s.high, detectable(s.low, s.high, intervals.confidence))
        for (key, cases), s in zip(measures.items(), shares, strict=True)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _measures(known: Mapping[str, Annotation], counted: Sequence[Annotation]) -> dict[tuple[float, str], Cases]:
    """The cases of each (threshold, measure)."""
    chains = [(problem_of(name), a) for name, a in known.items()]
    erring = [(problem, a) for problem, a in chains if a.first_error is not None and a.first_error >= 0]
    found: dict[tuple[float, str], Cases] = {
        (np.nan, "a right step after a wrong one"): [(p, rises_again(a.labels)) for p, a in chains],
        (np.nan, "the same among chains that end wrong"): [(p, rises_again(a.labels)) for p, a in erring],
        (np.nan, MISSED): [(p, bisected(a.labels) != a.first_error) for p, a in erring],
    }
    for a in counted:
        # Of thresholds between the same two counts the first.
        for threshold in {int(t * a.rollouts): t for t in reversed(THRESHOLDS)}.values():
            problem, truth = problem_of(a.chain), known[a.chain]
            for step, share in soft_values(a).items():
                named = "a wrong prefix" if truth.labels[step] == 0 else "a right prefix"
                wrong = (share > threshold) != (truth.labels[step] > 0)
                found.setdefault((threshold, f"{named} taken for the other"), []).append((problem, wrong))
            if (again := rises(a, threshold)) is not None:
                found.setdefault((threshold, "a hopeful prefix after a hopeless one"), []).append((problem, again))
            first, last = bracket(a, threshold)
            found.setdefault((threshold, "the first error settled"), []).append((problem, first == last))
            if first == last:
                wrong = first != truth.first_error
                found.setdefault((threshold, "first errors wrong among the settled"), []).append((problem, wrong))
    return {key: found[key] for key in sorted(found, key=lambda k: (not np.isnan(k[0]), k)) if found[key]}
