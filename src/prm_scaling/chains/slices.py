"""Long work on many items in slices: those that a killed job had finished are not done again.

One job does a whole set, so that its model is loaded once and not once a slice; it may be killed at any time limit.
"""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from prm_scaling.storage import read_records, write_records

Item = TypeVar("Item")
Record = TypeVar("Record")
# Items a slice: enough that an engine's batches are full for most of it.
SLICE = 8192


def in_slices(
    items: Sequence[Item],
    make: Callable[[Sequence[Item]], list[Record]],
    kind: type[Record],
    work: str | Path,
    key: str,
    size: int = SLICE,
) -> list[Record]:
    """The records that ``make`` gives for each slice of ``items``, one after the other.

    Args:
        make: maps a slice to its records.
        kind: dataclass of the records.
        work: folder of finished slices, which is no result; the caller removes it when its job has succeeded.
        key: of all that the records follow from; slices that were made under another key are thrown away.
        size: items a slice.
    """
    work = Path(work)
    work.mkdir(parents=True, exist_ok=True)
    for other in work.glob("*"):
        if other.name != key:
            shutil.rmtree(other)
    records: list[Record] = []
    for start in range(0, len(items), size):
        path = work / key / f"{start}.parquet"
        if not path.exists():
            write_records(path, make(items[start : start + size]), kind)
        records += read_records(path, kind)
    return records
