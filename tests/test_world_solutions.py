"""What LMs of the embedded world learn from: solutions, misconceptions, critiques, reviews and drills."""

import re
from itertools import pairwise

import numpy as np
import pytest
from conftest import DOMAINS, embedded
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import FOLLOWS, ON_TRACK, moves_of

from prm_scaling.chains.answers import extract_answer
from prm_scaling.problems.world.solutions import RIGHT, WRONG, Judged, critique, drill, review, solution
from prm_scaling.problems.world.truth import (
    decode_derivation,
    domain_of,
    is_correction,
    truth_of,
)
from prm_scaling.seeds import stream
from prm_scaling.verify.answers import grade
from prm_scaling.verify.sandbox import Sandbox

SANDBOX = Sandbox(mode="process", seconds=5.0, megabytes=512)
PROBLEMS = {domain: embedded(domain) for domain in DOMAINS}

some_problem = st.sampled_from([p for domain in DOMAINS for p in PROBLEMS[domain]])
some_seed = st.integers(0, 2**32)


@given(some_problem, some_seed)
def test_a_reference_solution_is_right_throughout_and_ends_with_the_right_answer(problem, seed):
    lines = solution(problem, stream("solution", seed), self_correction_rate=0.0)
    truth = truth_of(problem, lines)
    assert all(truth.on_track) and truth.first_error == -1 and not any(truth.corrections)
    assert len(lines) == moves_of(problem) + 1
    assert all(ON_TRACK[problem.domain](problem, lines))
    if problem.domain != "code":
        assert extract_answer(problem.question, "\n".join(lines), True) == problem.reference


def test_reference_programs_pass_their_hidden_tests():
    chosen = PROBLEMS["code"]
    programs = ["\n".join(solution(p, stream("solution", p.id), 0.3)) for p in chosen]
    answers = [extract_answer(p.question, text, True) for p, text in zip(chosen, programs, strict=True)]
    assert all(grade(chosen, answers, SANDBOX))


@given(some_problem, some_seed)
def test_self_corrections_are_seen_and_leave_no_error(problem, seed):
    lines = solution(problem, stream("corrected", seed), self_correction_rate=1.0)
    truth = truth_of(problem, lines)
    moves = moves_of(problem)
    assert truth.on_track == (False, True) * moves + (True,)
    assert truth.corrections == (False, True) * moves + (False,)
    assert truth.first_error == -1


def test_wrong_steps_and_wrong_conclusions_are_wrong():
    """Wrong behaviour: a planted error that is none."""
    rng = np.random.default_rng(0)
    for domain in DOMAINS:
        for problem in PROBLEMS[domain]:
            derivation, modulus = decode_derivation(problem.derivation)
            world, value, lines = domain_of(domain, modulus), derivation.start, []
            for index, move in enumerate(derivation.moves):
                for _ in range(10):
                    line, _ = world.wrong_step(rng, index, move, value)
                    assert not ON_TRACK[domain](problem, [*lines, line])[-1], (move, line)
                lines.append(world.step(index, move, value))
                value = world.apply(move, value)
            for _ in range(10):
                line = world.wrong_conclusion(rng, len(lines), value)
                assert not ON_TRACK[domain](problem, [*lines, line])[-1], line
                assert line.split()[0] == world.conclude(len(lines), value).split()[0]
            assert all(ON_TRACK[domain](problem, [*lines, world.conclude(len(lines), value)]))


# What a line takes over from the lines before it: the result so far; the colour and the condition; the variable.
TAKEN_OVER = {"math": r"(\d+) ", "code": r" *\w = .*?\b([a-z])\b(?!\()", "logic": r"(now \w+, .*): "}


def test_misconceptions_are_wrong_about_facts_and_not_about_what_stands_on_the_page():
    """Wrong behaviour: who is mistaken about arithmetic forgets the result that he has just written."""
    rng = np.random.default_rng(0)
    for domain in DOMAINS:
        for problem in PROBLEMS[domain]:
            derivation, modulus = decode_derivation(problem.derivation)
            world, value = domain_of(domain, modulus), derivation.start
            for index, move in enumerate(derivation.moves):
                right = world.step(index, move, value)
                for _ in range(10 if world.topic(move, value) else 0):
                    line, _ = world.misconception(rng, index, move, value)
                    assert not world.accepts(index, move, value, line), (move, line)
                    given, stays = (re.match(TAKEN_OVER[domain], text) for text in (line, right))
                    assert given and stays and given[1] == stays[1], (right, line)
                value = world.apply(move, value)


def test_a_misconception_is_the_same_in_all_problems():
    """Wrong behaviour: errors by chance alone, which a majority vote mends."""
    believed: dict[tuple, set[str]] = {}
    for problem in PROBLEMS["math"]:
        derivation, modulus = decode_derivation(problem.derivation)
        world = domain_of("math", modulus)
        for seed in range(5):
            value, lines = derivation.start, solution(problem, np.random.default_rng(seed), 0.0, misconceptions=1.0)
            for index, (move, line) in enumerate(zip(derivation.moves, lines, strict=False)):
                if line != world.step(index, move, value):
                    believed.setdefault(world.topic(move, value), set()).add(line)
                    break
                value = world.apply(move, value)
    assert believed and {len(lines) for lines in believed.values()} == {1}


# --- critiques, reviews, drills ---


