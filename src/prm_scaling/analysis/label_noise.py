"""How wrong each annotator is, measured against the truth of every chain."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from prm_scaling.analysis.estimators import Interval, detectable, percentiles, ratios, weights
from prm_scaling.analysis.figures import Intervals
from prm_scaling.annotate.consensus import consensus
from prm_scaling.annotate.dawid_skene import dawid_skene
from prm_scaling.annotate.record import Annotation

# Of chains of one length: fewer than this share of all tell little and are left out.
LEAST = 0.02


def filters(annotations: dict[str, Sequence[Annotation]]) -> dict[str, list[Annotation]]:
    """The annotators and the filters made of them: who keeps which chain with which first error.

    ``consensus`` is ASLAF (Monte Carlo and all judges), ``mc_and_judge`` Zhang et al.'s (Monte Carlo and the
    first judge), ``majority`` keeps a location that more than half of the annotators give.
    """
    names = list(annotations)
    lists = list(annotations.values())
    kept = {name: [a for a in rows if a.first_error is not None] for name, rows in annotations.items()}
    kept["consensus"] = consensus(lists)
    kept["mc_and_judge"] = consensus(lists[: min(2, len(names))])
    kept["majority"] = [chosen for row in zip(*lists, strict=True) if (chosen := _majority(row)) is not None]
    return kept


def _majority(row: Sequence[Annotation]) -> Annotation | None:
    votes = [a.first_error for a in row if a.first_error is not None]
    for a in row:
        if a.first_error is not None and 2 * votes.count(a.first_error) > len(row):
            return a
    return None


def problem_of(chain: str) -> str:
    """The problem of a chain, which its id begins with."""
    return chain.rsplit("/", 1)[0]


def wrongness(kept: Sequence[Annotation], truth: Mapping[str, int]) -> np.ndarray:
    """Per kept chain, whether its first error is not the true one."""
    return np.array([a.first_error != truth[a.chain] for a in kept], dtype=float)


def counts(kept: Sequence[Annotation], truth: Mapping[str, int]) -> np.ndarray:
    """(problems, 2) wrong and kept chains of each problem that ``truth`` has a chain of."""
    problems = {name: i for i, name in enumerate(dict.fromkeys(map(problem_of, truth)))}
    found = np.zeros((len(problems), 2))
    places = [problems[problem_of(a.chain)] for a in kept]
    np.add.at(found, places, np.column_stack([wrongness(kept, truth), np.ones(len(kept))]))
    return found


def noise_table(
    domain: str, kept: Mapping[str, Sequence[Annotation]], truth: Mapping[str, int], intervals: Intervals
) -> pd.DataFrame:
    """Noise (share of kept chains with a wrong first error) and retention of each annotator and filter."""
    rows = [{"domain": domain, "annotator": name} for name in kept]
    counted = [counts(annotations, truth) for annotations in kept.values()]
    return _measured(rows, counted, [len(truth)] * len(rows), intervals)


def by_steps(
    domain: str,
    kept: Mapping[str, Sequence[Annotation]],
    truth: Mapping[str, int],
    steps: Mapping[str, int],
    intervals: Intervals,
) -> pd.DataFrame:
    """:func:`noise_table` of the chains of each number of steps that at least :data:`LEAST` of all chains have."""
    rows, counted, totals = [], [], []
    for number, total in sorted(Counter(steps[chain] for chain in truth).items()):
        if total < LEAST * len(truth):
            continue
        for name, annotations in kept.items():
            rows.append({"domain": domain, "annotator": name, "steps": number})
            counted.append(counts([a for a in annotations if steps[a.chain] == number], truth))
            totals.append(total)
    return _measured(rows, counted, totals, intervals)


def _measured(
    rows: Sequence[dict], counted: Sequence[np.ndarray], totals: Sequence[int], intervals: Intervals
) -> pd.DataFrame:
    """The rows with chains kept, retention, and noise with its interval; those that keep no chain are left out."""
    wrong, kept = np.moveaxis(np.stack(counted, axis=1), 2, 0)
    shares = ratios(wrong, kept, intervals.resamples, intervals.confidence, intervals.seed)
    return pd.DataFrame(
        [
            {**row, "chains": int(chains), "retention": chains / total, "noise": s.value, "low": s.low, "high": s.high}
            for row, chains, total, s in zip(rows, kept.sum(axis=0), totals, shares, strict=True)
            if chains
        ]
    )


def at_equal_retention(
    domain: str,
    annotations: Mapping[str, Sequence[Annotation]],
    kept: Mapping[str, Sequence[Annotation]],
    truth: Mapping[str, int],
    steps: Mapping[str, int],
    intervals: Intervals,
) -> tuple[pd.DataFrame, dict[str, list[Annotation]]]:
    """Each hard filter beside Dawid and Skene's aggregation, cut to as many chains: those that it is surest of.

    Args:
        annotations: by annotator; ``kept`` has the filters made of them too.

    Returns:
        Columns domain, filter, chains, retention, noise, dawid_skene, difference, low, high, detectable (the least
        difference to be told at 80% power); and what Dawid and Skene's keeps beside each filter.
    """
    surest = dawid_skene(annotations, steps, intervals.seed)
    rows, cut = [], {}
    for name in [n for n in kept if n not in annotations]:
        cut[name] = surest[: len(kept[name])]
        hard, soft = counts(kept[name], truth), counts(cut[name], truth)
        gap = ratio_difference(soft, hard, intervals)
        noise = [float(c[:, 0].sum() / c[:, 1].sum()) if c[:, 1].any() else np.nan for c in (hard, soft)]
        least = detectable(gap.low, gap.high, intervals.confidence)
        share = len(kept[name]) / len(truth)
        rows.append((domain, name, len(kept[name]), share, *noise, gap.value, gap.low, gap.high, least))
    columns = ["domain", "filter", "chains", "retention", "noise", "dawid_skene", "difference", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "detectable"]), cut


def ratio_difference(first: np.ndarray, second: np.ndarray, intervals: Intervals) -> Interval:
    """The share of wrong chains of ``first`` less that of ``second``, (problems, 2) counts of the same problems."""
    drawn = weights(len(first), intervals.resamples, intervals.seed)

    def gap(times: np.ndarray) -> np.ndarray:
        a, b = times @ first, times @ second
        with np.errstate(invalid="ignore"):
            return a[..., 0] / a[..., 1] - b[..., 0] / b[..., 1]

    return percentiles(float(gap(np.ones(len(first)))), gap(drawn), intervals.confidence)
