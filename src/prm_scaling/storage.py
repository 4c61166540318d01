"""Records to Parquet and back; every file appears whole or not at all."""

import dataclasses
import json
import os
import tempfile
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


# A batch holds at most so many records, and its texts about so many characters: records may be large.
ROWS, CHARACTERS = 65536, 2**28


@contextmanager
def record_writer(path: str | Path, kind: type, rows: int = ROWS) -> Iterator[Callable[[Any], None]]:
    """A function that takes one record of dataclass ``kind`` after another into a Parquet file at ``path``.

    The file, whose schema is that of ``kind``, appears when the block has succeeded. Memory is that of one batch
    of ``rows`` records.
    """
    schema, names = schema_of(kind), [f.name for f in dataclasses.fields(kind)]
    with whole(path) as temporary, _writer(temporary, schema) as file:
        batch: list[Any] = []
        characters, written = 0, False

        def flush() -> None:
            nonlocal characters, written
            columns = {name: [getattr(record, name) for record in batch] for name in names}
            file.write_table(pa.table(columns, schema=schema), row_group_size=ROWS)
            batch.clear()
            characters, written = 0, True

        def add(record: Any) -> None:
            nonlocal characters
            batch.append(record)
            characters += sum(len(v) for v in vars(record).values() if isinstance(v, str))
            if len(batch) == rows or characters >= CHARACTERS:
                flush()

        yield add
        if batch or not written:
            flush()


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Of a file whose reader finds a damaged byte."""
    return pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)


def write_records(path: str | Path, records: Iterable, kind: type) -> None:
    """The records, all of dataclass ``kind``, as one Parquet file whose schema is that of ``kind``."""
    with record_writer(path, kind) as add:
        for record in records:
            add(record)


def read_records(path: str | Path, kind: type[Kind]) -> list[Kind]:
    """The records of ``path``; ``ValueError`` with the file's name where it is not what ``kind`` says."""
    return list(stream_records(path, kind))


def stream_records(path: str | Path, kind: type[Kind], rows: int = ROWS) -> Iterator[Kind]:
    """The records of ``path`` one after another, in the memory of ``rows`` of them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not what ``kind`` says; the message names it.
    """
    frozen = [_freezer(hint) for hint in typing.get_type_hints(kind).values()]
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            if not file.schema_arrow.equals(schema_of(kind)):
                raise ValueError(
                    f"{path}: its columns are not those of {kind.__name__} ({file.schema_arrow.names}); "
                    "delete it and run again"
                )
            for batch in file.iter_batches(batch_size=rows):
                columns = [column.to_pylist() for column in batch.columns]
                for row in zip(*columns, strict=True):
                    yield kind(*(f(v) for f, v in zip(frozen, row, strict=True)))
    except FileNotFoundError:
        raise
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(f"{path}: not a whole Parquet file ({error}); delete it and run again") from error


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
