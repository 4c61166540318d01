"""ProcessBench's and PRMBench's scores, against counting by hand, and on real records."""

import json

import numpy as np
import pytest
from dataset_records import DATA, needs_data, read
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.prm.benchmarks import SUBJECTS, WITHOUT_ERRORS, prmbench, processbench
from prm_scaling.prm.metrics import predicted_first_error, process_f1
from prm_scaling.problems.datasets.prmbench import CLASSES
from prm_scaling.problems.datasets.record import Malformed

step = st.tuples(st.sampled_from([0.1, 0.5, 0.6, 0.9]), st.booleans())
solutions = st.lists(st.tuples(st.sampled_from(CLASSES), st.lists(step, min_size=1, max_size=4)), min_size=1)


def by_hand(steps: list[tuple[float, bool]], only_right: bool) -> float:
    """The authors' arithmetic: precision and recall of right steps and of wrong ones, by counting."""

    def f1(kind: bool) -> float:
        hits = sum(y is kind and (r > 0.5) is kind for r, y in steps)
        told, there = sum((r > 0.5) is kind for r, _ in steps), sum(y is kind for _, y in steps)
        if not there:
            return np.nan
        if not hits:
            return 0.0
        precision, recall = hits / told, hits / there
        return 2 * precision * recall / (precision + recall)

    return f1(True) if only_right else 0.5 * f1(True) + 0.5 * f1(False)


@given(solutions)
def test_prmscore_against_counting(made):
    found = prmbench([[r for r, _ in s] for _, s in made], [[y for _, y in s] for _, s in made], [c for c, _ in made])
    for name in {c for c, _ in made}:
        steps = [pair for c, s in made if c == name for pair in s]
        assert found[name] == pytest.approx(by_hand(steps, name == WITHOUT_ERRORS), nan_ok=True)
    for subject, names in SUBJECTS.items():
        values = [found[name] for name in names if name in found]
        assert (subject in found) == bool(values)
        assert not values or found[subject] == pytest.approx(np.mean(values), nan_ok=True)
    # Of all steps, not the mean of the classes, of which some are larger.
    assert found["total"] == pytest.approx(by_hand([pair for _, s in made for pair in s], False), nan_ok=True)


def test_a_step_at_the_threshold_is_not_accepted():
    """As in the authors' code, whose labels are those of scores above it."""
    assert prmbench([[0.5, 0.4]], [[True, False]], ["deception"])["total"] == pytest.approx((0 + 2 / 3) / 2)


def test_other_numbers_of_steps_and_other_classes_are_told():
    with pytest.raises(ValueError, match="solution 1 has 2 steps and 1 rewards"):
        prmbench([[0.5], [0.5]], [[True], [True, False]], ["deception"] * 2)
    with pytest.raises(ValueError, match=r"\['redundancy'\] are no classes of PRMBench's"):
        prmbench([[0.5]], [[True]], ["redundancy"])


@given(st.lists(st.tuples(st.sampled_from(["gsm8k", "math"]), st.lists(step, min_size=1, max_size=4)), min_size=1))
def test_the_average_of_processbench_is_that_of_its_subsets(made):
    """Wrong behaviour: the F1 of all solutions together, in which the larger subsets count more."""
    rewards = [[r for r, _ in s] for _, s in made]
    errors = [next((i for i, (_, y) in enumerate(s) if not y), -1) for _, s in made]
    subsets = [c for c, _ in made]
    found = processbench(rewards, errors, subsets, 0.55)
    for name in set(subsets):
        pairs = [
            (predicted_first_error(r, 0.55), e) for r, e, c in zip(rewards, errors, subsets, strict=True) if c == name
        ]
        assert found[name] == pytest.approx(process_f1(*zip(*pairs, strict=True)), nan_ok=True)
    assert found["average"] == pytest.approx(np.mean([found[name] for name in set(subsets)]), nan_ok=True)


@needs_data
def test_scores_of_known_raters_on_real_records():
    """Who knows the truth has 1; who accepts all finds no wrong step; a coin is in between."""
    right, classes = [], []
    for record in map(json.loads, (DATA / "prmbench/subset200_target_data.jsonl").read_text().splitlines()):
        try:
            (solution,) = read("prmbench", record).solutions
        except Malformed:
            continue
        right.append([rating > 0 for rating in solution.ratings])
        classes.append(solution.category)
    knowing = prmbench([[float(y) for y in row] for row in right], right, classes)
    assert set(knowing.values()) == {1.0} and len(classes) == 197
    # No error is found; of n steps with w wrong ones, F1 of right ones is 2(n - w) / (2n - w).
    steps = np.concatenate([np.array(row) for row in right])
    trusting = prmbench([[1.0] * len(row) for row in right], right, classes)
    assert trusting["total"] == pytest.approx(steps.sum() / (len(steps) + steps.sum()))
    assert trusting[WITHOUT_ERRORS] == 1.0
    coin = prmbench([list(np.random.default_rng(i).random(len(row))) for i, row in enumerate(right)], right, classes)
    assert 0.3 < coin["total"] < 0.5
