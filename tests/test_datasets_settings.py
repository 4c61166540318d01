"""The parameters of sets of problems: what does not fit together is told."""

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from prm_scaling.problems.datasets.settings import Problems, ProblemSet

TEST = {"source": "gsm8k", "domain": "math", "split": "test", "count": 100, "data": {"split": "test"}}


def broken(make: Callable[[], object]) -> str:
    with pytest.raises(ValidationError) as error:
        make()
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"source": "gsm9k"}, ["source: `gsm9k` is not in problems/datasets", "'world'", "'gsm8k'"]),
        ({"domain": "code"}, ["domain `code`", "`gsm8k` are math"]),
        ({"data": None}, ["`gsm8k` needs `data`", "`split`"]),
        ({"data": {"since": "2024-01-01"}}, ["data.since", "`gsm8k` have no dates"]),
        ({"data": {"revision": "main"}}, ["data.revision", "'main'"]),
        ({"data": {"sha256": {"a": "1"}}}, ["data.sha256.a"]),
        ({"source": "livecodebench", "domain": "code", "data": {"since": "1.1.24"}}, ["data.since", "'1.1.24'"]),
        (
            {"source": "livecodebench", "domain": "code", "data": {"since": "2024-02-01", "until": "2024-02-01"}},
            ["since 2024-02-01 is not before until"],
        ),
        ({"source": "world", "surface": "wide"}, ["a world set is made and not read", "`data`"]),
    ],
)
def test_a_set_that_cannot_be_read_is_told(change, told):
    message = broken(lambda: ProblemSet.model_validate(TEST | change))
    assert [part for part in told if part not in message] == [], message


def problems(**sets: dict) -> Problems:
    duplicates = {"ngram": 5, "permutations": 64, "threshold": 0.5}
    return Problems.model_validate(
        {"modulus": 11, "surfaces": {}, "malformed": 0.1, "duplicates": duplicates, "sets": sets}
    )


def test_one_record_is_not_in_two_splits():
    """Wrong behaviour: thresholds tuned on problems that are tested on, as both are cut from one split."""
    validation = TEST | {"split": "validation", "data": {"split": "test", "skip": 99}}
    message = broken(lambda: problems(a=TEST, b=validation))
    for part in ("`a` (test) and `b` (validation) read the same records, 99 to 99 of split `test`", "`data.skip`"):
        assert part in message
    assert problems(a=TEST, b=validation | {"data": {"split": "test", "skip": 100}})
    assert problems(a=TEST, b=validation | {"data": {"split": "train"}})
    assert problems(a=TEST, b=TEST)
