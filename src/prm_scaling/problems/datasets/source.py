"""Records of a data set, from files or from the hub, one after another; a bad one does not end the rest."""

import csv
import hashlib
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyarrow import ArrowInvalid

from prm_scaling.problems.datasets.fields import loads, shown
from prm_scaling.problems.datasets.record import DataSet, Malformed, Record
from prm_scaling.problems.datasets.settings import DataSource

# Which builder of `datasets` reads a file. JSON is read as lines of text and parsed here: Arrow would have all
# records of a file agree on their types, which public sets do not, and one bad line would lose the file.
BUILDERS = {
    ".json": "text",
    ".jsonl": "text",
    ".json.gz": "text",
    ".jsonl.gz": "text",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".csv": "csv",
}
OPTIONS: dict[str, dict[str, Any]] = {
    # A byte that is no UTF-8 becomes an escape that is no JSON, so that its record is malformed and no other.
    "text": {"encoding": "utf-8-sig", "encoding_errors": "backslashreplace", "chunksize": 2**20},
    "csv": {"keep_default_na": False},
}
HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


class SourceError(ValueError):
    """A data set that cannot be read; the message names the parameter and says what to put where."""


@dataclass(frozen=True)
class Row:
    """A record and where it stands: a file, and there a line of text or a row of a table, from 1 up.

    A row that could not be read has no ``record`` but the ``error``.
    """

    file: str
    line: int
    record: Record | None
    error: Malformed | None = None


@dataclass(frozen=True)
class Origin:
    """What was read: the hub name and commit, or the local files and their SHA-256."""

    path: str
    revision: str = ""
    files: dict[str, str] = field(default_factory=dict)


def rows(label: str, dataset: DataSet, source: DataSource) -> tuple[Origin, Iterator[Row]]:
    """The records that ``source`` names, in order.

    Args:
        label: the parameter that holds ``source``, for messages.

    Raises:
        SourceError: a file is missing or is not what its sum says, the hub cannot be reached or does not have the
            revision, or a file cannot be read as what its name says. The last may come only while rows are taken.
    """
    path = source.path or dataset.hub
    local = Path(path)
    if local.exists():
        return _local(label, dataset, source, local, Origin(path))
    if not HUB_NAME.fullmatch(path) or _suffix(path):
        raise SourceError(
            f"{label}.path: `{path}` is not there; put the file or folder at that place (it can be had from "
            f"https://huggingface.co/datasets/{dataset.hub}), or name another path or a hub name (owner/name)"
        )
    revision = source.revision or dataset.revision
    patterns = _patterns(source, dataset)
    if patterns:
        folder = _fetched(label, path, revision, patterns)
        return _local(label, dataset, source, folder, Origin(path, revision))
    names = (source.name,) if source.name else dataset.names
    return Origin(path, revision), _hub_rows(label, path, revision, names, source.split)


def local_files(dataset: DataSet, source: DataSource) -> list[str]:
    """The local files that ``source`` names; none if it names a hub's data set or what is not there."""
    if not source.path or not Path(source.path).exists():
        return []
    return [str(path) for path in _chosen(f"{source.path}", dataset, source, Path(source.path))]


def _local(
    label: str, dataset: DataSet, source: DataSource, path: Path, origin: Origin
) -> tuple[Origin, Iterator[Row]]:
    chosen = _chosen(label, dataset, source, path)
    base = path if path.is_dir() else path.parent
    names = {str(file.relative_to(base)): file for file in chosen if file.is_file()}
    sums = {name: _sum(file) for name, file in names.items()}
    for name, wanted in source.sha256.items():
        if name not in sums:
            raise SourceError(f"{label}.sha256: `{name}` is not among the files that are read: {sorted(sums)}")
        if sums[name] != wanted:
            raise SourceError(
                f"{label}.sha256: {names[name]} has the sum {sums[name]}, not {wanted}: the file has changed; put the "
                "right one there, or its sum into the parameters if the change is meant"
            )
    read = (_file_rows(file) if file.is_file() else _folder_row(dataset, file) for file in chosen)
    return Origin(origin.path, origin.revision, sums), (row for part in read for row in part)


def _patterns(source: DataSource, dataset: DataSet) -> list[str]:
    return [p.replace("{split}", source.split) for p in source.files or dataset.files]


def _chosen(label: str, dataset: DataSet, source: DataSource, path: Path) -> list[Path]:
    """The files to read, or, of a set that is spread as folders, the problems' folders."""
    if path.is_file():
        if not _suffix(path.name):
            raise SourceError(f"{label}.path: `{path}`: none of the kinds that can be read: {', '.join(BUILDERS)}")
        return [path]
    for pattern in source.files:
        if not _matching(path, [pattern.replace("{split}", source.split)]):
            raise SourceError(f"{label}.files: nothing in `{path}` is called `{pattern}`; there are {_list(path)}")
    split = source.split
    found = _matching(path, _patterns(source, dataset)) or _matching(path, [f"{split}.*", f"{split}-*", f"*_{split}.*"])
    if not found and dataset.folder is not None:
        inside = path / split if (path / split).is_dir() else path
        found = sorted(p.parent for p in inside.glob("*/question.txt"))
    everything = _matching(path, ["**/*"])
    if not found and len(everything) != 1:
        raise SourceError(
            f"{label}.path: which files of `{path}` are split `{split}`? Name them in `files`; there are {_list(path)}"
        )
    return found or everything


def _matching(path: Path, patterns: list[str]) -> list[Path]:
    return sorted({p for q in patterns for p in path.glob(q) if p.is_file() and _suffix(p.name)})


def _list(path: Path) -> str:
    names = sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.is_file())
    return f"{', '.join(names[:8])}{', ...' if len(names) > 8 else ''}" or "none"


