"""All public data sets alike: malformed records, what each states of itself, and real records."""

import contextlib

import pytest
from dataset_records import (
    APPS,
    CONTEST,
    DATA,
    GSM8K,
    HUMANEVAL,
    LIVE,
    MATH,
    MBPP,
    PRMBENCH,
    PROCESS,
    SHEPHERD,
    completion,
    needs_data,
    prm800k,
    read,
)
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.problems.code_tests import parse_suite
from prm_scaling.problems.datasets import DATASETS
from prm_scaling.problems.datasets.record import Malformed, Options
from prm_scaling.problems.datasets.settings import DataSource
from prm_scaling.problems.datasets.source import rows

MALFORMED = [
    ("math", MATH | {"problem": None}, "problem"),
    ("math", MATH | {"problem": " "}, "problem"),
    ("math", MATH | {"level": "Level 9"}, "level"),
    ("math", MATH | {"solution": "no answer"}, "solution"),
    ("gsm8k", GSM8K | {"answer": "3000"}, "answer"),
    ("gsm8k", GSM8K | {"question": 3}, "question"),
    ("apps", APPS | {"input_output": ""}, "input_output"),
    ("apps", APPS | {"input_output": "{"}, "input_output"),
    ("apps", APPS | {"input_output": '{"inputs": [], "outputs": []}'}, "input_output"),
    ("apps", APPS | {"input_output": '{"inputs": ["1"], "outputs": []}'}, "input_output"),
    ("apps", APPS | {"input_output": '{"inputs": [1], "outputs": ["1"]}'}, "input_output"),
    ("apps", APPS | {"input_output": '{"fn_name": "a b", "inputs": [[1]], "outputs": [1]}'}, "input_output"),
    ("apps", APPS | {"input_output": '{"fn_name": "f", "inputs": [1], "outputs": [1]}'}, "input_output"),
    ("apps", APPS | {"input_output": '{"inputs": ["\\ud800"], "outputs": ["1"]}'}, "input_output"),
    ("code_contests", CONTEST | {"input_file": "in.txt"}, "input_file"),
    ("code_contests", CONTEST | {"public_tests": {"input": ["1"], "output": []}}, "public_tests"),
    ("humaneval", HUMANEVAL | {"entry_point": "g"}, "entry_point"),
    ("humaneval", HUMANEVAL | {"test": ""}, "test"),
    ("mbpp", MBPP | {"test_list": "assert"}, "test_list"),
    ("mbpp", MBPP | {"test_list": ["assert", 3]}, "test_list[1]"),
    ("mbpp_plus", MBPP | {"test": "pass"}, "test"),
    ("livecodebench", LIVE | {"private_test_cases": "!"}, "private_test_cases"),
    ("livecodebench", LIVE | {"public_test_cases": '[{"input": "1"}]'}, "public_test_cases"),
    ("math_shepherd", SHEPHERD | {"label": SHEPHERD["label"].replace(" -", " *")}, "label"),
    ("math_shepherd", SHEPHERD | {"label": SHEPHERD["label"].replace("odd", "even")}, "label"),
    ("math_shepherd", SHEPHERD | {"input": SHEPHERD["input"] + " more"}, "input"),
    ("math_shepherd", {"input": "Why?", "label": "Why?"}, "input"),
    ("processbench", PROCESS | {"label": 3}, "label"),
    ("processbench", PROCESS | {"label": True}, "label"),
    ("processbench", PROCESS | {"steps": []}, "steps"),
    ("processbench", PROCESS | {"final_answer_correct": "yes"}, "final_answer_correct"),
    ("processbench", PROCESS | {"id": "7"}, "id"),
    ("prmbench", PRMBENCH | {"error_steps": [4]}, "error_steps"),
    ("prmbench", PRMBENCH | {"error_steps": [0]}, "error_steps"),
    ("prmbench", PRMBENCH | {"classification": "other"}, "classification"),
    ("prm800k", prm800k([{"completions": [completion("a", 2)], "chosen_completion": 0}]), "label.steps[0]"),
    ("prm800k", prm800k([{"completions": [completion("a", 1)], "chosen_completion": 5}]), "label.steps[0]"),
    ("prm800k", prm800k([]), "label.steps"),
    ("prm800k", {"question": "Why?", "process": "a ки b", "labels": [1, 1]}, "process"),
    ("prm800k", {"question": "Why?", "process": "a ки", "labels": [1, 1]}, "labels"),
]


@pytest.mark.parametrize(("name", "record", "field"), MALFORMED)
def test_a_malformed_record_is_refused_with_its_field(name, record, field):
    with pytest.raises(Malformed) as error:
        read(name, record)
    assert error.value.field.startswith(field) and error.value.reason


