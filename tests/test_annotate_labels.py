"""Labels of a chain whose first error is known, those of the truth, and what several annotators agree on."""

import dataclasses

import pytest
from conftest import DOMAINS, embedded
from hypothesis import given
from hypothesis import strategies as st
from oracles import flawed

from prm_scaling.annotate import human
from prm_scaling.annotate.consensus import consensus
from prm_scaling.annotate.record import Annotation, labels_until
from prm_scaling.annotate.select import select
from prm_scaling.chains.record import Chain
from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.problems.world.truth import truth_of
from prm_scaling.seeds import stream


@given(st.integers(1, 20), st.data())
def test_labels_turn_wrong_at_the_first_error_and_stay_so(steps, data):
    first_error = data.draw(st.integers(-1, steps - 1))
    labels = labels_until(first_error, steps)
    assert len(labels) == steps and all(type(x) is float for x in labels)
    assert (list(labels).index(0.0) if 0.0 in labels else -1) == first_error
    assert sorted(labels, reverse=True) == list(labels)


@pytest.mark.parametrize(("first_error", "steps"), [(3, 3), (-2, 3), (0, 0)])
def test_a_first_error_outside_of_the_chain_is_refused(first_error, steps):
    with pytest.raises(ValueError, match="is not a step of"):
        labels_until(first_error, steps)


@pytest.mark.parametrize("domain", DOMAINS)
def test_human_labels_are_the_truth_of_every_step(domain, tokenizer):
    steps = Steps(tokenizer, "\n")
    made, expected = [], []
    problems = {p.id: p for p in embedded(domain)}
    for problem in problems.values():
        lines = flawed(problem, stream("human", problem.id), 0.4, 0.3)
        tokens = tuple(tokenizer("\n".join(lines), add_special_tokens=False).input_ids)
        prompt = prompt_tokens(problem.question, tokenizer)
        made.append(Chain(f"{problem.id}/0", problem.id, domain, prompt, tokens, steps.ends(tokens), "", True))
        expected.append(truth_of(problem, lines))
    empty = dataclasses.replace(made[0], tokens=(), ends=())
    annotations = human.annotate([*made, empty], problems, steps)
    for annotation, truth in zip(annotations, expected, strict=False):
        assert annotation.first_error == truth.first_error
        assert annotation.labels == tuple(float(x) for x in truth.on_track)
    assert annotations[-1].labels == ()


# --- consensus ---


def said(annotator: str, *first_errors: int | None) -> list[Annotation]:
    return [
        Annotation(f"q/{i}", annotator, e, () if e is None else labels_until(e, 3)) for i, e in enumerate(first_errors)
    ]


def test_consensus_keeps_only_full_agreement():
    kept = consensus([said("a", 0, 1, -1, None, 2), said("b", 0, 2, -1, None, 2), said("c", 0, 1, -1, None, None)])
    assert [(a.chain, a.annotator, a.first_error) for a in kept] == [("q/0", "consensus", 0), ("q/2", "consensus", -1)]
    assert kept[0].labels == (0.0, 0.0, 0.0) and kept[1].labels == (1.0, 1.0, 1.0)


annotators = st.lists(st.lists(st.sampled_from([None, -1, 0, 1, 2]), min_size=4, max_size=4), min_size=1, max_size=4)


@given(annotators)
def test_consensus_by_property(errors):
    lists = [said(str(i), *row) for i, row in enumerate(errors)]
    kept = {a.chain: a.first_error for a in consensus(lists)}
    for i in range(4):
        column = {row[i] for row in errors}
        agreed = len(column) == 1 and column != {None}
        assert (f"q/{i}" in kept) == agreed
        if agreed:
            assert kept[f"q/{i}"] == errors[0][i]
    assert consensus(lists[::-1]) == consensus(lists)


def test_consensus_refuses_annotations_of_other_chains():
    """Wrong behaviour: labels of one chain on another."""
    with pytest.raises(ValueError, match="order of chains"):
        consensus([said("a", 0, 1), said("b", 0, 1)[::-1]])
    with pytest.raises(ValueError, match="shorter"):
        consensus([said("a", 0, 1), said("b", 0)])


# --- training sets ---


def labelled(name: str, count: int) -> list[Annotation]:
    return [Annotation(f"{name}/{i}", name, 0, labels_until(0, 2)) for i in range(count)]


def test_training_sets_are_of_equal_size_and_hold_labelled_chains_alone():
    """Wrong behaviour: data sets compared at different sizes."""
    sets = {"a": [*labelled("a", 9), Annotation("a/none", "a", None, ())], "b": labelled("b", 5)}
    chosen = select(sets, most=100, seed=0)
    assert {name: len(rows) for name, rows in chosen.items()} == {"a": 5, "b": 5}
    assert {row.chain for row in chosen["b"]} == {f"b/{i}" for i in range(5)}
    assert "a/none" not in {row.chain for row in chosen["a"]}
    assert len({row.chain for row in chosen["a"]}) == 5
    assert select(sets, 100, 0) == chosen != select(sets, 100, 1)
    assert {len(rows) for rows in select(sets, 3, 0).values()} == {3}
    with pytest.raises(ValueError, match=r"train\.sets\.b: no chain is left"):
        select({"a": labelled("a", 3), "b": [Annotation("b/0", "b", None, ())]}, 3, 0)


def test_one_training_set_alone_is_cut_too():
    assert len(select({"a": labelled("a", 9)}, 4, 0)["a"]) == 4
