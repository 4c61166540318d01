"""Pickles in data sets, and values that blow up: nothing of them runs, and nothing is taken whole."""

import base64
import contextlib
import pickle
import zlib
from pathlib import Path

import pytest
from dataset_records import LIVE, packed, read
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.problems.datasets import fields, pickles
from prm_scaling.problems.datasets.record import Malformed


class Hostile:
    """Runs a command when it is loaded by ``pickle.loads``."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_hostile_pickle_runs_nothing(tmp_path, protocol):
    """Wrong behaviour: `pickle.loads` of a data set runs what its author, or whoever changed the file, wants."""
    mark = tmp_path / "was here"
    content = pickle.dumps(Hostile(mark), protocol)
    record = LIVE | {"private_test_cases": base64.b64encode(zlib.compress(content)).decode()}
    with pytest.raises(Malformed, match=r"private_test_cases: a pickle with \w+, which no data needs"):
        read("livecodebench", record)
    assert not mark.exists()
    pickle.loads(content)
    assert mark.exists()  # it would have worked


texts = st.text(st.characters(codec="utf-8"))
plain = st.recursive(texts, lambda t: st.lists(t, max_size=4) | st.dictionaries(texts, t, max_size=4), max_leaves=12)


@given(plain, st.integers(2, pickle.HIGHEST_PROTOCOL))
def test_texts_lists_and_dicts_are_read_as_pickle_reads_them(value, protocol):
    content = pickle.dumps(value, protocol)
    assert pickles.unpickled(base64.b64encode(zlib.compress(content)).decode(), "f") == value


@given(st.binary(max_size=60))
def test_no_bytes_do_worse_than_being_refused(content):
    with contextlib.suppress(Malformed):
        pickles.unpickled(base64.b64encode(zlib.compress(content)).decode(), "f")


@pytest.mark.parametrize("text", ["!", "AAAA", base64.b64encode(zlib.compress(b"x" * 50)[:-4]).decode()])
def test_what_is_no_packed_pickle_is_told(text):
    with pytest.raises(Malformed, match="f: "):
        pickles.unpickled(text, "f")


def test_a_zip_bomb_is_not_unpacked(monkeypatch):
    monkeypatch.setattr(pickles, "LIMIT", 1000)
    with pytest.raises(Malformed, match="more than 1000 bytes"):
        pickles.unpickled(packed("x" * 2000), "f")


def test_values_that_blow_up_are_told_in_short():
    """Wrong behaviour: a message that holds all of a billion laughs."""
    laughs: list = ["ha"]
    for _ in range(40):
        laughs = [laughs] * 10
    assert len(fields.shown(laughs)) < 500
    with pytest.raises(Malformed, match="nested too deeply"):
        fields.loads("[" * 100000, "f")