def _suffix(name: str) -> str:
    """The ending of a file name that says how it is read; empty if none does."""
    return next((suffix for suffix in BUILDERS if name.endswith(suffix)), "")


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# --- the hub ----------------------------------------------------------------------------------------------------


def _not_read(label: str, path: str, revision: str, error: BaseException) -> SourceError:
    """What to do about a hub that gave no data, by what it answered, if it did."""
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    from datasets.exceptions import DatasetNotFoundError

    page, causes = f"https://huggingface.co/datasets/{path}", [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(cause)

    def answered(kind: type[BaseException]) -> bool:
        return any(isinstance(cause, kind) for cause in causes)

    if answered(RevisionNotFoundError):
        return SourceError(
            f"{label}.revision: `{path}` has no commit {revision} (any more); name one of {page}/commits/main in "
            "`revision`, or a folder with a copy of the data in `path`"
        )
    if answered(RepositoryNotFoundError) or answered(DatasetNotFoundError):
        return SourceError(
            f"{label}.path: the hub does not show `{path}` ({error}); correct the name, or, if it is private or its "
            f"page {page} asks for consent, give that and run `hf auth login`"
        )
    return SourceError(
        f"{label}.path: `{path}` at revision {revision} could not be read from the hub ({error}). Is there a network "
        f"connection? Where there is one, `hf download {path} --repo-type dataset --revision {revision} --local-dir "
        "FOLDER` makes a copy; name that folder in `path`"
    )


def _fetched(label: str, path: str, revision: str, patterns: list[str]) -> Path:
    """The folder into which the hub's files of these names were fetched."""
    # Imported here: it takes seconds, and the embedded scales never need it.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HTTPError  # of whatever library it uses

    try:
        return Path(snapshot_download(path, revision=revision, repo_type="dataset", allow_patterns=patterns))
    except (OSError, ValueError, HTTPError) as error:
        raise _not_read(label, path, revision, error) from error


def _hub_rows(label: str, path: str, revision: str, names: Iterable[str], split: str) -> Iterator[Row]:
    from huggingface_hub.errors import HTTPError  # of whatever library it uses

    from datasets import load_dataset
    from datasets.exceptions import DatasetsError

    for name in names:
        where = "/".join(filter(None, [f"{path}@{revision[:12]}", name, split]))
        try:
            stream = load_dataset(path, name or None, split=split, revision=revision, streaming=True)
            for line, record in enumerate(stream, 1):
                yield Row(where, line, record)
        except (OSError, ValueError, DatasetsError, HTTPError) as error:
            raise _not_read(label, path, revision, error) from error


# --- files ------------------------------------------------------------------------------------------------------


def _folder_row(dataset: DataSet, path: Path) -> Iterator[Row]:
    assert dataset.folder is not None
    try:
        yield Row(str(path), 1, dataset.folder(path))
    except Malformed as error:
        yield Row(str(path), 1, None, error)


def _file_rows(path: Path) -> Iterator[Row]:
    builder = BUILDERS[_suffix(path.name)]
    stream = _streamed(path, builder)
    if builder != "text":
        return (Row(str(path), line, record) for line, record in stream)
    return _json_rows(path, ((line, record["text"]) for line, record in stream))


def _streamed(path: Path, builder: str) -> Iterator[tuple[int, Record]]:
    """The lines or rows of a file, in the memory of some megabytes of it."""
    from datasets import Features, Value, load_dataset
    from datasets.exceptions import DatasetsError

    options = OPTIONS.get(builder, {})
    if builder == "csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
        # Texts all: 007 is not 7.
        options = {**options, "features": Features({name: Value("string") for name in header})}
    try:
        # Absolute, or `datasets` would look below its own folders for a path that begins otherwise.
        data = load_dataset(builder, data_files=str(path.resolve()), split="train", streaming=True, **options)
        yield from enumerate(data, 1)
    except (OSError, EOFError, zlib.error, ArrowInvalid, DatasetsError) as error:
        raise SourceError(
            f"{path}: cannot be read as {_suffix(path.name)} ({error}); is it whole? Put a whole copy in its place"
        ) from error


def _json_rows(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[Row]:
    """The records of JSON lines, or of a JSON array of records over many lines."""
    for line, text in lines:
        if not text.strip():
            continue
        if text.lstrip().startswith("["):
            yield from _array_rows(path, line, "\n".join([text, *(rest for _, rest in lines)]))
            return
        try:
            yield _row(path, line, loads(text, "(line)"))
        except Malformed as error:
            yield Row(str(path), line, None, error)


def _array_rows(path: Path, line: int, text: str) -> Iterator[Row]:
    decoder, space = json.JSONDecoder(), re.compile(r"[\s,]*")
    place = text.index("[") + 1
    line += text.count("\n", 0, place)
    while True:
        start = space.match(text, place).end()  # type: ignore[union-attr]
        line += text.count("\n", place, start)
        if text[start : start + 1] == "]":
            return
        try:
            _, place = decoder.raw_decode(text, start)
            record = loads(text[start:place], "(record)")
        except Malformed as error:
            yield Row(str(path), line, None, error)
        except (ValueError, RecursionError) as error:
            # Where one record ends and the next begins is not known any more.
            raise SourceError(
                f"{path}: line {line}: the JSON array cannot be read on ({error}); put a whole copy in its place"
            ) from error
        else:
            yield _row(path, line, record)
        line += text.count("\n", start, place)


def _row(path: Path, line: int, value: object) -> Row:
    if isinstance(value, dict):
        return Row(str(path), line, value)
    return Row(str(path), line, None, Malformed("(record)", f"not an object: {shown(value)}"))
