"""Reading public data sets: files of all kinds, what is put aside, what ends a run, and what the parameters allow."""

import csv
import dataclasses
import gzip
import hashlib
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from prm_scaling.annotate.ratings import annotate
from prm_scaling.annotate.record import labels_until
from prm_scaling.chains.rated import BATCH, rated_chains
from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.problems.account import Account
from prm_scaling.problems.datasets import DATASETS
from prm_scaling.problems.datasets.read import TooManyMalformed, read_set
from prm_scaling.problems.datasets.settings import DataSource, Problems, ProblemSet
from prm_scaling.problems.datasets.source import SourceError, local_files, rows
from prm_scaling.problems.duplicates import HeldOut, Near
from prm_scaling.problems.labelled import LabelledSolution
from prm_scaling.problems.record import Problem, Question
from prm_scaling.storage import read_records, record_writer, stream_records

RECORDS = [{"question": f"How many are {i} and 1?", "answer": f"So\n#### {i + 1}"} for i in range(5)]
GSM8K = DATASETS["gsm8k"]


def write(path: Path, records: list) -> Path:
    """A file of records of the kind that its name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(json.dumps(record) + "\n" for record in records)
    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(lines.encode()))
    elif path.suffix == ".jsonl":
        path.write_text(lines)
    elif path.suffix == ".json":
        path.write_text(json.dumps(records, indent=2))
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    elif path.suffix == ".arrow":
        table = pa.Table.from_pylist(records)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
            writer.write_table(table)
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(records[0]))
            writer.writeheader()
            writer.writerows(records)
    return path


def records_of(path: Path, **source) -> list:
    """The records that are read of a path."""
    return [row.record for row in rows("data", GSM8K, DataSource(path=str(path), **source))[1]]


def gsm8k(path: Path, count: int = 1000, **source) -> ProblemSet:
    """A training set of GSM8K."""
    data = DataSource(path=str(path), **source)
    return ProblemSet(source="gsm8k", domain="math", split="train", count=count, data=data)


def read(folder: Path, problem_set: ProblemSet, held_out: HeldOut | None = None, malformed: float = 0.5) -> Account:
    """Reads a set ``set`` into ``folder``."""
    paths = [folder / "out.parquet", folder / "out.jsonl", folder / "solutions.parquet"]
    return read_set("set", problem_set, held_out or HeldOut(), malformed, *paths)


# --- files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.json", "a.parquet", "a.csv", "a.arrow"])
def test_every_kind_of_file_holds_the_same_records(tmp_path, name):
    assert records_of(write(tmp_path / name, RECORDS)) == RECORDS


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
    write(tmp_path / "train.jsonl", RECORDS[:2])
    write(tmp_path / "test.jsonl", RECORDS[2:])
    assert records_of(tmp_path, split="train") == RECORDS[:2]
    assert records_of(tmp_path, files=["t*.jsonl"]) == RECORDS[2:] + RECORDS[:2]
    assert records_of(tmp_path, files=["{split}.jsonl"], split="test") == RECORDS[2:]
    with pytest.raises(
        SourceError, match=r"data\.files: nothing in .* is called `b\.jsonl`; there are test\.jsonl, tra"
    ):
        records_of(tmp_path, files=["b.jsonl"])
    with pytest.raises(SourceError, match=r"data\.path: which files of .* are split `valid`\? Name them in `files`"):
        records_of(tmp_path, split="valid")


def test_a_folder_with_one_file_needs_no_name(tmp_path):
    assert records_of(write(tmp_path / "part" / "x.parquet", RECORDS).parents[1]) == RECORDS


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
    good = json.dumps(RECORDS[0]).encode()
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
    path = write(tmp_path / name, RECORDS)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError, match=r"cannot be read.*whole"):
        records_of(path)


# --- where it is ------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("name", ["gsm8k", "apps"])
def test_a_hub_that_cannot_be_reached_is_told(name, monkeypatch):
    import datasets.config
    import huggingface_hub.constants

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(SourceError) as error:
        next(rows("problems.sets.x.data", DATASETS[name], DataSource(path="nobody/nothing"))[1])
    for part in (
        "problems.sets.x.data.path: `nobody/nothing`",
        DATASETS[name].revision,
        "network",
        "name that in `path`",
    ):
        assert part in str(error.value)


def test_sums_are_recorded_and_a_changed_file_is_told(tmp_path):
    path = write(tmp_path / "a.jsonl", RECORDS)
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    origin, _ = rows("data", GSM8K, DataSource(path=str(path), sha256={"a.jsonl": right}))
    assert origin.files == {"a.jsonl": right}
    write(path, RECORDS[:-1])
    with pytest.raises(
        SourceError, match=rf"data\.sha256: .*a\.jsonl has the sum .*, not {right}: the file has changed"
    ):
        rows("data", GSM8K, DataSource(path=str(path), sha256={"a.jsonl": right}))
    with pytest.raises(SourceError, match=r"data\.sha256: `b\.jsonl` is not among"):
        rows("data", GSM8K, DataSource(path=str(path), sha256={"b.jsonl": right}))


def test_local_files_are_those_that_are_read(tmp_path):
    path = write(tmp_path / "train.jsonl", RECORDS)
    assert local_files(GSM8K, DataSource(path=str(tmp_path), split="train")) == [str(path)]
    assert local_files(GSM8K, DataSource(path=str(tmp_path / "none"))) == local_files(GSM8K, DataSource()) == []


# --- sets -------------------------------------------------------------------------------------------------------


def test_a_set_is_read_into_problems(tmp_path):
    account = read(tmp_path, gsm8k(write(tmp_path / "a.jsonl", RECORDS), count=2, skip=1))
    problems = read_records(tmp_path / "out.parquet", Problem)
    assert [(p.id, p.text, p.reference) for p in problems] == [
        ("set-00001", RECORDS[1]["question"], "2"),
        ("set-00002", RECORDS[2]["question"], "3"),
    ]
    assert {(p.domain, p.dataset, p.split, p.template, p.public_inputs) for p in problems} == {
        ("math", "set", "train", "gsm8k", "[]")
    }
    assert (account.records, account.problems, account.malformed) == (2, 2, 0)
    assert account.origin["licence"] == "MIT" and list(account.origin["files"]) == ["a.jsonl"]
    assert (tmp_path / "out.jsonl").read_text() == ""


def test_malformed_records_are_put_aside_with_file_line_field_and_reason(tmp_path):
    path = write(tmp_path / "a.jsonl", [*RECORDS, {"question": "Why?", "answer": "So"}])
    with path.open("a") as file:
        file.write("{\n")
    account = read(tmp_path, gsm8k(path))
    aside = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [(a["file"], a["line"], a["field"]) for a in aside] == [(str(path), 6, "answer"), (str(path), 7, "(line)")]
    assert all(a["reason"] for a in aside)
    assert (account.records, account.malformed, account.problems) == (7, 2, 5)


def test_only_more_malformed_records_than_the_stated_share_end_the_run(tmp_path):
    bad = {"question": "Why?", "answer": "So"}
    path = write(tmp_path / "a.jsonl", [*RECORDS[:4], bad])
    assert read(tmp_path, gsm8k(path), malformed=0.2).malformed == 1
    (tmp_path / "out.parquet").unlink()
    with pytest.raises(TooManyMalformed) as error:
        read(tmp_path, gsm8k(path), malformed=0.19)
    for part in ("problems.sets.set", "1 of 5 records (20.0%)", "`problems.malformed` = 0.19", f"{path}:5: answer: "):
        assert part in str(error.value)
    assert not (tmp_path / "out.parquet").exists()  # whole or not at all
    with pytest.raises(TooManyMalformed, match="no record was read"):
        read(tmp_path, gsm8k(path, skip=5))


def test_problems_of_held_out_sets_are_left_out_and_counted(tmp_path):
    held_out = HeldOut(Near(2, 64, 0.5))
    held_out.add("test", "test-0", RECORDS[0]["question"].upper())
    held_out.add("other", "other-0", "Tell me, how many are 3 and 1?")
    texts = [r["question"] for r in RECORDS]
    matches = [held_out.match(text) for text in texts]
    account = read(tmp_path, gsm8k(write(tmp_path / "a.jsonl", RECORDS)), held_out)
    kept = [p.text for p in read_records(tmp_path / "out.parquet", Problem)]
    assert kept == [t for t, m in zip(texts, matches, strict=True) if m is None]
    assert account.exact == {"test": 1} and account.near["other"] >= 1
    assert account.problems + sum(account.exact.values()) + sum(account.near.values()) == 5


SHEPHERD = [
    {
        "input": f"Why {i % 3}? Step 1: a ки\nStep 2: b ки",
        "label": f"Why {i % 3}? Step 1: a +\nStep 2: b -",
        "task": "x",
    }
    for i in range(7)
]


def labelled(path: Path, **options) -> ProblemSet:
    """A labelled training set."""
    data = DataSource(path=str(path))
    return ProblemSet(source="math_shepherd", domain="math", split="train", count=1000, data=data, **options)


def test_labelled_solutions_share_their_problem(tmp_path):
    """Wrong behaviour: a problem a solution, so that what is split by problem is not."""
    held_out = HeldOut()
    held_out.add("test", "test-0", "why 1?")
    account = read(tmp_path, labelled(write(tmp_path / "a.jsonl", SHEPHERD)), held_out)
    problems = read_records(tmp_path / "out.parquet", Problem)
    solutions = read_records(tmp_path / "solutions.parquet", LabelledSolution)
    assert [p.text for p in problems] == ["Why 0?", "Why 2?"]
    assert [s.problem for s in solutions] == [problems[i].id for i in (0, 1, 0, 1, 0)]
    assert [s.id for s in solutions] == [f"{s.problem}/{i}" for i, s in enumerate(solutions)]
    assert (account.records, account.problems, account.solutions, account.exact) == (7, 2, 5, {"test": 1})
    assert all(s.ratings == (1, -1) and s.category == "x" for s in solutions)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path):
    """Wrong behaviour: all records held at once. Python's own memory, of 5 and of 40 batches."""

    def peak(count: int) -> int:
        path = write(tmp_path / f"{count}.jsonl", [SHEPHERD[i % 7] for i in range(count)])
        tracemalloc.start()
        read(tmp_path, labelled(path))
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    peak(100)  # what is imported and made once
    assert peak(160_000) < 1.3 * peak(20_000)


