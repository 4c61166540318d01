"""Readers of sets of math problems: what they make of a record, with the quirks of each set's own layout."""

from dataset_records import GSM8K, MATH, read

from prm_scaling.problems.datasets.record import Entry


def test_math_takes_the_boxed_answer_and_either_form_of_a_level():
    assert read("math", MATH) == Entry("What is 1/2 + 1/2?", "1", template="Prealgebra", difficulty=3)
    assert read("math", MATH | {"level": "Level ?"}).difficulty == 0
    assert read("math500", MATH | {"level": 2, "answer": "\\frac{2}{2}"}).reference == "\\frac{2}{2}"
    nested = MATH | {"solution": "First \\boxed{9}, then \\boxed{\\frac{1}{2}}"}
    assert read("math", nested).reference == "\\frac{1}{2}"
    assert read("math", MATH | {"solution": "so $\\boxed 7$"}).reference == "7"


def test_gsm8k_takes_what_follows_the_last_mark_without_commas():
    """Wrong behaviour: 3,000 read as the pair (3, 0)."""
    assert read("gsm8k", GSM8K) == Entry("How many?", "3000", difficulty=2)
