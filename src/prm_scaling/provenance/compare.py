"""Compares a rebuilt file with the recorded one, by what it holds: columns, tensors, values, lines."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

Verdict = Literal["identical", "equal within the stated noise", "different"]
IDENTICAL: Verdict = "identical"
NOISE: Verdict = "equal within the stated noise"
DIFFERENT: Verdict = "different"
ORDER = (IDENTICAL, NOISE, DIFFERENT)


@dataclass(frozen=True)
class Comparison:
    """A verdict on one file, and where it differs."""

    path: str
    verdict: Verdict
    where: tuple[str, ...] = ()


@cache
def stated_noise() -> dict[str, Any]:
    """The content of noise.yaml."""
    return yaml.safe_load((Path(__file__).parent / "noise.yaml").read_text())


def worst(verdicts: Iterator[Verdict]) -> Verdict:
    """The verdict on a node of which these are those on its files."""
    return max(verdicts, key=ORDER.index, default=IDENTICAL)


def compare(path: str, recorded: Path, rebuilt: Path) -> Comparison:
    """Compare two files of the same kind, which ``path`` names (a path from the checkout's root)."""
    if not rebuilt.is_file():
        return Comparison(path, DIFFERENT, ("the job did not make it",))
    if recorded.read_bytes() == rebuilt.read_bytes():
        return Comparison(path, IDENTICAL)
    by_kind = {".parquet": _tables, ".csv": _tables, ".safetensors": _tensors, ".json": _json}
    found = list(by_kind.get(recorded.suffix, _bytes)(path, recorded, rebuilt))
    # Files of other bytes that hold the same (another order of metadata) are equal, not identical.
    verdict = worst(iter([NOISE, *(verdict for verdict, _ in found)]))
    return Comparison(path, verdict, tuple(text for _, text in found) or ("other bytes, the same values",))


def _close(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    floats = stated_noise()["floats"]
    return np.isclose(b, a, rtol=floats["relative"], atol=floats["absolute"], equal_nan=True)


def _numbers(what: str, a: np.ndarray, b: np.ndarray) -> Iterator[tuple[Verdict, str]]:
    """Differences of two equally long arrays of numbers."""
    unequal = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    if unequal.any():
        far = unequal & ~_close(a, b)
        with np.errstate(invalid="ignore"):
            most = np.nanmax(np.abs(a - b)[unequal], initial=0.0)
        first = int(np.argmax(far if far.any() else unequal))
        yield (
            DIFFERENT if far.any() else NOISE,
            f"{what}: {unequal.sum()} of {len(a)} values differ, by {most:.3g} at the most "
            f"(value {first}: {a[first]:.6g} recorded, {b[first]:.6g} rebuilt)",
        )


def _column(name: str, a: pa.ChunkedArray, b: pa.ChunkedArray) -> Iterator[tuple[Verdict, str]]:
    """Differences of two equally long columns; lists are compared by length, then value by value."""
    if a.equals(b):
        return
    first, second = a.combine_chunks(), b.combine_chunks()
    if pa.types.is_list(first.type):
        lengths = [np.diff(column.offsets.to_numpy()) for column in (first, second)]
        if not np.array_equal(*lengths):
            places = np.flatnonzero(lengths[0] != lengths[1])
            yield (
                DIFFERENT,
                f"column {name}: {len(places)} of {len(a)} rows hold lists of another length (first: row {places[0]})",
            )
            return
        first, second = first.flatten(), second.flatten()
    if pa.types.is_floating(first.type):
        yield from _numbers(f"column {name}", *(c.cast(pa.float64()).to_numpy(False) for c in (first, second)))
        return
    values = first.to_pylist(), second.to_pylist()
    rows = [i for i, (x, y) in enumerate(zip(*values, strict=True)) if x != y]
    if rows:
        shown = " recorded, ".join(repr(v[rows[0]])[:80] for v in values)
        yield (
            DIFFERENT,
            f"column {name}: {len(rows)} of {len(first)} values differ (first: row {rows[0]}: {shown} rebuilt)",
        )


def _read(path: Path) -> pa.Table:
    if path.suffix == ".parquet":
        return pq.read_table(path)
    return pa.Table.from_pandas(pd.read_csv(path), preserve_index=False)


def _tables(path: str, recorded: Path, rebuilt: Path) -> Iterator[tuple[Verdict, str]]:
    a, b = _read(recorded), _read(rebuilt)
    for missing in sorted(set(a.column_names) - set(b.column_names)):
        yield DIFFERENT, f"column {missing} is missing"
    for added in sorted(set(b.column_names) - set(a.column_names)):
        yield DIFFERENT, f"column {added} is new"
    if len(a) != len(b):
        yield DIFFERENT, f"{len(a)} rows recorded, {len(b)} rebuilt"
        return
    timed = [column for glob, names in stated_noise()["timings"].items() if fnmatch(path, glob) for column in names]
    for name in a.column_names:
        if name not in b.column_names:
            continue
        if a.schema.field(name).type != b.schema.field(name).type:
            yield DIFFERENT, f"column {name}: type {a.schema.field(name).type}, now {b.schema.field(name).type}"
        elif any(fnmatch(name, column) for column in timed):
            if not a[name].equals(b[name]):
                yield NOISE, f"column {name}: measured times, not compared"
        else:
            yield from _column(name, a[name], b[name])


def _tensors(path: str, recorded: Path, rebuilt: Path) -> Iterator[tuple[Verdict, str]]:
    from safetensors.torch import load_file

    a, b = load_file(recorded), load_file(rebuilt)
    least = stated_noise()["tensors"]["relative"]
    for name in sorted(set(a) | set(b)):
        if name not in a or name not in b:
            yield DIFFERENT, f"tensor {name} is {'missing' if name in a else 'new'}"
        elif a[name].shape != b[name].shape:
            yield DIFFERENT, f"tensor {name}: shape {tuple(a[name].shape)}, now {tuple(b[name].shape)}"
        elif not a[name].equal(b[name]):
            old, new = a[name].double(), b[name].double()
            share = float((new - old).norm() / old.norm()) if old.norm() else math.inf
            yield NOISE if share <= least else DIFFERENT, f"tensor {name}: differs by {share:.3g} of its norm"


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """(place, value) of every value in nested objects and lists; ``place`` with dots."""
    if isinstance(value, dict | list):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in entries:
            yield from leaves(inner, f"{place}.{key}" if place else str(key))
    else:
        yield place, value


def _json(path: str, recorded: Path, rebuilt: Path) -> Iterator[tuple[Verdict, str]]:
    a, b = (dict(leaves(json.loads(file.read_text()))) for file in (recorded, rebuilt))
    around = stated_noise()["surroundings"]
    for place in sorted(a.keys() | b.keys()):
        old, new = a.get(place), b.get(place)
        if old == new:
            continue
        told = f"{place}: {json.dumps(old)} recorded, {json.dumps(new)} rebuilt"
        if any(place == name or place.startswith(f"{name}.") for name in around):
            yield NOISE, told
        elif isinstance(old, float) and isinstance(new, float):
            yield from _numbers(place, np.array([old]), np.array([new]))
        else:
            yield DIFFERENT, told


def _bytes(path: str, recorded: Path, rebuilt: Path) -> Iterator[tuple[Verdict, str]]:
    a, b = recorded.read_bytes(), rebuilt.read_bytes()
    place = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    line = a[:place].count(b"\n") + 1
    yield DIFFERENT, f"from byte {place} on (line {line}); {len(a)} bytes recorded, {len(b)} rebuilt"