def test_records_are_written_in_batches_and_read_as_a_stream(tmp_path):
    made = [LabelledSolution(f"q/{i}", "q", ("a",), (None,), "", True, None) for i in range(10)]
    with record_writer(tmp_path / "s.parquet", LabelledSolution, rows=4) as add:
        for record in made:
            add(record)
            assert not (tmp_path / "s.parquet").exists()
    assert pq.ParquetFile(tmp_path / "s.parquet").num_row_groups == 3
    assert list(stream_records(tmp_path / "s.parquet", LabelledSolution, rows=3)) == made
    with pytest.raises(AttributeError), record_writer(tmp_path / "t.parquet", LabelledSolution) as add:
        add(Question("q", "math", "no solution"))
    assert not (tmp_path / "t.parquet").exists()


# --- chains and labels ------------------------------------------------------------------------------------------

ratings = st.lists(st.sampled_from([1, 0, -1, None]), min_size=1, max_size=6)
some_text = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1, max_size=12)


def solution(steps: list[str], rated: list[int | None]) -> LabelledSolution:
    return LabelledSolution("q/0", "q", tuple(steps), tuple(rated), "", True, None)


@given(ratings, st.booleans())
def test_labels_by_property(rated, neutral_right):
    made = solution(["s"] * len(rated), rated)
    error, labels = made.first_error(neutral_right), made.labels(neutral_right)
    assert len(labels) == len(rated) and set(labels) <= {0.0, 1.0}
    right = [1.0 if error < 0 else r for r in labels_until(error, len(rated))]
    before = len(rated) if error < 0 else error
    assert labels[:before] == tuple(right[:before]) and (error < 0 or labels[error] == 0.0)
    for rating, label, until in zip(rated, labels, labels_until(error, len(rated)), strict=True):
        assert label == {1: 1.0, -1: 0.0, 0: float(neutral_right), None: until}[rating]


