"""ProcessBench: solutions whose first wrong step people found, in four subsets."""

from prm_scaling.problems.datasets.fields import integer, items, shown, text, value_of
from prm_scaling.problems.datasets.record import DataSet, Entry, Malformed, Options, RatedSteps, Record

SUBSETS = ("gsm8k", "math", "olympiadbench", "omnimath")


def read(record: Record, options: Options) -> Entry:
    """``label`` is the 0-based first wrong step, -1 if there is none; what follows it is not rated."""
    subset = text(record, "id").rpartition("-")[0]
    if subset not in SUBSETS:
        raise Malformed("id", f"{shown(record['id'])} does not begin with one of {list(SUBSETS)}")
    steps = items(record, "steps")
    label = integer(record, "label")
    if not steps:
        raise Malformed("steps", "has no steps")
    if not -1 <= label < len(steps):
        raise Malformed("label", f"{label} is not a step of {len(steps)} (or -1)")
    right = value_of(record, "final_answer_correct")
    if not isinstance(right, bool):
        raise Malformed("final_answer_correct", f"neither true nor false: {shown(right)}")
    ratings = (1,) * len(steps) if label < 0 else (1,) * label + (-1,) + (None,) * (len(steps) - label - 1)
    solution = RatedSteps(tuple(steps), ratings, subset, right=right)
    return Entry(text(record, "problem"), template=subset, solutions=(solution,))


DATASET = DataSet(
    domain="math",
    licence="Apache-2.0",
    citation="Zheng et al., ProcessBench: Identifying Process Errors in Mathematical Reasoning, arXiv 2412.06559",
    hub="Qwen/ProcessBench",
    revision="3bdcd5371ed567559a78f559c01c13a6deee7604",
    files=("{split}.json",),
    labelled=True,
    read=read,
)
