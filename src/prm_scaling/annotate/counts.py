"""What Monte Carlo's stored counts say at any threshold: labels follow from the rollouts that were made, never from new
ones (Zhang et al., figure 5, compare the thresholds).

A threshold other than the search's own may leave a stretch of steps open that no probe tells: their labels are NaN.
"""

import math
from itertools import pairwise

from prm_scaling.annotate.record import Annotation


def soft_values(annotation: Annotation) -> dict[int, float]:
    """The share of right rollouts after each probed step, by step (Math-Shepherd's soft estimation).

    Raises:
        ValueError: the annotation has no counts, or ones that are no number of its rollouts.
    """
    if annotation.rollouts < 1:
        raise ValueError(
            f"{annotation.annotator} of {annotation.chain}: no rollouts are stored; only Monte Carlo has any"
        )
    wrong = [c for c in annotation.correct if not 0 <= c <= annotation.rollouts]
    if wrong:
        raise ValueError(
            f"{annotation.chain}: {wrong[0]} right ones of {annotation.rollouts} rollouts; annotate it again"
        )
    pairs = zip(annotation.probed, annotation.correct, strict=True)
    return {step: correct / annotation.rollouts for step, correct in sorted(pairs)}


def bracket(annotation: Annotation, threshold: float) -> tuple[int, int]:
    """The first and the last step that may be the first error: one step where the probes settle it.

    The earliest hopeless prefix counts, as if all after it were hopeless too. A chain that nothing was rolled out
    from, as its own answer is right, has (-1, -1) at every threshold; so has one whose probes, up to its end, are all
    hopeful.

    >>> found = Annotation("q/0", "monte_carlo", 2, (1.0, 1.0, 0.0, 0.0), 4, (1, 2), (1, 0))
    >>> bracket(found, 0.0), bracket(found, 0.25)
    ((2, 2), (0, 1))
    """
    if annotation.first_error is None:
        raise ValueError(f"{annotation.chain}: it has no steps, so no first error")
    values = soft_values(annotation)
    end = len(annotation.labels) - 1
    hopeless = [step for step, share in values.items() if not share > threshold]
    if not hopeless and (annotation.first_error < 0 or end in values):
        return -1, -1
    last = min(hopeless, default=end)
    return max((step + 1 for step in values if step < last), default=0), last


def hard_labels(annotation: Annotation, threshold: float) -> tuple[float, ...]:
    """Per step 1.0 (right), 0.0 (wrong), or NaN where the stored probes do not tell at this threshold."""
    first, last = bracket(annotation, threshold)
    steps = len(annotation.labels)
    if last < 0:
        return (1.0,) * steps
    return (1.0,) * first + (math.nan,) * (last - first) + (0.0,) * (steps - last)


def rises(annotation: Annotation, threshold: float) -> bool | None:
    """Whether a probed prefix is hopeless and a later one is not, which binary search takes to be impossible.

    ``None`` with fewer than two probes, which cannot show it. At its own threshold a search never shows it: it probes
    no step after a hopeless one.
    """
    hopeful = [share > threshold for share in soft_values(annotation).values()]
    return any(b > a for a, b in pairwise(hopeful)) if len(hopeful) > 1 else None