def test_neutral_counts_as_the_parameter_says():
    made = solution(["a", "b", "c"], [1, 0, -1])
    assert made.first_error() == 2 and made.labels() == (1.0, 1.0, 0.0)
    assert made.first_error(neutral_right=False) == 1 and made.labels(neutral_right=False) == (1.0, 0.0, 0.0)


@given(st.lists(st.tuples(some_text, st.sampled_from([1, 0, -1, None])), min_size=1, max_size=5), st.data())
def test_steps_end_where_their_tokens_end(tokenizer, rated, data):
    """Wrong behaviour: the joined text tokenized again, and steps cut where a separator happens to stand."""
    separator = data.draw(st.sampled_from(["\n", "\n\n"]))
    steps = [text + data.draw(st.sampled_from(["", f"{separator}{text}", "<|endoftext|>"])) for text, _ in rated]
    question = Question("q", "math", "Why?")
    made = solution(steps, [r for _, r in rated])
    (chain,) = rated_chains([made], {"q": question}, tokenizer, separator)
    (annotation,) = annotate([made], True)
    assert len(chain.ends) == len(steps) == len(annotation.labels) and chain.ends[-1] == len(chain.tokens)
    assert Steps(tokenizer, separator).of_chain(chain) == [s.removesuffix(separator) for s in steps]
    assert chain.text == separator.join(steps) == tokenizer.decode(list(chain.tokens))
    assert tokenizer.eos_token_id not in chain.tokens
    assert annotation.first_error == made.first_error() and annotation.chain == chain.id == "q/0"


