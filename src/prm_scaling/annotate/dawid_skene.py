"""Annotators weighed by how far they are to be trusted (Dawid and Skene, 1979), where a filter only counts them."""

from collections.abc import Mapping, Sequence

import pandas as pd
from crowdkit.aggregation.classification.dawid_skene import DawidSkene

from prm_scaling.annotate.record import Annotation, labels_until
from prm_scaling.seeds import stream

ITERATIONS = 100


def dawid_skene(
    annotations: Mapping[str, Sequence[Annotation]], steps: Mapping[str, int], seed: int
) -> list[Annotation]:
    """The most likely first error of every chain that any annotator judged, the surest chains first.

    A chain's class is the place of its first error, -1 for none; each annotator has a confusion matrix over them, found
    by expectation maximisation without any truth. Annotators are taken to err independently of each other.

    Args:
        annotations: by annotator.
        steps: of each chain.
        seed: breaks ties of chains that are equally sure.

    Raises:
        ValueError: no annotator judged any chain.
    """
    votes = [
        (a.chain, name, a.first_error) for name, rows in annotations.items() for a in rows if a.first_error is not None
    ]
    if not votes:
        raise ValueError(f"none of {', '.join(annotations)} gave a verdict on any chain; nothing can be aggregated")
    table = pd.DataFrame(votes, columns=["task", "worker", "label"])
    likely = DawidSkene(n_iter=ITERATIONS).fit_predict_proba(table)
    # A place that a chain does not have is not its first error, however often other chains err there.
    likely = likely.where([[place < steps[chain] for place in likely.columns] for chain in likely.index], 0.0)
    tie = stream("dawid_skene", seed).permutation(len(likely))
    order = pd.DataFrame({"sure": likely.max(axis=1), "tie": tie}).sort_values(["sure", "tie"], ascending=[False, True])
    best = likely.idxmax(axis=1)
    return [Annotation(c, "dawid_skene", int(best[c]), labels_until(int(best[c]), steps[c])) for c in order.index]
