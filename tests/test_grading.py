"""Verdicts, classes of answers and step truth of chains."""

import json
from dataclasses import replace

import pytest
from conftest import embedded
from oracles import ON_TRACK, expected_first_error, flawed

from prm_scaling.analysis.graded import grade_candidates, grade_chains
from prm_scaling.chains.record import Chain
from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.problems.world.solutions import solution
from prm_scaling.problems.world.truth import truth_of
from prm_scaling.search.record import Candidate
from prm_scaling.seeds import stream
from prm_scaling.verify.sandbox import Sandbox

SANDBOX = Sandbox(mode="process", seconds=5.0, megabytes=512)


def chains_of(problem, texts: list[str], tokenizer, finished: bool = True) -> list[Chain]:
    steps, prompt = Steps(tokenizer, "\n"), prompt_tokens(problem.question, tokenizer)
    made = []
    for i, text in enumerate(texts):
        tokens = tuple(tokenizer(text, add_special_tokens=False).input_ids)
        ends = steps.ends(tokens)
        made.append(Chain(f"{problem.id}/{i}", problem.id, problem.domain, prompt, tokens, ends, text, finished))
    return made


@pytest.mark.parametrize("domain", ["math", "code", "logic"])
def test_embedded_chains_are_graded_with_the_truth_of_every_step(domain, tokenizer):
    problems = {p.id: p for p in embedded(domain)[:10]}
    lines = {p.id: [flawed(p, stream("graded", p.id, i), 0.3 * i, 0.3) for i in range(3)] for p in problems.values()}
    texts = {name: ["\n".join(x) for x in chains] for name, chains in lines.items()}
    made = [c for p in problems.values() for c in chains_of(p, texts[p.id], tokenizer)]
    found = grade_chains("m", made, problems, Steps(tokenizer, "\n"), SANDBOX)
    for g in found:
        own = lines[g.problem][g.sample]
        right = ON_TRACK[domain](problems[g.problem], own)
        assert (list(g.on_track), g.first_error) == (right, expected_first_error(right))
        assert g.corrections == truth_of(problems[g.problem], own).corrections and g.dataset == f"{domain}_set"
        # A chain without an error that lasts is right; the converse need not be so.
        assert g.right or g.first_error >= 0
    assert any(not g.right for g in found) and any(g.right for g in found)
    # The class of the right answer is one class, in every problem.
    assert all(len({g.answer for g in found if g.problem == p and g.right}) <= 1 for p in problems)
    assert all(g.answer is not None for g in found if g.right)
    # Beside each verdict on a program is the mode in which it ran.
    assert {g.sandbox for g in found} == {"process" if domain == "code" else None}


def test_a_right_answer_by_a_wrong_process_is_told_apart(tokenizer):
    problem = embedded("math")[0]
    proper = solution(problem, stream("proper"), 0.0)
    guessed = ["1 + 1 = 3", f"#### {problem.reference}"]
    made = chains_of(problem, ["\n".join(proper), "\n".join(guessed)], tokenizer)
    found = grade_chains("m", made, {problem.id: problem}, Steps(tokenizer, "\n"), SANDBOX)
    assert [g.right for g in found] == [True, True] and found[0].answer == found[1].answer
    assert [g.first_error for g in found] == [-1, 0]
    assert found[1].on_track == (False, False)


@pytest.mark.parametrize("domain", ["math", "code", "logic"])
def test_an_unfinished_chain_is_never_right_and_has_no_class(domain, tokenizer):
    problem = embedded(domain)[0]
    text = "\n".join(solution(problem, stream("unfinished"), 0.0))
    made = chains_of(problem, [text], tokenizer, finished=False)
    (found,) = grade_chains("m", made, {problem.id: problem}, Steps(tokenizer, "\n"), SANDBOX)
    assert (found.right, found.answer, found.finished) == (False, None, False)
    # What it does say is still judged step by step.
    assert all(found.on_track)
    candidates = [Candidate("beam", 2, problem.id, "0", text, whole, (0.5,)) for whole in (True, False)]
    verdicts = grade_candidates(candidates, {problem.id: problem}, SANDBOX)
    assert [(right, answer is None) for _, right, answer in verdicts] == [(True, False), (False, True)]


def test_steps_of_problems_without_a_derivation_are_not_judged(tokenizer):
    problem = replace(embedded("code")[0], derivation="")
    text = "\n".join(solution(embedded("code")[0], stream("unknown"), 0.0))
    (found,) = grade_chains(
        "m", chains_of(problem, [text], tokenizer), {problem.id: problem}, Steps(tokenizer, "\n"), SANDBOX
    )
    assert found.right and (found.on_track, found.first_error, found.corrections) == ((), None, ())
    assert json.loads(found.answer)
