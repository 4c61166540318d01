"""What `verify` calls identical, equal within the noise, or different; and where."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import save_file

from prm_scaling.provenance.compare import DIFFERENT, IDENTICAL, NOISE, Comparison, compare


def parquet(path: Path, **columns) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def compared(tmp_path: Path, first: dict, second: dict, name: str = "results/search/scores/x.parquet") -> Comparison:
    """Two Parquet files of these columns, compared."""
    return compare(name, parquet(tmp_path / "a.parquet", **first), parquet(tmp_path / "b.parquet", **second))


def test_the_same_bytes_are_identical(tmp_path):
    assert compared(tmp_path, {"x": [1.0]}, {"x": [1.0]}).verdict == IDENTICAL


def test_a_value_within_the_noise_is_told_with_its_column_and_size(tmp_path):
    found = compared(tmp_path, {"x": [1.0, 2.0], "y": [0, 0]}, {"x": [1.0, 2.0 + 2e-5], "y": [0, 0]})
    assert found.verdict == NOISE
    assert len(found.where) == 1 and "column x: 1 of 2 values differ, by 2e-05" in found.where[0]


def test_a_value_beyond_the_noise_is_different(tmp_path):
    found = compared(tmp_path, {"x": [1.0, 2.0, 3.0]}, {"x": [1.0, 2.0, 3.1]})
    assert found.verdict == DIFFERENT
    assert "(value 2: 3 recorded, 3.1 rebuilt)" in found.where[0]


def test_whole_numbers_and_texts_have_no_noise(tmp_path):
    """Wrong behaviour: a count of tokens that is off by one in a million passes as rounding."""
    assert compared(tmp_path, {"n": [1_000_000]}, {"n": [1_000_001]}).verdict == DIFFERENT
    found = compared(tmp_path, {"text": ["a", "b"]}, {"text": ["a", "c"]})
    assert found.verdict == DIFFERENT and "row 1: 'b' recorded, 'c' rebuilt" in found.where[0]


def test_missing_values_are_not_numbers(tmp_path):
    a, b = pa.array([1.0, None, 3.0]), pa.array([1.0, 2.0, None])
    assert compared(tmp_path, {"x": a}, {"x": b}).verdict == DIFFERENT
    assert compared(tmp_path, {"x": [np.nan, 1.0]}, {"x": [np.nan, 1.0 + 1e-6]}).verdict == NOISE


def test_lists_are_compared_by_length_and_then_by_value(tmp_path):
    """Wrong behaviour: [[1, 2], [3]] and [[1], [2, 3]] hold the same numbers."""
    moved = compared(tmp_path, {"r": [[1.0, 2.0], [3.0]]}, {"r": [[1.0], [2.0, 3.0]]})
    assert moved.verdict == DIFFERENT and "lists of another length" in moved.where[0]
    assert compared(tmp_path, {"r": [[1.0, 2.0]]}, {"r": [[1.0, 2.00001]]}).verdict == NOISE


def test_other_rows_columns_and_types_are_different(tmp_path):
    assert "2 rows recorded, 1 rebuilt" in compared(tmp_path, {"x": [1, 2]}, {"x": [1]}).where
    assert set(compared(tmp_path, {"x": [1]}, {"y": [1]}).where) == {"column x is missing", "column y is new"}
    assert "type int64, now double" in compared(tmp_path, {"x": [1]}, {"x": [1.0]}).where[0]


def test_measured_times_are_not_compared_where_they_are_measured(tmp_path):
    columns = {"tokens": [5], "score_seconds": [1.0]}, {"tokens": [5], "score_seconds": [9.0]}
    timed = compared(tmp_path, *columns, name="results/search/costs/x.parquet")
    assert timed.verdict == NOISE and "measured times" in timed.where[0]
    assert compared(tmp_path, *columns).verdict == DIFFERENT
    more = compared(tmp_path, columns[0], {"tokens": [6], "score_seconds": [9.0]}, "results/search/costs/x.parquet")
    assert more.verdict == DIFFERENT


def test_tables_in_text_are_compared_by_column(tmp_path):
    for name, value in (("a", "0.5"), ("b", "0.500001"), ("c", "0.6")):
        (tmp_path / f"{name}.csv").write_text(f"prm,accuracy\nx,{value}\n")
    near, far = (compare("t.csv", tmp_path / "a.csv", tmp_path / f"{name}.csv") for name in "bc")
    assert (near.verdict, far.verdict) == (NOISE, DIFFERENT)
    assert "column accuracy" in far.where[0]


def test_weights_are_compared_tensor_by_tensor(tmp_path):
    torch.manual_seed(0)
    one, other = torch.randn(8, 8), torch.randn(8, 8)
    for name, tensors in (
        ("a", {"layer": one, "head": other}),
        ("near", {"layer": one * 1.0001, "head": other}),
        ("far", {"layer": one, "head": other.flip(0)}),
        ("less", {"layer": one}),
    ):
        save_file({key: value.contiguous() for key, value in tensors.items()}, tmp_path / f"{name}.safetensors")
    near, far, less = (
        compare("m.safetensors", tmp_path / "a.safetensors", tmp_path / f"{name}.safetensors")
        for name in ("near", "far", "less")
    )
    assert near.verdict == NOISE and near.where == ("tensor layer: differs by 0.0001 of its norm",)
    assert far.verdict == DIFFERENT and far.where[0].startswith("tensor head")
    assert less.where == ("tensor head is missing",)


def test_another_machine_is_told_and_is_no_difference_of_the_model(tmp_path):
    record = {"step": 4, "provenance": {"versions": {"torch": "1"}, "inputs": {"x": "abc"}}}
    newer = {**record, "provenance": {**record["provenance"], "versions": {"torch": "2"}}}
    other = {**record, "provenance": {**record["provenance"], "inputs": {"x": "def"}}}
    for name, value in (("a", record), ("b", newer), ("c", other)):
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    told, wrong = (compare("prm.json", tmp_path / "a.json", tmp_path / f"{name}.json") for name in "bc")
    assert told.verdict == NOISE and 'provenance.versions.torch: "1" recorded, "2" rebuilt' in told.where
    assert wrong.verdict == DIFFERENT


def test_a_file_that_was_not_made_is_different(tmp_path):
    (tmp_path / "a.svg").write_text("<svg>\n<a/>")
    assert compare("a.svg", tmp_path / "a.svg", tmp_path / "none.svg").verdict == DIFFERENT
    (tmp_path / "b.svg").write_text("<svg>\n<b/>")
    assert "line 2" in compare("a.svg", tmp_path / "a.svg", tmp_path / "b.svg").where[0]
