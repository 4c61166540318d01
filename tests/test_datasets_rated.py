"""Readers of sets of rated solutions: which step each label is of."""

import json
from collections import Counter, defaultdict

import pytest
from dataset_records import DATA, PRMBENCH, PROCESS, SHEPHERD, completion, needs_data, prm800k, read

from prm_scaling.problems.datasets.record import Malformed


def test_math_shepherd_reads_the_sign_where_the_tag_is():
    """Wrong behaviour: a + or - of the text itself taken for a label, or the question's `Step 1:` for the first."""
    entry = read("math_shepherd", SHEPHERD)
    (solution,) = entry.solutions
    assert entry.text == "Is Step 1: odd?" and entry.template == "GSM8K"
    assert solution.steps == ("Step 1: 1 + 1 = 2", "Step 2: The answer is: 2")
    assert solution.ratings == (1, -1) and solution.finished


@pytest.mark.parametrize(
    ("label", "ratings"), [(-1, (1, 1, 1)), (0, (-1, None, None)), (1, (1, -1, None)), (2, (1, 1, -1))]
)
def test_processbench_rates_up_to_the_first_error(label, ratings):
    (solution,) = read("processbench", PROCESS | {"label": label}).solutions
    assert solution.ratings == ratings and solution.category == "olympiadbench" and solution.right is True


def test_prmbench_counts_from_one():
    (solution,) = read("prmbench", PRMBENCH).solutions
    assert solution.ratings == (-1, -1, 1) and solution.category == "deception"


def test_prm800k_follows_what_was_chosen_and_keeps_the_alternatives():
    steps = [
        {"completions": [completion("a", 1), completion("b", -1)], "human_completion": None, "chosen_completion": 0},
        {
            "completions": [completion("c", -1)],
            "human_completion": {"text": "d", "rating": None, "source": "human", "flagged": False},
            "chosen_completion": None,
        },
        {"completions": [completion("e\n\n# Answer\n\n2", 0)], "human_completion": None, "chosen_completion": 0},
    ]
    entry = read("prm800k", prm800k(steps))
    assert entry.reference == "2"
    assert [(s.steps, s.ratings, s.finished) for s in entry.solutions] == [
        (("a", "b")[1:], (-1,), False),
        (("a", "c"), (1, -1), False),
        (("a", "d", "e\n\n# Answer\n\n2"), (1, None, 0), True),
    ]
    assert {s.category for s in entry.solutions} == {"phase 1"}
    (only,) = read("prm800k", prm800k(steps), alternatives=False).solutions
    assert only.steps == ("a", "d", "e\n\n# Answer\n\n2")


def test_prm800k_ends_where_an_error_was_found():
    """Wrong behaviour: a solution that was stopped at its error kept without the error, so that all of it is right."""
    steps = [
        {"completions": [completion("a", 1)], "human_completion": None, "chosen_completion": 0},
        {"completions": [completion("b", -1), completion("c", 1)], "human_completion": None, "chosen_completion": None},
    ]
    record = prm800k(steps, generation=3)
    assert [(s.steps, s.ratings) for s in read("prm800k", record).solutions] == [
        (("a", "b"), (1, -1)),
        (("a", "c"), (1, 1)),
    ]
    (found,) = read("prm800k", record, alternatives=False).solutions
    assert found.steps == ("a", "b") and found.category == "phase 2"


def test_prm800k_that_was_given_up_ends_before_what_nobody_rated():
    unrated = {"completions": [completion("b", None)], "human_completion": None, "chosen_completion": None}
    first = {"completions": [completion("a", 1)], "human_completion": None, "chosen_completion": 0}
    (solution,) = read("prm800k", prm800k([first, unrated])).solutions
    assert solution.steps == ("a",) and not solution.finished
    with pytest.raises(Malformed, match="no rated step"):
        read("prm800k", prm800k([unrated]))


def test_converted_prm800k_has_wrong_steps_at_0():
    """Wrong behaviour: OpenR's 0 for a wrong step taken for PRM800K's own 0, neutral, which counts as right."""
    (solution,) = read("prm800k", {"question": "Why?", "process": "a ки\nb ки", "labels": [1, 0]}).solutions
    assert solution.ratings == (1, -1)
    with pytest.raises(Malformed, match=r"labels: \[-1\]"):
        read("prm800k", {"question": "Why?", "process": "a ки", "labels": [-1]})


@needs_data
def test_converted_solutions_have_the_ratings_of_the_raw_ones():
    """Steps that the conversion and the raw records have both; neutral counts as right in the conversion."""
    raw: dict[tuple[str, str], set] = defaultdict(set)
    for path in (DATA / "prm800k").glob("*raw.jsonl"):
        for record in map(json.loads, path.read_text().splitlines()):
            for made in (made for step in record["label"]["steps"] for made in step["completions"] or []):
                raw[record["question"]["problem"].strip(), one_line(made["text"])].add(made["rating"])
    seen: Counter = Counter()
    for record in json.loads((DATA / "prm800k/openr_processed_multi_step.json").read_text()):
        entry = read("prm800k", record)
        for step, rating in zip(entry.solutions[0].steps, entry.solutions[0].ratings, strict=True):
            rated = raw[entry.text.strip(), one_line(step)] - {None}
            if rated:
                assert rating == (-1 if rated == {-1} else 1)
                seen[rating] += 1
    assert seen == {1: 202, -1: 80}


def one_line(text: str) -> str:
    """A step without the label that the conversion puts before it."""
    return " ".join(text.strip().removeprefix("Step:").lstrip(" 0123456789:").split())


@needs_data
def test_all_labels_of_real_solutions_are_where_they_were():
    """Against the raw records: the share of wrong steps, the first errors, the signs."""
    shepherd = map(json.loads, (DATA / "math_shepherd/samples_math-shepherd.jsonl").read_text().splitlines())
    for record in shepherd:
        (solution,) = read("math_shepherd", record).solutions
        assert [1 if line.endswith("+") else -1 for line in record["label"].split("\n")] == list(solution.ratings)
    for path in (DATA / "processbench").iterdir():
        for record in json.loads(path.read_text()):
            (solution,) = read("processbench", record).solutions
            assert solution.ratings.index(-1) == record["label"]
