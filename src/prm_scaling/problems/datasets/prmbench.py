"""PRMBench: solutions with planted errors of nine classes."""

from prm_scaling.problems.datasets.fields import choice, items, text
from prm_scaling.problems.datasets.record import DataSet, Entry, Malformed, Options, RatedSteps, Record

# As the data spell them. The last has no errors: other solutions of the same problem, all of them right.
CLASSES = (
    "redundency",
    "circular",
    "counterfactual",
    "step_contradiction",
    "domain_inconsistency",
    "confidence",
    "missing_condition",
    "deception",
    "multi_solutions",
)


def read(record: Record, options: Options) -> Entry:
    """The modified solution; ``error_steps`` are 1-based, and steps after an error may be right again."""
    steps, errors = items(record, "modified_process"), items(record, "error_steps", int)
    if not steps:
        raise Malformed("modified_process", "has no steps")
    outside = [step for step in errors if not 1 <= step <= len(steps)]
    if outside:
        raise Malformed("error_steps", f"{outside} are not steps of {len(steps)}")
    ratings = tuple(-1 if place in errors else 1 for place in range(1, len(steps) + 1))
    category = choice(record, "classification", CLASSES)
    return Entry(
        text(record, "modified_question"),
        template=category,
        solutions=(RatedSteps(tuple(steps), ratings, category),),
    )


DATASET = DataSet(
    domain="math",
    licence="Apache-2.0",
    citation="Song et al., PRMBench: A Fine-grained and Challenging Benchmark for Process-Level Reward Models, "
    "arXiv 2501.03124",
    hub="hitsmy/PRMBench_Preview",
    revision="5cc7683d0ae5797f84d7aeac0607966f277c39e1",
    files=("prmbench_preview.jsonl",),
    labelled=True,
    read=read,
)
