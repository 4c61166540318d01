"""Solutions as one text in which the tag ки ends each step, as Math-Shepherd and conversions to its form have them."""

from prm_scaling.problems.datasets.fields import items, shown, text
from prm_scaling.problems.datasets.record import Entry, Malformed, RatedSteps, Record

TAG = "ки"


def split_steps(solution: str, field: str) -> tuple[str, ...]:
    """The texts of the steps, without tags and the white space around them."""
    *steps, rest = solution.split(TAG)
    if rest.strip():
        raise Malformed(field, f"ends with a step without a tag: {shown(rest)}")
    steps = [step.strip() for step in steps]
    if not steps or not all(steps):
        raise Malformed(field, "has no steps" if not steps else "has an empty step")
    return tuple(steps)


def read_process(record: Record, process: str, labels: str, meaning: dict[int, int]) -> Entry:
    """A record with a ``question``, its tagged ``process`` and a list of ``labels``."""
    steps = split_steps(text(record, process), process)
    given = items(record, labels, int)
    if len(given) != len(steps):
        raise Malformed(labels, f"{len(given)} labels for {len(steps)} steps")
    unknown = sorted(set(given) - set(meaning))
    if unknown:
        raise Malformed(labels, f"{unknown} are not among {sorted(meaning)}")
    ratings = tuple(meaning[label] for label in given)
    return Entry(text(record, "question"), solutions=(RatedSteps(steps, ratings, "converted"),))
