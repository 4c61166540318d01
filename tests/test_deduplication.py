"""Held-out problems stay out of training: exact duplicates and near ones are found, others are not."""

import pytest
from conftest import DOMAINS, embedded
from dataset_records import DATA, needs_data
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.problems.account import Account, table
from prm_scaling.problems.duplicates import HeldOut, Match, Near, jaccard, normalised, shingles

NEAR = Near(ngram=3, permutations=128, threshold=0.5)

words = st.lists(st.sampled_from([f"w{i}" for i in range(10)]), min_size=1, max_size=30).map(" ".join)


def index(texts: list[str], near: Near | None = NEAR) -> HeldOut:
    """An index of these texts as the problems ``t-0``, ``t-1``, ... of the set ``t``."""
    held_out = HeldOut(near)
    for i, text in enumerate(texts):
        held_out.add("t", f"t-{i}", text)
    return held_out


@pytest.mark.parametrize(
    "text", ["What is 2 + x?", "what  is\n2 + X?", " What is 2 + x?\t", "What is ２ + x?", "What\u00a0is 2 + x?"]
)
def test_case_space_and_forms_of_characters_make_no_difference(text):
    assert index(["What is 2 + x?"], None).match(text) == Match("exact", "t", "t-0")


@pytest.mark.parametrize("text", ["What is 2 - x?", "What is 2 + x", "What is 3 + x?", "What is 2+x?"])
def test_signs_make_a_difference(text):
    """Wrong behaviour: punctuation thrown away, so that 2 + x and 2 - x are one problem."""
    assert index(["What is 2 + x?"], None).match(text) is None


def test_a_reworded_problem_is_near():
    held_out = index(["Tom has 5 apples and buys 3 more at the market on Sunday. How many apples has he now?"])
    near = "Tom has 5 apples and buys 3 more at the market on Monday. How many apples has he now?"
    assert held_out.match(near) == Match("near", "t", "t-0")
    assert held_out.match("Ann reads 5 pages and then 3 more. How many pages is that?") is None
    assert index([near], None).match(near.replace("Monday", "Sunday")) is None


def test_the_nearest_is_named():
    texts = ["a b c d e f g h i j", "a b c d e f g h i k", "a b c d e f x y z w"]
    found = index(texts).match("a b c d e f g h i k l")
    assert found == Match("near", "t", "t-1")


def test_of_equal_held_out_problems_the_first_stands_for_all():
    assert index(["a b c", "A  B c"]).match("a b c") == Match("exact", "t", "t-0")


def test_nothing_is_a_duplicate_of_nothing():
    assert index([]).match("a b c") is None and index([], None).match("") is None


@given(st.lists(words, max_size=6), words)
def test_whatever_is_called_near_is_near_and_whatever_is_called_exact_is_equal(texts, text):
    """Wrong behaviour: two texts whose hashes happen to agree called duplicates, and a problem lost."""
    found = index(texts).match(text)
    shares = [jaccard(shingles(normalised(text), 3), shingles(normalised(t), 3)) for t in texts]
    if text in texts:
        assert found is not None and found.kind == "exact"
    elif found is not None:
        assert shares[int(found.id[2:])] == max(shares) >= NEAR.threshold
    else:
        # By hashing a pair just above the threshold may be missed, a pair far above it may not.
        assert max(shares, default=0) < 0.8


@given(words)
def test_a_text_of_fewer_words_than_an_ngram_is_its_own(text):
    assert shingles(text, 100) == {text} and jaccard(shingles(text, 100), {text}) == 1


def test_candidates_do_not_depend_on_the_run():
    """Wrong behaviour: Python's own `hash`, other in each process, and with it what is removed."""
    held_out = HeldOut(NEAR)
    assert held_out._signature(["a b c", "b c d"]).hashvalues[:2].tolist() == [716387674, 1273529674]


def test_the_embedded_splits_share_no_problem():
    for domain in DOMAINS:
        problems = embedded(domain, 60)
        held_out = HeldOut()
        for problem in problems[:30]:
            held_out.add(problem.dataset, problem.id, problem.text)
        assert [p.id for p in problems if held_out.match(p.text)] == [p.id for p in problems[:30]]


def test_what_is_removed_is_counted_by_held_out_set():
    account = Account("train", "train", "gsm8k", records=10, malformed=1)
    for match in (Match("exact", "a", "a-1"), Match("near", "a", "a-2"), Match("near", "b", "b-1")):
        account.removed(match)
    account.problems = 6
    none = Account("other", "train", "world", records=5, problems=5)
    assert table([account.as_json(), none.as_json()]) == [
        ("train", "gsm8k", "train", 10, 1, 0, "a", 1, 1, 6, 0),
        ("train", "gsm8k", "train", 10, 1, 0, "b", 0, 1, 6, 0),
        ("other", "world", "train", 5, 0, 0, "", 0, 0, 5, 0),
    ]
    assert str(account) == "train: 6 problems of 10 records, 1 malformed, 3 duplicates"


@needs_data
def test_real_test_problems_are_found_in_real_training_sources():
    from prm_scaling.problems.datasets import DATASETS
    from prm_scaling.problems.datasets.record import Malformed, Options
    from prm_scaling.problems.datasets.settings import DataSource
    from prm_scaling.problems.datasets.source import rows

    def texts(name: str, file: str) -> list[str]:
        found = []
        for row in rows("data", DATASETS[name], DataSource(path=str(DATA / file)))[1]:
            try:
                found.append(DATASETS[name].read(row.record, Options()).text)
            except Malformed:
                continue
        return found

    near = Near(5, 128, 0.5)
    gsm8k = index(texts("gsm8k", "gsm8k/test.jsonl"), near)
    assert not any(map(gsm8k.match, texts("gsm8k", "gsm8k/train_first500.jsonl")))
    assert all(map(gsm8k.match, texts("processbench", "processbench/gsm8k_first60.json")))
    math = index(texts("math500", "math500/test.jsonl"), near)
    kinds = [m.kind for m in map(math.match, texts("prmbench", "prmbench/subset200_target_data.jsonl")) if m]
    # PRMBench changed the wording of some of the problems that it took from PRM800K.
    assert kinds.count("exact") > 90 and kinds.count("near") > 20
