"""Named seeds, and records that appear whole or not at all."""

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.seeds import seed_of, stream
from prm_scaling.storage import read_records, schema_of, whole, write_json, write_records

# --- seeds ---

name = st.text(st.characters(codec="utf-8", exclude_characters="\x1f"), max_size=5) | st.integers(-5, 10**6)


@given(st.lists(name, max_size=4), st.lists(name, max_size=4))
def test_a_seed_is_a_function_of_all_names_and_their_borders(a, b):
    assert seed_of(*a) == seed_of(*a) and 0 <= seed_of(*a) < 2**63
    a, b = [str(x) for x in a], [str(x) for x in b]
    # No name at all and one empty name are the one pair that reads alike.
    assert (seed_of(*a) == seed_of(*b)) == ((a or [""]) == (b or [""]))


def test_seeds_are_the_same_on_every_machine():
    """Wrong behaviour: `hash`, which differs from process to process."""
    assert seed_of(0, "math-test-0001", 3) == 2970857577271116055
    assert stream("a", 1).random(2).round(6).tolist() == stream("a", 1).random(2).round(6).tolist()


def test_streams_do_not_share_state():
    """Wrong behaviour: a global seed, so that one draw more here changes what is drawn there."""
    np.random.seed(0)
    first = stream(0, "p", 1)
    first.random(1000)
    again = stream(0, "p", 2).random(5)
    np.random.random(10)
    assert (stream(0, "p", 2).random(5) == again).all()
    assert not np.allclose(stream(0, "p", 1).random(5), again)


# --- storage ---


@dataclass(frozen=True)
class Record:
    text: str
    count: int
    score: float
    good: bool
    kind: Literal["a", "b"]
    tokens: tuple[int, ...]
    rewards: tuple[float, ...]
    nested: tuple[tuple[str, ...], ...]
    maybe: int | None
    maybe_tuple: tuple[float, ...] | None


@dataclass(frozen=True)
class Narrow:
    text: str
    count: int


@dataclass(frozen=True)
class Renamed:
    words: str
    count: int


@dataclass(frozen=True)
class Retyped:
    text: str
    count: float


integers, floats, words = (
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8")),
)
records = st.builds(
    Record,
    words,
    integers,
    floats,
    st.booleans(),
    st.sampled_from(["a", "b"]),
    st.lists(integers, max_size=3).map(tuple),
    st.lists(floats, max_size=3).map(tuple),
    st.lists(st.lists(words, max_size=2).map(tuple), max_size=2).map(tuple),
    st.none() | integers,
    st.none() | st.lists(floats, max_size=2).map(tuple),
)


@given(st.lists(records, max_size=5))
def test_records_survive_storage(tmp_path_factory, made):
    path = tmp_path_factory.mktemp("store") / "new" / "records.parquet"
    write_records(path, made, Record)
    read = read_records(path, Record)
    assert read == made
    assert [hash(r) for r in read] == [hash(r) for r in made]  # tuples are tuples again, at every depth
    assert [p.name for p in path.parent.iterdir()] == ["records.parquet"]


def test_soft_labels_stay_floats(tmp_path):
    """Wrong behaviour: `int(0.9)` is 0."""
    from prm_scaling.annotate.record import Annotation

    made = [Annotation("q/0", "monte_carlo", 1, (1.0, 0.9, 1e-7)), Annotation("q/1", "judge", None, ())]
    write_records(tmp_path / "a.parquet", made, Annotation)
    assert read_records(tmp_path / "a.parquet", Annotation) == made


def test_not_a_number_survives_storage(tmp_path):
    made = Record("", 0, math.nan, False, "a", (), (math.inf, math.nan), (), None, None)
    write_records(tmp_path / "r.parquet", [made], Record)
    (read,) = read_records(tmp_path / "r.parquet", Record)
    assert math.isnan(read.score) and read.rewards[0] == math.inf and math.isnan(read.rewards[1])


def half_written(path) -> None:
    path.write_text("half")
    raise RuntimeError


def test_an_exception_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"old": 1})
    with pytest.raises(RuntimeError), whole(path) as temporary:
        half_written(temporary)
    assert json.loads(path.read_text()) == {"old": 1}
    with pytest.raises(TypeError):
        write_json(path, {"bad": object()})
    assert json.loads(path.read_text()) == {"old": 1}
    with pytest.raises(KeyboardInterrupt), whole(tmp_path / "never"):
        raise KeyboardInterrupt
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, 1)
    with whole(path) as temporary:
        temporary.write_text("2")
        assert json.loads(path.read_text()) == 1
        assert temporary.parent == path.parent  # on the same file system, so that the replacement is atomic
    assert json.loads(path.read_text()) == 2
    assert path.stat().st_mode & 0o777 == 0o644


def test_records_that_do_not_fit_leave_the_old_file(tmp_path):
    path = tmp_path / "r.parquet"
    write_records(path, [Narrow("a", 1)], Narrow)
    with pytest.raises(pyarrow.ArrowInvalid):
        write_records(path, [Narrow("a", "not a number")], Narrow)
    assert read_records(path, Narrow) == [Narrow("a", 1)]


@given(st.data())
def test_a_truncated_file_is_told_from_a_whole_one(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("store") / "r.parquet"
    write_records(path, [Narrow(str(i), i) for i in range(50)], Narrow)
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    with pytest.raises(ValueError, match=r"r\.parquet: not a whole Parquet file .* delete it and run again"):
        read_records(path, Narrow)


def test_a_flipped_bit_is_told(tmp_path):
    """Wrong behaviour: a number that no job ever wrote, because Parquet was not asked to sum its pages."""
    path = tmp_path / "x.parquet"
    write_records(path, [Narrow(str(i), i) for i in range(1000)], Narrow)
    whole_file = path.read_bytes()
    # Its pages: between the magic letters at the front and the footer, whose length is written before the last four.
    end = len(whole_file) - 8 - int.from_bytes(whole_file[-8:-4], "little")
    told = []
    for place in range(40, end, max(1, end // 40)):
        damaged = bytearray(whole_file)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        try:
            found = read_records(path, Narrow)
        except ValueError as error:
            told.append(str(error))
        else:
            assert found == [Narrow(str(i), i) for i in range(1000)], place
    assert len(told) > 30 and all(str(path) in text for text in told)


@pytest.mark.parametrize("kind", [Renamed, Retyped, Record])
def test_another_schema_is_refused(tmp_path, kind):
    path = tmp_path / "r.parquet"
    write_records(path, [Narrow("a", 1)], Narrow)
    with pytest.raises(ValueError, match=rf"r\.parquet: its columns are not those of {kind.__name__} .*run again"):
        read_records(path, kind)


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_records(tmp_path / "none.parquet", Narrow)


def test_a_field_without_a_column_type_is_refused():
    with pytest.raises(TypeError, match="no column type"):
        schema_of(dataclasses.make_dataclass("Odd", [("field", dict)]))
