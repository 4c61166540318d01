"""What an annotator says of a chain."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Annotation:
    """The labels of one chain by one annotator.

    Attributes:
        chain: the chain's id.
        annotator: ``human``, ``ratings``, ``monte_carlo``, ``consensus`` or a judge's name.
        first_error: 0-based index of the first wrong step, -1 if none; ``None`` if it gave no verdict.
        labels: per step 1.0 (right), 0.0 (wrong); soft labels stay floats. Empty without a verdict.
        rollouts: k, the rollouts per probed prefix (Monte Carlo only, else 0).
        probed: the steps whose prefixes were probed, in the order of the binary search, or all of them.
        correct: the count of right rollouts at each probed step; at a chain's end k or 0, by its own answer.
        seed: of the rollouts or critiques.
        text: the raw critique (judges only); of several the first that agrees with what most say.
    """

    chain: str
    annotator: str
    first_error: int | None
    labels: tuple[float, ...]
    rollouts: int = 0
    probed: tuple[int, ...] = ()
    correct: tuple[int, ...] = ()
    seed: int = 0
    text: str = ""


def labels_until(first_error: int, steps: int) -> tuple[float, ...]:
    """Labels of a chain whose first error is known: all that follows an error is wrong too.

    >>> labels_until(1, 3), labels_until(-1, 2)
    ((1.0, 0.0, 0.0), (1.0, 1.0))
    """
    if not -1 <= first_error < steps:
        raise ValueError(f"first error {first_error} is not a step of {steps} (or -1)")
    right = steps if first_error < 0 else first_error
    return (1.0,) * right + (0.0,) * (steps - right)
