"""Several critiques of a chain by one judge: each is kept as a vote, and what they say together follows from them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prm_scaling.annotate.critique import Outcome
from prm_scaling.annotate.record import Annotation, labels_until


@dataclass(frozen=True)
class Vote:
    """One critique of one chain.

    Attributes:
        chain: the chain's id.
        vote: its number among the judge's critiques of the chain.
        outcome, first_error, right, wrong: see :class:`prm_scaling.annotate.critique.Reading`.
        text: the critique, raw.
    """

    chain: str
    vote: int
    outcome: Outcome
    first_error: int | None
    right: tuple[int, ...]
    wrong: tuple[int, ...]
    text: str


def majority(votes: Iterable[Vote]) -> tuple[int | None, bool]:
    """The first error that most votes with a verdict name, and whether several tie for it: then there is none.

    >>> a, b, none = (Vote("q/0", i, "verdict", e, (), (), "") for i, e in enumerate((1, 1, -1)))
    >>> majority([a, b, none]), majority([a, none]), majority([])
    ((1, False), (None, True), (None, False))
    """
    places = Counter(vote.first_error for vote in votes if vote.first_error is not None).most_common(2)
    if not places:
        return None, False
    if len(places) == 2 and places[0][1] == places[1][1]:
        return None, True
    return places[0][0], False


def counted(steps: Mapping[str, int], judge: str, votes: Iterable[Vote]) -> tuple[list[Annotation], dict[str, int]]:
    """A judge's annotations, and how many votes had which outcome and how many chains ended in a tie or without any.

    Args:
        steps: how many each chain has, in the order of the annotations.
        judge: the judge's name.
        votes: of these chains, in any order.
    """
    by_chain: dict[str, list[Vote]] = {chain: [] for chain in steps}
    for vote in votes:
        by_chain[vote.chain].append(vote)
    tally: Counter[str] = Counter(vote.outcome for some in by_chain.values() for vote in some)
    annotations = []
    for chain, some in by_chain.items():
        first_error, tie = majority(some)
        tally["chains in a tie"] += tie
        tally["chains without a verdict"] += first_error is None and not tie
        if first_error is None:
            annotations.append(Annotation(chain, judge, None, (), text=some[0].text if some else ""))
            continue
        text = next(vote.text for vote in some if vote.first_error == first_error)
        annotations.append(Annotation(chain, judge, first_error, labels_until(first_error, steps[chain]), text=text))
    return annotations, dict(sorted(tally.items()))
