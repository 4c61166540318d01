"""The labels that a training set takes from its annotations: hard or soft, at a threshold, up to the first error.

Labels follow from what an annotator stored; nothing is rolled out again. A step without a label, ``None``, has no loss.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan

from prm_scaling.annotate.counts import bracket, hard_labels, soft_values
from prm_scaling.annotate.record import Annotation


@dataclass(frozen=True)
class Labelling:
    """How a training set is labelled.

    Attributes:
        labels: ``hard``, or ``soft``: the share of right rollouts.
        threshold: of hard labels from rollouts, as in :func:`hard_labels`; ``None`` takes the annotator's own labels.
        loss: on ``all`` steps, or up to and including the ``first_error`` (Lightman et al.; Zhang et al.).
        outcome: one label, at the last step, in place of one a step: whether the chain's answer is right.
    """

    labels: str = "hard"
    threshold: float | None = None
    loss: str = "all"
    outcome: bool = False


def labels_of(annotation: Annotation, how: Labelling) -> tuple[float | None, ...]:
    """A label in [0, 1] a step, ``None`` where there is none; empty for an annotation without a verdict.

    Raises:
        ValueError: soft labels, a threshold or an outcome are asked of an annotation without rollouts; or a label
            that should be 0 or 1 is neither.

    >>> found = Annotation("q/0", "monte_carlo", 2, (1.0, 1.0, 0.0, 0.0), 4, (1, 2), (1, 0))
    >>> labels_of(found, Labelling("soft"))
    (1.0, 0.25, 0.0, 0.0)
    >>> labels_of(found, Labelling(threshold=0.25, loss="first_error"))
    (None, 0.0, None, None)
    >>> labels_of(found, Labelling(outcome=True))
    (None, None, None, 0.0)
    """
    if not annotation.labels:
        return ()
    if how.outcome:
        return _outcome(annotation)
    labels = list(_soft(annotation) if how.labels == "soft" else _hard(annotation, how.threshold))
    error = annotation.first_error if how.threshold is None else bracket(annotation, how.threshold)[1]
    if how.loss == "first_error" and error is not None and error >= 0:
        labels[error + 1 :] = [None] * (len(labels) - error - 1)
    return tuple(labels)


def _outcome(annotation: Annotation) -> tuple[float | None, ...]:
    """Monte Carlo grades the chain's own answer first, and finds no error in one whose answer is right."""
    soft_values(annotation)
    return (*(None,) * (len(annotation.labels) - 1), float(annotation.first_error == -1))


def _soft(annotation: Annotation) -> tuple[float | None, ...]:
    """The share of right rollouts where there were any; the search's own label at the steps that it spared."""
    shares = soft_values(annotation)
    return tuple(shares.get(step, label) for step, label in enumerate(annotation.labels))


def _hard(annotation: Annotation, threshold: float | None) -> tuple[float | None, ...]:
    if threshold is None:
        if neither := [label for label in annotation.labels if label not in (0.0, 1.0)]:
            raise ValueError(
                f"{annotation.annotator} of {annotation.chain}: a hard label is 0 or 1, and {neither[0]} is neither; "
                "annotate it again"
            )
        return annotation.labels
    return tuple(None if isnan(label) else label for label in hard_labels(annotation, threshold))


def class_weights(labels: Sequence[Sequence[float | None]]) -> tuple[float, float]:
    """(weight of wrong, weight of right) that give both classes the same total: n / (2 n_class).

    A soft label belongs to both, with its share.

    Raises:
        ValueError: a class is empty.

    >>> class_weights([(1.0, 1.0, None), (1.0, 0.0)])
    (2.0, 0.6666666666666666)
    """
    known = [label for row in labels for label in row if label is not None]
    right = sum(known)
    wrong = len(known) - right
    if not right or not wrong:
        raise ValueError(
            f"of {len(known)} labels {right:g} are right and {wrong:g} wrong: an empty class cannot be weighed; train "
            "on more chains, or without `class_weight: balanced`"
        )
    return len(known) / (2 * wrong), len(known) / (2 * right)
