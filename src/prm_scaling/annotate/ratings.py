"""Labels that a public data set brings with its solutions."""

from collections.abc import Iterable, Iterator

from prm_scaling.annotate.record import Annotation
from prm_scaling.problems.labelled import LabelledSolution


def annotate(solutions: Iterable[LabelledSolution], neutral_right: bool) -> Iterator[Annotation]:
    """The labels of each solution's steps.

    Args:
        neutral_right: whether a neutral step counts as right, as Lightman et al. have it.
    """
    for solution in solutions:
        yield Annotation(solution.id, "ratings", solution.first_error(neutral_right), solution.labels(neutral_right))