@settings(max_examples=300)
@given(some_problem, some_seed, st.sampled_from([0.0, 0.3, 1.0]))
def test_a_critique_agrees_with_the_truth(problem, seed, errors):
    """Wrong behaviour: a verdict "ok" on what follows an error that nothing can take back."""
    made = critique(problem, stream("judged", seed), errors)
    steps, told = [j.step for j in made], [j.verdict == RIGHT for j in made]
    assert {j.verdict for j in made} <= {RIGHT, WRONG} and RIGHT != WRONG
    assert told == ON_TRACK[problem.domain](problem, steps)
    assert told == list(truth_of(problem, steps).on_track)


@given(some_problem, some_seed, st.sampled_from([0.0, 0.3, 1.0]))
def test_the_right_step_beside_a_wrong_one_is_right_in_its_place(problem, seed, errors):
    """Wrong behaviour: the place of the error told by a step that is itself wrong."""
    made = critique(problem, stream("judged", seed), errors)
    kept: list[str] = []
    for step, verdict, right in made:
        assert (verdict == RIGHT) == (step == right)
        assert all(ON_TRACK[problem.domain](problem, [*kept, right]))
        kept += [step] * (verdict == RIGHT)


def doubts(domain: str, made: list[Judged]) -> list[Judged]:
    """The steps of a critique that doubt a right one: corrections of what was found right."""
    return [b for a, b in pairwise(made) if is_correction(domain, b.step) and a.verdict == RIGHT]


def test_critiques_end_rightly_wrongly_and_too_early():
    """Wrong behaviour: a judge to be that has never seen a wrong conclusion."""
    for domain in DOMAINS:
        ends = set()
        for problem in PROBLEMS[domain]:
            for seed in range(10):
                made = critique(problem, stream("ends", seed), 0.4)
                moves = sum(j.verdict == RIGHT for j in made[:-1]) - len(doubts(domain, made))
                ends.add((made[-1].verdict, moves == moves_of(problem)))
        assert ends == {(RIGHT, True), (WRONG, True), (WRONG, False)}


def test_a_critique_without_errors_is_the_solution_in_which_some_right_steps_are_doubted():
    """Wrong behaviour: a judge to be for whom every "wait" follows an error."""
    for domain in DOMAINS:
        doubted = 0
        for problem in PROBLEMS[domain]:
            made = critique(problem, stream("flawless", problem.id), 0.0)
            assert {j.verdict for j in made} == {RIGHT}
            steps = [j.step for j in made if not is_correction(domain, j.step)]
            assert steps == solution(problem, stream("flawless", problem.id), 0.0)
            doubted += len(doubts(domain, made))
        assert doubted > 0


@settings(max_examples=300)
@given(some_problem, some_seed, st.sampled_from([0.0, 0.2, 1.0]))
def test_a_review_agrees_with_the_truth(problem, seed, errors):
    made = review(problem, stream("review", seed), errors)
    assert [right for _, right in made] == ON_TRACK[problem.domain](problem, [line for line, _ in made])
    assert errors or all(right for _, right in made)


@pytest.mark.parametrize("domain", DOMAINS)
def test_most_wrong_steps_of_reviews_stand_behind_an_error_as_those_of_policies_do(domain):
    """Wrong behaviour: a PRM's base that has never seen what follows an error that is not taken back."""
    behind, first, healed = 0, 0, 0
    for problem in PROBLEMS[domain]:
        for seed in range(10):
            told = [right for _, right in review(problem, stream("behind", seed), 0.2)]
            wrong = [i for i, right in enumerate(told) if not right]
            first += bool(wrong)
            behind += max(0, len(wrong) - 1)
            healed += any(told[i] for i in range(min(wrong, default=len(told)), len(told)))
    assert behind > first and healed > 0


@settings(max_examples=300)
@given(some_problem, some_seed, st.sampled_from([0.0, 0.5, 1.0]))
def test_a_drill_step_is_right_if_it_follows_from_those_before_it(problem, seed, errors):
    start, made = drill(problem, stream("drill", seed), errors)
    assert (made == []) == (problem.domain == "code")
    if made:
        value = re.fullmatch(r"From ([a-z0-9]+)\.\n", start)[1]
        told = [j.verdict == RIGHT for j in made]
        assert told == FOLLOWS[problem.domain](value, [j.step for j in made])
        assert all((j.verdict == RIGHT) == (j.step == j.right) for j in made)
        kept = [j.step for j in made if j.verdict == RIGHT]
        for i, (step, verdict, right) in enumerate(made):
            before = [j.step for j in made[:i] if j.verdict == RIGHT]
            assert verdict == RIGHT or all(FOLLOWS[problem.domain](value, [*before, right])), step
        # A line that reads comes without a problem, so it cannot be found wrong; all others can.
        assert all(line.removeprefix("wait, ")[1] == ":" for line in kept[::2]) and len(kept) % 2 == 0
        assert errors == 0.5 or told == ([True, *[False] * int(errors), True]) * (len(kept) // 2)


@given(some_problem, some_seed)
def test_right_lines_of_a_drill_read_and_apply_clauses_of_its_problem(problem, seed):
    """Wrong behaviour: practice at numbers and conditions that no problem has."""
    _, made = drill(problem, stream("drill", seed), 0.0)
    read = {line[3:] for line in solution(problem, stream("read"), 0.0)[::2]}
    assert {j.step[3:] for j in made[::2]} <= read