def test_chains_of_a_stream_have_the_prompt_of_their_problem(tokenizer):
    questions = {name: Question(name, "math", f"Why {name}?") for name in "ab"}
    order = "aab" * BATCH
    made = [
        dataclasses.replace(solution(["x"] * (i % 3 + 1), [1] * (i % 3 + 1)), id=f"{p}/{i}", problem=p)
        for i, p in enumerate(order)
    ]
    chains = list(rated_chains(made, questions, tokenizer, "\n"))
    assert [c.id for c in chains] == [s.id for s in made]
    assert [len(c.ends) for c in chains] == [len(s.steps) for s in made]
    prompts = {name: prompt_tokens(question, tokenizer) for name, question in questions.items()}
    assert [c.prompt for c in chains] == [prompts[p] for p in order]


# --- parameters -------------------------------------------------------------------------------------------------

TEST = {"source": "gsm8k", "domain": "math", "split": "test", "count": 100, "data": {"split": "test"}}


def broken(make: Callable[[], object]) -> str:
    with pytest.raises(ValidationError) as error:
        make()
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"source": "gsm9k"}, ["source: `gsm9k` is not in problems/datasets", "'world'", "'gsm8k'"]),
        ({"domain": "code"}, ["domain `code`", "`gsm8k` are math"]),
        ({"data": None}, ["`gsm8k` needs `data`", "`split`"]),
        ({"data": {"since": "2024-01-01"}}, ["data.since", "`gsm8k` have no dates"]),
        ({"data": {"revision": "main"}}, ["data.revision", "'main'"]),
        ({"data": {"sha256": {"a": "1"}}}, ["data.sha256.a"]),
        ({"source": "livecodebench", "domain": "code", "data": {"since": "1.1.24"}}, ["data.since", "'1.1.24'"]),
        (
            {"source": "livecodebench", "domain": "code", "data": {"since": "2024-02-01", "until": "2024-02-01"}},
            ["since 2024-02-01 is not before until"],
        ),
        ({"source": "world", "surface": "wide"}, ["a world set is made and not read", "`data`"]),
    ],
)
def test_a_set_that_cannot_be_read_is_told(change, told):
    message = broken(lambda: ProblemSet.model_validate(TEST | change))
    assert [part for part in told if part not in message] == [], message


def problems(**sets: dict) -> Problems:
    duplicates = {"ngram": 5, "permutations": 64, "threshold": 0.5}
    return Problems.model_validate(
        {"modulus": 11, "surfaces": {}, "malformed": 0.1, "duplicates": duplicates, "sets": sets}
    )


def test_one_record_is_not_in_two_splits():
    """Wrong behaviour: thresholds tuned on problems that are tested on, as both are cut from one split."""
    validation = TEST | {"split": "validation", "data": {"split": "test", "skip": 99}}
    message = broken(lambda: problems(a=TEST, b=validation))
    for part in ("`a` (test) and `b` (validation) read the same records, 99 to 99 of split `test`", "`data.skip`"):
        assert part in message
    assert problems(a=TEST, b=validation | {"data": {"split": "test", "skip": 100}})
    assert problems(a=TEST, b=validation | {"data": {"split": "train"}})
    assert problems(a=TEST, b=TEST)
