"""PRM800K: steps rated by people, 1 right, 0 neutral, -1 wrong, in two phases."""

from prm_scaling.problems.datasets import tagged
from prm_scaling.problems.datasets.fields import items, mapping, optional_text, shown, text
from prm_scaling.problems.datasets.record import DataSet, Entry, Malformed, Options, RatedSteps, Record

# The last step of a whole solution states it below this heading.
ANSWER = "# Answer"


def read(record: Record, options: Options) -> Entry:
    """A record of the authors', or of OpenR's conversion: 0 where the rating was -1, else 1, neutral steps too."""
    if "process" in record:
        return tagged.read_process(record, "process", "labels", {1: 1, 0: -1})
    question, label = mapping(record, "question"), mapping(record, "label")
    # Phase 1 let annotators write solutions, phase 2 had them rate generated ones.
    phase = "phase 1" if record.get("generation") is None else "phase 2"
    return Entry(
        text(question, "problem"),
        optional_text(question, "ground_truth_answer"),
        solutions=tuple(solutions(items(label, "steps", dict), phase, options.alternatives)),
    )


def solutions(steps: list[Record], phase: str, alternatives: bool) -> list[RatedSteps]:
    """The solution that was gone on with, and each rated alternative as the end of another.

    A step that a person wrote (``human_completion``) has no rating. Where nothing was chosen the solution ends: what
    was rated there are its possible ends (in phase 2 the first is the error that was found).
    """
    found: list[RatedSteps] = []
    texts: list[str] = []
    ratings: list[int | None] = []
    for place, step in enumerate(steps):
        field = f"label.steps[{place}]"
        completions = items(step, "completions", dict) if step.get("completions") is not None else []
        chosen = step.get("chosen_completion")
        if chosen is not None and (isinstance(chosen, bool) or chosen not in range(len(completions))):
            raise Malformed(f"{field}.chosen_completion", f"{shown(chosen)} is not one of {len(completions)}")
        ends = chosen is None and step.get("human_completion") is None
        for i, completion in enumerate(completions):
            rating = rated(completion, f"{field}.completions[{i}]")
            # An end is told from an alternative: without it a solution that found an error would lack the error.
            if i != chosen and rating is not None and (alternatives or (ends and i == 0)):
                written = text(completion, "text")
                found.append(solution([*texts, written], [*ratings, rating], phase))
        if ends:
            if place and not any(c.get("rating") is not None for c in completions):
                found.append(solution(texts, ratings, phase))
            break
        if chosen is None:
            texts.append(text(mapping(step, "human_completion"), "text"))
            ratings.append(None)
        else:
            texts.append(text(completions[chosen], "text"))
            ratings.append(rated(completions[chosen], f"{field}.completions[{chosen}]"))
    else:
        if texts:
            found.append(solution(texts, ratings, phase))
    if not found:
        raise Malformed("label.steps", "no rated step")
    return found


def rated(completion: Record, field: str) -> int | None:
    """The rating of one completion."""
    rating = completion.get("rating")
    if rating is not None and (isinstance(rating, bool) or rating not in (-1, 0, 1)):
        raise Malformed(f"{field}.rating", f"not -1, 0, 1 or null: {shown(rating)}")
    return rating


def solution(texts: list[str], ratings: list[int | None], phase: str) -> RatedSteps:
    """A solution; finished if its last step states an answer."""
    return RatedSteps(tuple(texts), tuple(ratings), phase, finished=ANSWER in texts[-1])


DATASET = DataSet(
    domain="math",
    licence="MIT",
    citation="Lightman et al., Let's Verify Step by Step, arXiv 2305.20050",
    hub="tasksource/PRM800K",
    revision="547b19506677a59037ee888838834b65e9b1ddd4",
    files=("phase1_{split}.jsonl", "phase2_{split}.jsonl"),
    labelled=True,
    read=read,
)
