"""Long work in slices: what a killed job had finished is not done again, and is done again where it no longer holds."""

from dataclasses import dataclass

import pytest

from prm_scaling.chains.slices import in_slices
from prm_scaling.job import origin


@dataclass(frozen=True)
class Square:
    """A record."""

    of: int
    value: int


def squares(made: list[int], dies_at: int | None = None):
    """Makes squares, notes of what in ``made``; dies at one."""

    def make(items):
        if dies_at in items:
            raise KeyboardInterrupt
        made.extend(items)
        return [Square(i, i * i) for i in items]

    return make


def test_a_killed_job_goes_on_with_the_slice_that_was_in_flight(tmp_path):
    made: list[int] = []
    work = tmp_path / "work"
    with pytest.raises(KeyboardInterrupt):
        in_slices(range(10), squares(made, dies_at=7), Square, work, "key", size=3)
    assert made == [0, 1, 2, 3, 4, 5]
    records = in_slices(range(10), squares(made), Square, work, "key", size=3)
    assert made == list(range(10)), "no item twice"
    assert records == [Square(i, i * i) for i in range(10)]


def test_slices_of_another_origin_are_thrown_away(tmp_path):
    """Wrong behaviour: results of older parameters in a new file."""
    made: list[int] = []
    in_slices(range(4), squares([]), Square, tmp_path, "old", size=2)
    in_slices(range(4), squares(made), Square, tmp_path, "new", size=2)
    assert made == [0, 1, 2, 3]
    assert [path.name for path in tmp_path.iterdir()] == ["new"]


def test_nothing_makes_no_record_and_a_folder_to_remove(tmp_path):
    assert in_slices([], squares([]), Square, tmp_path / "work", "key") == []
    assert (tmp_path / "work").is_dir()


def test_an_origin_is_of_inputs_parameters_and_seed_and_not_of_the_work_folder(tmp_path):
    file = tmp_path / "input"
    file.write_text("1")
    base = origin([file], {"a": 1, "work": "here"}, 0)
    assert base == origin([file], {"a": 1, "work": "there"}, 0)
    assert base != origin([file], {"a": 2, "work": "here"}, 0)
    assert base != origin([file], {"a": 1, "work": "here"}, 1)
    file.write_text("2")
    assert base != origin([file], {"a": 1, "work": "here"}, 0)