GOOD = {
    "math": MATH,
    "math500": MATH,
    "gsm8k": GSM8K,
    "apps": APPS,
    "taco": APPS,
    "code_contests": CONTEST,
    "humaneval": HUMANEVAL,
    "humaneval_plus": HUMANEVAL,
    "mbpp": MBPP,
    "mbpp_plus": MBPP | {"test": "assertion(add(*inp), 3, 0)"},
    "livecodebench": LIVE,
    "bigcodebench": {"complete_prompt": "def f(): ...", "entry_point": "f", "test": "import unittest"},
    "prm800k": prm800k([{"completions": [completion("a", 1)], "chosen_completion": 0}]),
    "math_shepherd": SHEPHERD,
    "processbench": PROCESS,
    "prmbench": PRMBENCH,
}
odd = st.sampled_from([None, 0, -1, True, 1.5, "", " ", "x", [], [[]], {}, [None], {"a": []}, "\x00"])


@pytest.mark.parametrize("name", DATASETS)
@given(data=st.data())
def test_whatever_a_field_holds_a_record_is_read_or_malformed(name, data):
    """Wrong behaviour: one odd record among a million ends the run with a TypeError."""
    record = dict(GOOD[name])
    for field in data.draw(st.lists(st.sampled_from(sorted(record)), min_size=1, max_size=2)):
        record[field] = data.draw(odd)
    with contextlib.suppress(Malformed):
        entry = DATASETS[name].read(record, Options())
        assert entry.text and len(entry.solutions) == len([s for s in entry.solutions if s.steps])


def test_every_data_set_states_licence_citation_and_commit():
    for dataset in DATASETS.values():
        assert dataset.licence and "arXiv" in dataset.citation
        assert len(dataset.revision) == 40 and dataset.hub.count("/") == 1


# --- real records ---

REAL = {
    # file: (data set, what is chosen of it, records, malformed)
    "math500/test.jsonl": ("math500", {}, 500, 0),
    "math500/variant_level_string_first50.jsonl": ("math", {}, 50, 0),
    "gsm8k/test.jsonl": ("gsm8k", {}, 1319, 0),
    "gsm8k/train_first500.jsonl": ("gsm8k", {}, 500, 0),
    "apps/apps_hf_style.jsonl": ("apps", {}, 100, 0),
    "apps/original_layout": ("apps", {"split": "train"}, 5, 0),
    "bigcodebench/bigcodebench_first100.jsonl": ("bigcodebench", {}, 100, 0),
    "humaneval/HumanEval.jsonl.gz": ("humaneval", {}, 164, 0),
    "humaneval/example_problem.jsonl": ("humaneval", {}, 1, 0),
    "humaneval_plus/HumanEvalPlus-Mini.jsonl.gz": ("humaneval_plus", {}, 164, 0),
    "humaneval_plus/HumanEvalPlus-OriginFmt.jsonl.gz": ("humaneval_plus", {}, 164, 0),
    "livecodebench/lcb_first100_public_only.jsonl": ("livecodebench", {"hidden": False}, 100, 0),
    "livecodebench/sandboxfusion_lcb_v1_samples.jsonl": ("livecodebench", {}, 3, 0),
    "mbpp/mbpp.jsonl": ("mbpp", {}, 974, 0),
    "mbpp/sanitized-mbpp.json": ("mbpp", {}, 427, 0),
    "mbpp_plus/MbppPlus-OriginFmt.jsonl.gz": ("mbpp_plus", {}, 378, 0),
    "math_shepherd/samples_math-shepherd.jsonl": ("math_shepherd", {}, 7, 0),
    "prm800k/openr_samples_raw.jsonl": ("prm800k", {}, 6, 0),
    "prm800k/phase1_phase2_examples_raw.jsonl": ("prm800k", {}, 5, 0),
    "prm800k/openr_processed_multi_step.json": ("prm800k", {}, 310, 0),
    # Three records name an error step beyond the last step.
    "prmbench/subset200_target_data.jsonl": ("prmbench", {}, 200, 3),
    "processbench/gsm8k_first60.json": ("processbench", {}, 60, 0),
    "processbench/math_sample50.json": ("processbench", {}, 50, 0),
    "processbench/olympiadbench_sample50.json": ("processbench", {}, 50, 0),
    "processbench/omnimath_sample50.json": ("processbench", {}, 50, 0),
}


@needs_data
@pytest.mark.parametrize("file", REAL)
def test_real_records_are_read(file):
    name, options, records, malformed = REAL[file]
    dataset, source = DATASETS[name], DataSource(path=str(DATA / file), **options)
    _, found = rows("data", dataset, source)
    entries, refused = [], []
    for row in found:
        assert row.record is not None
        try:
            entries.append(dataset.read(row.record, source.options))
        except Malformed as error:
            refused.append((row.line, error.field))
    assert (len(entries) + len(refused), len(refused)) == (records, malformed), refused
    if dataset.domain == "code":
        assert all(parse_suite(entry.reference) for entry in entries)
    elif not dataset.labelled:
        assert all(entry.reference for entry in entries)
    for entry in entries:
        assert bool(entry.solutions) == dataset.labelled
        assert all(len(s.steps) == len(s.ratings) and all(s.steps) for s in entry.solutions)
