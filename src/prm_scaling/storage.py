"""Records to Parquet and back; every file appears whole or not at all."""

import dataclasses
import json
import os
import tempfile
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

Kind = typing.TypeVar("Kind")


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """A temporary path beside ``path`` that takes its place only if the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | Path, value: object) -> None:
    """``value`` as indented JSON with sorted keys."""
    with whole(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n")


def write_records(path: str | Path, records: Sequence, kind: type) -> None:
    """The records, all of dataclass ``kind``, as one Parquet file whose schema is that of ``kind``."""
    columns = {f.name: [getattr(r, f.name) for r in records] for f in dataclasses.fields(kind)}
    with whole(path) as temporary:
        pq.write_table(pa.table(columns, schema=schema_of(kind)), temporary, compression="zstd")


def read_records(path: str | Path, kind: type[Kind]) -> list[Kind]:
    """The records of ``path``; ``ValueError`` with the file's name where it is not what ``kind`` says."""
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise ValueError(f"{path}: not a whole Parquet file ({error}); delete it and run again") from error
    if not table.schema.equals(schema_of(kind)):
        raise ValueError(
            f"{path}: its columns are not those of {kind.__name__} ({table.schema.names}); delete it and run again"
        )
    frozen = [_freezer(hint) for hint in typing.get_type_hints(kind).values()]
    columns = [table.column(name).to_pylist() for name in table.schema.names]
    return [kind(*(f(v) for f, v in zip(frozen, row, strict=True))) for row in zip(*columns, strict=True)]


def schema_of(kind: type) -> pa.Schema:
    """The Arrow schema of a dataclass of ``str``, ``int``, ``float``, ``bool``, tuples of these, or ``None``."""
    hints = typing.get_type_hints(kind)
    return pa.schema([pa.field(f.name, _arrow(hints[f.name])) for f in dataclasses.fields(kind)])


def _arrow(hint: object) -> pa.DataType:
    simple = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    if hint in simple:
        return simple[hint]
    if typing.get_origin(hint) is types.UnionType:
        (inner,) = (a for a in typing.get_args(hint) if a is not type(None))
        return _arrow(inner)
    if typing.get_origin(hint) is typing.Literal:
        return pa.string()
    if typing.get_origin(hint) is tuple:
        return pa.list_(_arrow(typing.get_args(hint)[0]))
    raise TypeError(f"no column type for {hint}")


def _freezer(hint: object) -> Callable:
    if typing.get_origin(hint) is types.UnionType:
        (inner,) = (_freezer(a) for a in typing.get_args(hint) if a is not type(None))
        return lambda value: None if value is None else inner(value)
    if typing.get_origin(hint) is tuple:
        inner = _freezer(typing.get_args(hint)[0])
        return lambda values: tuple(inner(v) for v in values)
    return lambda value: value
