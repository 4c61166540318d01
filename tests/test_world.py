"""Problems of the embedded world: distinct, as hard as asked, in splits that share none."""

import json
import re

import pytest
from conftest import DOMAINS, MODULUS, WIDE, embedded
from hypothesis import given
from hypothesis import strategies as st
from oracles import LABELS, moves_of

from prm_scaling.problems.code_tests import parse_suite
from prm_scaling.problems.world.domain import Surface
from prm_scaling.problems.world.generate import generate
from prm_scaling.problems.world.truth import (
    decode_derivation,
    encode_derivation,
)

PROBLEMS = {domain: embedded(domain) for domain in DOMAINS}

some_problem = st.sampled_from([p for domain in DOMAINS for p in PROBLEMS[domain]])
some_seed = st.integers(0, 2**32)


@pytest.mark.parametrize("domain", DOMAINS)
def test_equal_seeds_give_equal_problems_and_others_do_not(domain):
    again = generate(f"{domain}_set", domain, "train", WIDE, (2, 5), 30, MODULUS, 0)
    assert again == PROBLEMS[domain]
    assert {p.text for p in embedded(domain, seed=1)} != {p.text for p in PROBLEMS[domain]}
    # The first problems of a larger set are those of a smaller one.
    assert generate(f"{domain}_set", domain, "train", WIDE, (2, 5), 40, MODULUS, 0)[:30] == again


@pytest.mark.parametrize("domain", DOMAINS)
def test_problems_are_distinct_and_as_hard_as_asked(domain):
    made = PROBLEMS[domain]
    assert len({p.id for p in made}) == len({p.text for p in made}) == len(made)
    assert [p.difficulty for p in made[:4]] == [2, 3, 4, 5]
    assert all(len(decode_derivation(p.derivation)[0].moves) == moves_of(p) for p in made)


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_two_splits_share_a_derivation_in_other_words(domain):
    """Wrong behaviour: the same clauses in train and in test, told with other verbs (leakage)."""

    def bare(split: str, surface: Surface) -> set:
        made = generate(f"{split}-{surface.name}", domain, split, surface, (2, 3), 120, MODULUS, 0)
        derivations = [decode_derivation(p.derivation)[0] for p in made]
        return {(d.start, tuple((m.op, m.args) for m in d.moves)) for d in derivations}

    unseen = Surface("unseen", 4, (3, 4), True)
    seen = bare("pretrain", WIDE) | bare("train", WIDE)
    assert not seen & (bare("test", unseen) | bare("test", WIDE) | bare("validation", WIDE))


def test_too_many_problems_of_a_narrow_surface_are_refused():
    with pytest.raises(ValueError, match=r"problems\.sets\.few: only \d+ of 40 .* ask for fewer"):
        generate("few", "code", "validation", Surface("narrow", 1, (0,), False), (1, 1), 40, MODULUS, 0)


def test_hidden_tests_and_public_inputs_do_not_overlap():
    for problem in PROBLEMS["code"]:
        hidden = [args for args, _ in parse_suite(problem.reference).tests]
        assert not [args for args in json.loads(problem.public_inputs) if args in hidden]


def test_a_question_has_no_reference():
    """Wrong behaviour: a searcher that can reach the ground truth."""
    question = PROBLEMS["code"][0].question
    assert set(vars(question)) == {"id", "domain", "text", "public_inputs"}
    assert not hasattr(question, "reference") and not hasattr(question, "derivation")


@given(some_problem)
def test_derivations_survive_their_encoding(problem):
    derivation, modulus = decode_derivation(problem.derivation)
    assert encode_derivation(derivation, modulus) == problem.derivation


def test_a_problem_without_a_derivation_has_no_truth():
    with pytest.raises(ValueError, match="no derivation"):
        decode_derivation("")


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_problem_is_one_labelled_clause_a_line_after_its_start(domain):
    """Wrong behaviour: numbers of clauses in digits, which a step's digits could be copied from."""
    for problem in PROBLEMS[domain]:
        first, *lines, last, nothing = problem.text.split("\n")
        labelled = [line for line in lines if re.match(r"[a-z]: ", line)]
        assert nothing == "" and [line[0] for line in labelled] == list(LABELS[: problem.difficulty])
        assert (first, last) == ("Write f.", "def f(x):") or (first[-1], last[-1]) == (".", "?")
        # What bears no label is a distractor, and only word problems have any.
        idle = [line for line in lines if line not in labelled]
        assert not idle or domain == "math"
        assert all(re.search("sees|counts|likes|paints", line) for line in idle)
        if domain == "math":
            assert not re.search("[0-9]", "".join(lines)) and re.search("has [0-9]+ ", first)
