"""Files of public data sets: kinds, folders, lines that cannot be read, where a set is and what it was."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import datasets.config
import huggingface_hub.constants
import pytest
from dataset_records import QUESTIONS, write

from prm_scaling.problems.datasets import DATASETS
from prm_scaling.problems.datasets.settings import DataSource
from prm_scaling.problems.datasets.source import SourceError, local_files, rows

GSM8K = DATASETS["gsm8k"]


def records_of(path: Path, **source) -> list:
    """The records that are read of a path."""
    return [row.record for row in rows("data", GSM8K, DataSource(path=str(path), **source))[1]]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.parquet", "a.csv", "a.arrow"])
def test_every_kind_of_file_holds_the_same_records(tmp_path, name):
    assert records_of(write(tmp_path / name, QUESTIONS)) == QUESTIONS


def test_numbers_in_csv_stay_as_they_are_written(tmp_path):
    """Wrong behaviour: pandas' guesses, which make 7 of 007 and nothing of the text NA."""
    rows = [{"question": "NA", "answer": "#### 007"}]
    assert records_of(write(tmp_path / "a.csv", rows)) == rows
    assert GSM8K.read(records_of(tmp_path / "a.csv")[0], DataSource().options).reference == "007"


def test_records_need_not_agree_on_types(tmp_path):
    """Wrong behaviour: a column of mixed types, usual in public sets, makes the file unreadable."""
    mixed = [{"a": 1}, {"a": "x"}, {"a": None, "b": [[1, "y"]]}, {"a": {"c": 1}}, {"a": [1.5, True]}]
    assert records_of(write(tmp_path / "a.jsonl", mixed)) == mixed


def test_a_folder_is_read_by_split_or_by_the_files_named(tmp_path):
    write(tmp_path / "train.jsonl", QUESTIONS[:2])
    write(tmp_path / "test.jsonl", QUESTIONS[2:])
    assert records_of(tmp_path, split="train") == QUESTIONS[:2]
    assert records_of(tmp_path, files=["t*.jsonl"]) == QUESTIONS[2:] + QUESTIONS[:2]
    assert records_of(tmp_path, files=["{split}.jsonl"], split="test") == QUESTIONS[2:]
    with pytest.raises(
        SourceError, match=r"data\.files: nothing in .* is called `b\.jsonl`; there are test\.jsonl, tra"
    ):
        records_of(tmp_path, files=["b.jsonl"])
    with pytest.raises(SourceError, match=r"data\.path: which files of .* are split `valid`\? Name them in `files`"):
        records_of(tmp_path, split="valid")


def test_a_folder_with_one_file_needs_no_name(tmp_path):
    assert records_of(write(tmp_path / "part" / "x.parquet", QUESTIONS).parents[1]) == QUESTIONS


def test_apps_is_read_from_its_authors_folders(tmp_path):
    for name in ("0001", "0002"):
        folder = tmp_path / "train" / name
        folder.mkdir(parents=True)
        (folder / "question.txt").write_text("Add.")
        (folder / "input_output.json").write_text('{"inputs": ["1"], "outputs": ["2"]}')
    (folder / "metadata.json").write_text("[")
    source = DataSource(path=str(tmp_path), split="train")
    first, second = rows("data", DATASETS["apps"], source)[1]
    assert DATASETS["apps"].read(first.record, source.options).text.startswith("Add.")
    assert second.error.field == "metadata.json" and second.file.endswith("0002")


def test_a_line_that_cannot_be_read_is_named_and_ends_nothing(tmp_path):
    """Wrong behaviour: one bad line loses the file, or lines are counted without the empty ones."""
    path = tmp_path / "a.jsonl"
    good = json.dumps(QUESTIONS[0]).encode()
    lines = [
        good,
        b"",
        b"{bad",
        b"[1]"[1:2],
        b'{"question": "\xff"}',
        b'{"a": "\\ud800"}',
        b"\xe2\x80\xa8".join([good] * 2),
    ]
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join([*lines, good]) + b"\n")
    found = list(rows("data", GSM8K, DataSource(path=str(path)))[1])
    assert [(r.line, r.record is not None) for r in found] == [
        (1, True),
        (3, False),
        (4, False),
        (5, False),
        (6, False),
        (7, False),
        (8, True),
    ]
    assert all(r.error is None or (r.error.field and r.error.reason) for r in found)
    assert all(r.file == str(path) for r in found)


