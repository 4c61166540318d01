"""Solutions of public data sets whose steps are rated."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LabelledSolution:
    """A solution as its data set has it.

    Attributes:
        id: ``<problem>/<number>``, the number counting the set's solutions.
        problem: the problem's id.
        steps: the texts of the steps, without what separates them.
        ratings: a step: 1 right, 0 neutral, -1 wrong, ``None`` not rated.
        category: the set's own: a phase (PRM800K), a source (Math-Shepherd), a subset (ProcessBench), a class of
            errors (PRMBench).
        finished: whether it ends with an answer.
        right: whether that answer is right; ``None`` where the set does not say.
    """

    id: str
    problem: str
    steps: tuple[str, ...]
    ratings: tuple[int | None, ...]
    category: str
    finished: bool
    right: bool | None

    def first_error(self, neutral_right: bool = True) -> int:
        """0-based index of the first wrong step, -1 if there is none.

        Lightman et al. count neutral steps as right.
        """
        wrong = (-1,) if neutral_right else (-1, 0)
        return next((i for i, rating in enumerate(self.ratings) if rating in wrong), -1)

    def labels(self, neutral_right: bool = True) -> tuple[float, ...]:
        """A step: 1.0 right, 0.0 wrong.

        A step without a rating is wrong only after an error: people wrote it to go on from (PRM800K), or stopped
        rating at the first error (ProcessBench). A rating after an error stands (PRMBench has right steps there).

        >>> LabelledSolution("q/0", "q", ("a", "b", "c"), (0, -1, None), "", True, None).labels()
        (1.0, 0.0, 0.0)
        """
        error = self.first_error(neutral_right)
        unrated = [1.0 if error < 0 or i < error else 0.0 for i in range(len(self.steps))]
        values = {1: 1.0, 0: float(neutral_right), -1: 0.0}
        return tuple(u if r is None else values[r] for r, u in zip(self.ratings, unrated, strict=True))
