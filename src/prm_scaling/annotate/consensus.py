"""Consensus filtering: keep a chain where annotators agree on where its first error is."""

from collections.abc import Sequence

from prm_scaling.annotate.record import Annotation


def consensus(annotations: Sequence[Sequence[Annotation]]) -> list[Annotation]:
    """The chains on which all annotators agree (paper A's ASLAF: Monte Carlo and every judge).

    Args:
        annotations: one list an annotator, all over the same chains in the same order.
    """
    kept = []
    for row in zip(*annotations, strict=True):
        if len({a.chain for a in row}) != 1:
            raise ValueError(f"annotators disagree on the order of chains: {sorted({a.chain for a in row})}")
        first = row[0]
        if first.first_error is not None and all(a.first_error == first.first_error for a in row):
            kept.append(Annotation(first.chain, "consensus", first.first_error, first.labels, seed=first.seed))
    return kept