def test_records_of_an_array_have_their_own_lines(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('\n[\n {"a": 1},\n {"a":\n  2}, 3,\n\n {"a": "\\ud800"}, {"a": 4}\n]\n')
    found = list(rows("data", GSM8K, DataSource(path=str(path)))[1])
    assert [(r.line, r.record) for r in found] == [(3, {"a": 1}), (4, {"a": 2}), (5, None), (7, None), (7, {"a": 4})]


@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.json", "a.parquet"])
def test_a_file_that_was_cut_off_is_told_from_a_whole_one(tmp_path, name):
    """Wrong behaviour: the records before the cut taken for all there are."""
    path = write(tmp_path / name, QUESTIONS)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError, match=r"cannot be read.*whole"):
        records_of(path)


# --- where it is ---


def test_a_missing_file_is_told_with_where_to_get_it(tmp_path):
    with pytest.raises(SourceError) as error:
        records_of(tmp_path / "none.jsonl")
    for part in (
        "data.path",
        "none.jsonl",
        "put the file or folder at that place",
        "huggingface.co/datasets/openai/gsm8k",
    ):
        assert part in str(error.value)
    (tmp_path / "a.txt").touch()
    with pytest.raises(SourceError, match=r"none of the kinds that can be read: \.json, "):
        records_of(tmp_path / "a.txt")


def told(name: str) -> str:
    """What is told of a set on the hub that is not read."""
    with pytest.raises(SourceError) as error:
        next(rows("sets.x.data", DATASETS[name], DataSource(path="some/thing"))[1])
    return str(error.value)


def offline(monkeypatch, value: bool) -> None:
    for module in (datasets.config, huggingface_hub.constants):
        monkeypatch.setattr(module, "HF_HUB_OFFLINE", value)


# One is read by `datasets`, one by its files.
TWO = pytest.mark.parametrize("name", ["gsm8k", "apps"])


@TWO
def test_a_hub_that_cannot_be_reached_is_told_with_how_to_make_a_copy(name, monkeypatch):
    offline(monkeypatch, True)
    message, revision = told(name), DATASETS[name].revision
    assert f"sets.x.data.path: `some/thing` at revision {revision} could not be read" in message
    assert f"`hf download some/thing --repo-type dataset --revision {revision} --local-dir FOLDER`" in message


@TWO
@pytest.mark.parametrize(
    ("code", "answer", "parts"),
    [
        (
            404,
            "RevisionNotFound",
            ["data.revision: `some/thing` has no commit", "some/thing/commits/main in `revision`"],
        ),
        (404, "RepoNotFound", ["data.path: the hub does not show `some/thing`", "correct the name"]),
        (403, "GatedRepo", ["data.path: the hub does not show `some/thing`", "run `hf auth login`"]),
    ],
)
def test_what_the_hub_answers_is_told_apart(name, code, answer, parts, monkeypatch):
    """Wrong behaviour: a commit that is gone told as a network that is down."""

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(code)
            for header, value in (("X-Error-Code", answer), ("Content-Length", "0")):
                self.send_header(header, value)
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        offline(monkeypatch, False)
        address = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setattr(datasets.config, "HF_ENDPOINT", address)
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
        template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        message = told(name)
        server.shutdown()
    assert [part for part in parts if part not in message] == [], message


def test_sums_are_recorded_and_a_changed_file_is_told(tmp_path):
    path = write(tmp_path / "a.jsonl", QUESTIONS)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    origin, _ = rows("data", GSM8K, DataSource(path=str(path), sha256={"a.jsonl": right}))
    assert origin.files == {"a.jsonl": right}
    write(path, QUESTIONS[:-1])
    with pytest.raises(
        SourceError, match=rf"data\.sha256: .*a\.jsonl has the sum .*, not {right}: the file has changed"
    ):
        rows("data", GSM8K, DataSource(path=str(path), sha256={"a.jsonl": right}))
    with pytest.raises(SourceError, match=r"data\.sha256: `b\.jsonl` is not among"):
        rows("data", GSM8K, DataSource(path=str(path), sha256={"b.jsonl": right}))


def test_local_files_are_those_that_are_read(tmp_path):
    path = write(tmp_path / "train.jsonl", QUESTIONS)
    assert local_files(GSM8K, DataSource(path=str(tmp_path), split="train")) == [str(path)]
    assert local_files(GSM8K, DataSource(path=str(tmp_path / "none"))) == local_files(GSM8K, DataSource()) == []
