"""Estimators against brute force over all subsets; tables, claims and measurements on evidence made by hand."""

import json
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import embedded
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import ON_TRACK, expected_first_error, flawed
from scipy.stats import kstest

from prm_scaling.analysis import claims, estimators, label_noise, patterns
from prm_scaling.analysis.accuracy import budgets, frame, matrix, pools_of, with_prm, without_prm
from prm_scaling.analysis.claims import FAILS, HOLDS, UNDECIDED, Claim, Evidence, measure, noise_claims, verdict
from prm_scaling.analysis.costs import pool_costs, tree_costs
from prm_scaling.analysis.estimators import Interval, best_of, bootstrap, pass_at, vote
from prm_scaling.analysis.figures import Intervals, curve, figure1, figure2, figure3, figure4, table1
from prm_scaling.analysis.graded import Graded, grade_candidates, grade_chains
from prm_scaling.analysis.gradients import importance, permutation_test, similarities
from prm_scaling.annotate.record import Annotation
from prm_scaling.chains.record import Chain
from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.prm.metrics import log_loss, predicted_first_error, process_f1, step_auc, tuned_threshold
from prm_scaling.problems.world.solutions import solution
from prm_scaling.problems.world.truth import truth_of
from prm_scaling.search.record import Candidate, Cost, Rewards, ScoringCost
from prm_scaling.seeds import stream
from prm_scaling.verify.sandbox import Limits

LIMITS = Limits(seconds=5.0, megabytes=512)
INTERVALS = Intervals(resamples=200, confidence=0.95, seed=0)

# --- estimators ---


@st.composite
def pools(draw, least: int = 1):
    """(right, classes, scores) of a small pool: answers may be absent, classes impure, scores tied."""
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from([None, "a", "b", "c"]), st.booleans(), st.integers(0, 3)),
            min_size=least,
            max_size=7,
        )
    )
    classes = [name for name, _, _ in rows]
    right = np.array([name is not None and hit for name, hit, _ in rows])
    scores = np.array([s / 2 if name is not None else -np.inf for name, _, s in rows])
    return right, classes, scores


def over_subsets(count: int, n: int, value) -> float:
    return float(np.mean([value(list(subset)) for subset in combinations(range(count), n)]))


def best_in(right, scores, subset) -> float:
    top = max(scores[i] for i in subset)
    return float(np.mean([right[i] for i in subset if scores[i] == top]))


def elected(right, classes, weights, subset) -> float:
    """The expected rightness of a random voter of a random one of the leading classes."""
    totals: dict = {}
    for i in subset:
        if classes[i] is not None:
            totals[classes[i]] = totals.get(classes[i], 0.0) + weights[i]
    if not totals:
        return 0.0
    leading = [name for name, total in totals.items() if total == max(totals.values())]
    return float(np.mean([np.mean([right[i] for i in subset if classes[i] == name]) for name in leading]))


@given(pools(), st.data())
def test_pass_and_best_of_are_the_means_over_all_subsets(pool, data):
    right, _, scores = pool
    n = data.draw(st.integers(1, len(right)))
    assert pass_at(right, n) == pytest.approx(over_subsets(len(right), n, lambda s: float(right[s].any())))
    assert best_of(right, scores, n) == pytest.approx(over_subsets(len(right), n, lambda s: best_in(right, scores, s)))


@given(pools(), st.integers(0, 5))
def test_the_vote_of_a_whole_pool_is_exact(pool, seed):
    right, classes, scores = pool
    everyone = range(len(right))
    weights = np.where(np.isfinite(scores), scores, 7.0)  # whoever has no answer does not vote, whatever its weight
    for w in (weights, np.ones(len(right))):
        assert vote(right, classes, w, len(right), seed) == pytest.approx(elected(right, classes, w, everyone))


@given(pools(least=2), st.data())
@settings(max_examples=25)
def test_the_vote_of_subsets_tends_to_the_mean_over_all_of_them(pool, data):
    right, classes, _ = pool
    n = data.draw(st.integers(1, len(right) - 1))
    weights = np.ones(len(right))
    exact = over_subsets(len(right), n, lambda s: elected(right, classes, weights, s))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(estimators, "SUBSETS", 4000)
        assert vote(right, classes, weights, n, seed=3) == pytest.approx(exact, abs=0.04)  # five standard errors
    assert vote(right, classes, weights, n, 3) == vote(right, classes, weights, n, 3)


def test_an_estimate_does_not_depend_on_which_samples_came_first():
    """Wrong behaviour: the first n samples taken for the expectation over n samples."""
    right, scores = np.array([True, False, False, False]), np.array([1.0, 2.0, 3.0, 4.0])
    assert pass_at(right, 1) == pass_at(right[::-1], 1) == pytest.approx(0.25)
    assert best_of(right, scores, 2) == best_of(right[::-1], scores[::-1], 2) == pytest.approx(0.0)
    assert best_of(right, -scores, 2) == best_of(right[::-1], -scores[::-1], 2) == pytest.approx(0.5)


def test_pass_is_not_best_of():
    """Wrong behaviour: pass@k reported as best-of-n. An uninformed PRM gains nothing from more samples."""
    right = np.array([True, False, False, False])
    assert best_of(right, np.zeros(4), 4) == pytest.approx(0.25)
    assert pass_at(right, 4) == 1.0


@given(pools())
def test_best_of_lies_between_the_worst_and_pass(pool):
    right, classes, scores = pool
    for n in range(1, len(right) + 1):
        assert best_of(right, scores, n) <= pass_at(right, n) + 1e-12
        assert best_of(right, np.where(right, 1.0, 0.0), n) == pytest.approx(pass_at(right, n))
    if None not in classes:
        assert best_of(right, scores, 1) == pytest.approx(right.mean())


def test_no_answer_never_votes_and_never_wins():
    """Wrong behaviour: unfinished chains as one more class, which outvotes the others."""
    right = np.array([False, False, False, True])
    assert vote(right, [None, None, None, "a"], np.ones(4), 4, 0) == 1.0
    assert vote(right[:3], [None] * 3, np.ones(3), 3, 0) == 0.0
    assert best_of(right, np.array([-np.inf, -np.inf, -np.inf, 0.0]), 4) == 1.0


def test_votes_of_weight_zero_are_votes():
    """Wrong behaviour: rewards that underflow to 0 masked by ``!= 0``, and all small totals taken for a tie."""
    assert vote(np.array([True, True]), ["a", "a"], np.zeros(2), 2, 0) == 1.0
    assert vote(np.array([True, False]), ["a", "b"], np.array([2e-20, 1e-20]), 2, 0) == 1.0


def test_a_class_of_programs_is_as_right_as_its_voters():
    """Wrong behaviour: a class counted right if any sample of the pool in it passes the hidden tests."""
    assert vote(np.array([True, False, False, False]), ["a"] * 4, np.ones(4), 4, 0) == pytest.approx(0.25)


# --- intervals ---


def test_intervals_cover_the_mean_as_often_as_they_say():
    covered = []
    for i in range(200):
        values = stream("coverage", i).normal(0.3, 0.2, size=60)
        interval = bootstrap(values, 200, 0.9, i)
        covered.append(interval.low <= 0.3 <= interval.high)
    assert 0.83 <= np.mean(covered) <= 0.96


def test_differences_on_the_same_problems_are_paired():
    base = stream("paired").random(100)
    apart, paired = bootstrap(base, 200, 0.95, 0), bootstrap((base + 0.02) - base, 200, 0.95, 0)
    assert paired.high - paired.low < 1e-9 < apart.high - apart.low
    assert paired.low > 0 > apart.low - base.mean()


@given(st.integers(1, 4), st.integers(1, 8), st.integers(0, 99))
def test_an_interval_is_a_function_of_values_and_seed(seeds, count, seed):
    values = stream("shape", seeds, count).random((seeds, count))
    interval = bootstrap(values, 50, 0.9, seed)
    assert interval == bootstrap(values, 50, 0.9, seed)
    assert interval.value == pytest.approx(values.mean())
    assert values.min() - 1e-9 <= interval.low <= interval.high <= values.max() + 1e-9
    if seeds == 1:
        assert interval == bootstrap(values[0], 50, 0.9, seed)


def test_seeds_and_problems_are_both_resampled():
    """Wrong behaviour: seeds averaged first, so that a PRM that is right by luck looks certain."""
    by_seed, by_problem = np.tile([[0.0], [1.0]], (1, 50)), np.tile([0.0, 1.0], (50, 1))
    for values in (by_seed, by_problem):
        interval = bootstrap(values, 300, 0.9, 0)
        assert (interval.low, interval.high) == pytest.approx((0.0, 1.0))


# --- accuracies ---


def graded(problem: str, sample: int, **changes) -> Graded:
    known = Graded("m-math", f"{problem}/{sample}", "d", problem, sample, "1", True, True, (True,), -1, (False,))
    return replace(known, **changes)


SAMPLES = [
    graded(p, i, right=r, answer=a)
    for p, rows in {"p": "1--2", "q": "2211"}.items()
    for i, (r, a) in enumerate([(x == "1", None if x == "-" else x) for x in rows])
]


def test_accuracies_have_a_row_for_every_way_problem_and_budget():
    table = frame(without_prm(pools_of(SAMPLES)))
    assert sorted(zip(table.method, table.problem, table.n, strict=True)) == sorted(
        product(["majority", "pass"], ["p", "q"], [1, 2, 4])
    )
    value = table.set_index(["method", "problem", "n"])["value"]
    assert value["pass", "p", 4] == 1.0 and value["majority", "p", 4] == value["majority", "q", 4] == 0.5
    assert value["pass", "p", 1] == pytest.approx(0.25)
    assert [budgets(n) for n in (1, 5, 8)] == [[1], [1, 2, 4], [1, 2, 4, 8]]


def test_a_prm_chooses_among_the_samples_that_it_rated():
    # Of problem p the sample without an answer has the highest reward; of q only two samples are rated.
    rewards = [Rewards(7, "m-math", f"p/{i}", (0.1, r)) for i, r in enumerate([0.5, 0.9, 0.8, 0.2])]
    rewards += [Rewards(7, "m-math", f"q/{i}", (0.3,)) for i in range(2)]
    table = frame(with_prm(pools_of(SAMPLES), "aslaf-1k-s3", rewards, "last", False))
    assert set(table.prm) == {"aslaf-1k"} and set(table.seed) == {3} and set(table.step) == {0}
    value = table.set_index(["method", "problem", "n"])["value"]
    assert value["best_of_n", "p", 4] == 1.0 and value["weighted", "p", 4] == 1.0
    assert max(table[table.problem == "q"].n) == 2 and value["best_of_n", "q", 2] == 0.0
    kept = frame(with_prm(pools_of(SAMPLES), "aslaf-1k-s3", rewards, "last", True))
    assert set(kept.step) == {7} and set(kept.method) == {"best_of_n"}


def test_rewards_of_other_than_the_first_samples_are_refused():
    """Wrong behaviour: the reward of sample 2 put beside the verdict of sample 1."""
    rewards = [Rewards(0, "m-math", f"p/{i}", (0.5,)) for i in (0, 2)]
    with pytest.raises(ValueError, match="not the first"):
        list(with_prm(pools_of(SAMPLES), "aslaf-1k-s0", rewards, "last", False))


# --- tables behind the figures ---

DATASETS = {"seen": 4, "unseen": 3}


def world(entries: dict, seeds: int = 2, datasets: dict = DATASETS, spread: float = 0.0) -> pd.DataFrame:
    """An accuracy table: (method, prm, step, pool, n) -> mean, with noise whose mean over problems is 0."""
    rows = []
    for key, level in entries.items():
        method, prm, step, pool, n = key
        for seed in range(seeds if prm else 1):
            for dataset, count in datasets.items():
                noise = stream(key, seed, dataset).normal(size=count)
                for i, z in enumerate(noise - noise.mean()):
                    value = level + spread * z
                    rows.append((method, prm, seed, step, pool, dataset, f"{dataset}-{i}", n, value))
    columns = ["method", "prm", "seed", "step", "pool", "dataset", "problem", "n", "value"]
    return pd.DataFrame(rows, columns=columns)


def keys_once(table: pd.DataFrame, keys: list[str], count: int) -> None:
    assert len(table) == count and not table.duplicated(keys).any()
    assert (table.low <= table.iloc[:, -3] + 1e-12).all() and (table.iloc[:, -3] <= table.high + 1e-12).all()


def test_a_matrix_has_a_row_a_seed_and_refuses_two_values_of_one_problem():
    table = world({("best_of_n", "a-1k", 0, "m", 4): 0.5})
    assert matrix(table).shape == (2, 7)
    with pytest.raises(ValueError, match="duplicate"):
        matrix(pd.concat([table, table]))
    assert len(curve(table, ["dataset"], INTERVALS)) == 2


def test_figure_1_has_a_row_for_every_size_and_the_majority():
    entries = {("best_of_n", f"aslaf-{s}", 0, "m", 4): v for s, v in {"1k": 0.4, "3k": 0.6}.items()}
    entries |= {("majority", "", 0, "m", 4): 0.3, ("best_of_n", "aslaf-1k", 0, "m", 2): 0.1}
    sizes = {"1k": 1000, "3k": 3000}
    table = figure1(world(entries), sizes, "aslaf", 4, INTERVALS)
    assert list(table.columns) == ["dataset", "model", "parameters", "n", "accuracy", "low", "high"]
    keys_once(table, ["dataset", "model"], 6)
    found = table.set_index(["dataset", "model"])
    assert found.accuracy["seen", "3k"] == pytest.approx(0.6) and found.accuracy["seen", "majority"] == 0.3
    assert found.parameters["seen", "3k"] == 3000 and np.isnan(found.parameters["seen", "majority"])
    with pytest.raises(ValueError, match="no accuracies of best_of_n at n=4 with PRM `aslaf-9k`"):
        figure1(world(entries), {**sizes, "9k": 9000}, "aslaf", 4, INTERVALS)


def test_figure_2_has_accuracy_auc_and_loss_along_the_steps():
    entries = {("best_of_n", "aslaf-1k", s, "m", n): s / 100 for s in (10, 20) for n in (2, 4)}
    auc = pd.DataFrame(
        [(s, seed, m, s / 50) for s in (10, 20) for seed in (0, 1) for m in ("auc", "loss")],
        columns=["step", "seed", "metric", "value"],
    )
    table = figure2(world(entries), auc, 4, 32, INTERVALS)
    assert list(table.columns) == ["dataset", "step", "examples", "metric", "value", "low", "high"]
    keys_once(table, ["dataset", "step", "metric"], 2 * 2 + 2 * 2)
    assert set(table.dataset) == {"seen", "unseen", "validation"}
    assert (table.examples == table.step * 32).all()
    assert table[(table.metric == "accuracy") & (table.step == 20)]["value"].tolist() == pytest.approx([0.2, 0.2])


def test_figure_3_has_a_row_for_every_series_and_budget():
    entries = {(m, "", 0, "m", n): 0.2 for m in ("majority", "pass") for n in (1, 2)}
    entries |= {("best_of_n", f"{t}-1k", 0, "m", n): 0.5 for t in ("aslaf", "mc") for n in (1, 2)}
    prms = {"ASLAF": "aslaf-1k", "Monte Carlo": "mc-1k"}
    table = figure3(world(entries), prms, INTERVALS)
    assert list(table.columns) == ["dataset", "series", "n", "accuracy", "low", "high"]
    keys_once(table, ["dataset", "series", "n"], 2 * 4 * 2)
    with pytest.raises(ValueError, match="human-1k"):
        figure3(world(entries), {**prms, "human": "human-1k"}, INTERVALS)


def test_figure_4_joins_every_accuracy_with_its_cost():
    entries = {("majority", "", 0, "m", 2): 0.3, ("beam", "aslaf-1k", 0, "m", 2): 0.4}
    costs = pd.DataFrame(
        [(s, d, 2, 10.0, 0.5) for s in ("majority", "beam") for d in DATASETS],
        columns=["strategy", "dataset", "budget", "tokens", "seconds"],
    )
    table = figure4(world(entries), costs, INTERVALS)
    columns = ["dataset", "strategy", "budget", "tokens", "seconds", "accuracy", "low", "high"]
    assert list(table.columns) == columns
    keys_once(table, ["dataset", "strategy", "budget"], 4)
    with pytest.raises(ValueError, match=r"no costs of \['beam'\]"):
        figure4(world(entries), costs[costs.strategy == "majority"], INTERVALS)
    with pytest.raises(pd.errors.MergeError):
        figure4(world(entries), pd.concat([costs, costs]), INTERVALS)


def test_table_1_has_every_generator_data_set_and_selection():
    entries = {}
    for pool in ("small-code", "large-code"):
        entries |= {("pass", "", 0, pool, 1): 0.2, ("majority", "", 0, pool, 4): 0.3}
        entries |= {("best_of_n", prm, 0, pool, 4): 0.5 for prm in ("math-1k", "code-1k")}
    generators, prms = {"small": "small-code", "large": "large-code"}, {"prm_math": "math-1k", "prm_code": "code-1k"}
    table = table1(world(entries), generators, prms, 4, INTERVALS)
    assert list(table.columns) == ["generator", "dataset", "selection", "accuracy", "low", "high"]
    keys_once(table, ["generator", "dataset", "selection"], 2 * 3 * 4)
    # The average is over problems, so a larger data set counts more.
    assert set(table.selection) == {"none", "majority", "prm_math", "prm_code"}
    assert table[table.selection == "none"].accuracy.tolist() == pytest.approx([0.2] * 6)
    with pytest.raises(ValueError, match="no accuracies of best_of_n"):
        table1(world(entries), generators, {"prm_x": "x-1k"}, 4, INTERVALS)


# --- claims ---

MANY = {"d": 60}


def judged(found: list[Claim]) -> dict[str, str]:
    table = measure(found, 400, 0.95, 0)
    assert list(table.id) == [c.id for c in found]
    decided = table.dropna(subset="effect")
    assert ((decided.low <= decided.effect) & (decided.effect <= decided.high)).all()
    return dict(zip(table.id, table.verdict, strict=True))


def evidence(entries: dict, sizes: tuple[str, ...] = ("1k", "3k", "10k"), n: int = 4) -> Evidence:
    return Evidence(world(entries, 3, MANY, spread=0.03), "m", list(sizes), "aslaf", "3k", n, 0.02)


def best(prm: str, level: float, step: int = 0, pool: str = "m") -> dict:
    return {("best_of_n", prm, step, pool, 4): level}


def test_a_verdict_follows_from_the_interval_alone():
    assert verdict(Interval(1.0, 0.1, 2.0), 0.0) == HOLDS
    assert verdict(Interval(1.0, 0.1, 2.0), 0.1) == UNDECIDED
    assert verdict(Interval(1.0, 0.1, 2.0), 2.5) == FAILS
    assert verdict(Interval(0.0, 0.0, 0.0), 0.0) == UNDECIDED
    assert verdict(Interval(np.nan, np.nan, np.nan), 0.0) == UNDECIDED


def test_points_are_of_a_hundred_and_no_evidence_decides_nothing():
    made = [Claim("a", "", "", "", "points", np.full(5, 0.25), 0.2), Claim("b", "", "", "", "x", np.full(5, 0.25), 0.3)]
    table = measure([*made, Claim("c", "", "", "", "points", np.array([]))], 50, 0.9, 0)
    assert table.effect.tolist()[:2] == pytest.approx([25.0, 0.25]) and np.isnan(table.effect[2])
    assert table.verdict.tolist() == [HOLDS, FAILS, UNDECIDED]


@pytest.mark.parametrize(
    ("levels", "diminishing", "plateau"),
    [
        ((0.3, 0.5, 0.5), HOLDS, HOLDS),
        ((0.3, 0.31, 0.6), FAILS, FAILS),
        ((0.3, 0.32, 0.34), UNDECIDED, UNDECIDED),
    ],
)
def test_claims_on_size(levels, diminishing, plateau):
    entries = {}
    for size, level in zip(("1k", "3k", "10k"), levels, strict=True):
        entries |= best(f"aslaf-{size}", level)
    found = judged(claims.size_claims(evidence(entries)))
    assert found == {"size_diminishing": diminishing, "size_plateau": plateau}
    assert judged(claims.size_claims(evidence(entries, ("1k", "3k"))))["size_diminishing"] == UNDECIDED


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((0.2, 0.2, 0.6, 0.6), HOLDS),
        ((0.2, 0.3, 0.4, 0.5, 0.6), FAILS),
        ((0.2, 0.4, 0.6), UNDECIDED),
        ((0.2, 0.6), UNDECIDED),
    ],
)
def test_the_claim_on_emergence(levels, expected):
    entries = {}
    for i, level in enumerate(levels, 1):
        entries |= best("aslaf-3k", level, step=10 * i)
        # Checkpoints are judged on the main pool only.
        entries |= best("aslaf-3k", 1.0 - level, step=10 * i, pool="validation")
    assert judged(claims.emergence_claim(evidence(entries))) == {"emergence": expected}


@pytest.mark.parametrize(("other", "expected"), [(0.3, HOLDS), (0.7, FAILS), (0.5, UNDECIDED)])
def test_claims_on_data(other, expected):
    e = evidence(best("aslaf-3k", 0.5) | best("mc-3k", other))
    assert judged(claims.data_claims(e, {"mc": "Monte Carlo labels"})) == {"data_mc": expected}
    with pytest.raises(ValueError, match="no accuracies of best_of_n at n=4 with PRM `x-3k`"):
        claims.data_claims(e, {"x": "another"})


def strategies(mcts: float, beam: float, best_of_n: float, majority: float, weighted: float) -> Evidence:
    named = {"mcts": mcts, "beam": beam, "best_of_n": best_of_n, "weighted": weighted}
    return evidence({(s, "aslaf-3k", 0, "m", 8): v for s, v in named.items()} | {("majority", "", 0, "m", 8): majority})


@pytest.mark.parametrize(
    ("levels", "order", "amounts", "wu"),
    [
        ((0.8, 0.6, 0.5, 0.4, 0.9), HOLDS, HOLDS, HOLDS),
        ((0.4, 0.5, 0.6, 0.7, 0.3), FAILS, FAILS, FAILS),
        # No difference decides that the published gains are not there.
        ((0.5, 0.5, 0.5, 0.5, 0.5), UNDECIDED, FAILS, UNDECIDED),
    ],
)
def test_claims_on_strategies(levels, order, amounts, wu):
    found = judged(claims.strategy_claims(strategies(*levels), [2, 8]))
    assert {v for k, v in found.items() if k.startswith("order_")} == {order}
    assert {v for k, v in found.items() if k.startswith("amount_")} == {amounts}
    assert found["mcts_below_sampling"] == wu and len(found) == 6


def test_published_gains_are_undecided_where_they_are_just_met():
    found = judged(claims.strategy_claims(strategies(0.5, 0.482, 0.468, 0.4, 0.4), [8]))
    assert found["amount_mcts_beam"] == found["amount_mcts_best_of_n"] == UNDECIDED


@pytest.mark.parametrize(("rival", "expected"), [(0.3, HOLDS), (0.7, FAILS), (0.5, UNDECIDED)])
def test_claims_on_time_compare_the_budgets_that_fit(rival, expected):
    # Within 1 second, the least time of MCTS, best-of-N affords 4 samples and beam search a budget of 2.
    entries = {("best_of_n", "aslaf-3k", 0, "m", n): v for n, v in {2: 0.0, 4: 0.5, 8: 1.0}.items()}
    entries |= {("beam", "aslaf-3k", 0, "m", n): v for n, v in {2: rival, 4: 1 - rival}.items()}
    entries |= {("mcts", "aslaf-3k", 0, "m", n): v for n, v in {2: rival, 4: 1 - rival}.items()}
    times = {"best_of_n": {2: 0.1, 4: 0.9, 8: 1.8}, "beam": {2: 0.6, 4: 1.2}, "mcts": {2: 1.0, 4: 2.0}}
    seconds = pd.DataFrame(
        [(s, b, t) for s, own in times.items() for b, t in own.items()], columns=["strategy", "budget", "seconds"]
    )
    found = claims.time_claim(evidence(entries), seconds)
    assert judged(found) == {"time_best_of_n_mcts": expected, "time_best_of_n_beam": expected}
    assert "1 seconds" in found[0].statement


@pytest.mark.parametrize(
    ("math", "parity", "gain"),
    [(0.7, HOLDS, HOLDS), (0.3, FAILS, FAILS), (0.48, UNDECIDED, UNDECIDED), (0.5, HOLDS, HOLDS)],
)
def test_claims_on_transfer(math, parity, gain):
    pools, entries = {"small": "s-code", "large": "l-code"}, {}
    for pool in pools.values():
        entries |= best("math-3k", math, pool=pool) | best("code-3k", 0.5, pool=pool)
        entries[("majority", "", 0, pool, 4)] = 0.48
    found = claims.transfer_claim(evidence(entries), pools, "math-3k", "code-3k", 4, 0.02)
    assert judged(found) == {"transfer_parity": parity, "transfer_gain": gain}
    # Wrong behaviour: a problem that two generators answer counted as two independent problems.
    assert {c.values.shape for c in found} == {(3, 60)}


@pytest.mark.parametrize(("sign", "expected"), [(1, HOLDS), (-1, FAILS), (0, UNDECIDED)])
def test_claims_on_responses(sign, expected):
    noise = stream("responses").normal(size=50)
    values = (sign * 2 + noise - noise.mean()).tolist()
    effects = dict.fromkeys(["similarity", "selection", "correctness", "preference"], values)
    assert set(judged(claims.response_claims(effects)).values()) == {expected}


@pytest.mark.parametrize(
    ("single", "agreed", "expected", "effect"),
    [(0.4, 0.1, HOLDS, 75.0), (0.4, 0.4, FAILS, 0.0), (0.4, 0.8, FAILS, -100.0), (0.5, 0.4, UNDECIDED, 20.0)],
)
def test_claims_on_noise_are_of_the_relative_fall(single, agreed, expected, effect):
    def counts(rate):  # of 100 problems with one kept chain each
        return [[float(i < 100 * rate), 1.0] for i in stream("noise order", rate).permutation(100)]

    entry = {"domain": "math", "single": counts(single), "consensus": counts(agreed)}
    (row,) = noise_claims([entry], 400, 0.95, 0).to_dict("records")
    assert row["verdict"] == expected and row["effect"] == pytest.approx(effect) and row["id"] == "noise_math"
    assert row["low"] <= row["effect"] <= row["high"]


def test_noise_without_a_ratio_is_undecided():
    for single, agreed in (([1.0, 2.0], [0.0, 0.0]), ([0.0, 2.0], [0.0, 1.0]), ([0.0, 2.0], [1.0, 1.0])):
        table = noise_claims([{"domain": "math", "single": [single] * 4, "consensus": [agreed] * 4}], 50, 0.9, 0)
        assert table.verdict.tolist() == [UNDECIDED]


# --- label noise ---


def annotation(name: str, chain: int, first_error: int | None) -> Annotation:
    return Annotation(f"q/{chain}", name, first_error, () if first_error is None else (1.0,))


ANNOTATED = {
    name: [annotation(name, i, e) for i, e in enumerate(row)]
    for name, row in {
        "monte_carlo": [0, 1, 2, None, -1],
        "judge_a": [0, 1, 3, 1, 2],
        "judge_b": [0, 2, 3, 1, None],
    }.items()
}
TRUTH = {f"q/{i}": e for i, e in enumerate([0, 1, 2, 1, -1])}


def test_filters_keep_what_they_are_named_for():
    kept = {name: [(a.chain, a.first_error) for a in rows] for name, rows in label_noise.filters(ANNOTATED).items()}
    assert kept["consensus"] == [("q/0", 0)]
    assert kept["mc_and_judge"] == [("q/0", 0), ("q/1", 1)]
    assert kept["majority"] == [("q/0", 0), ("q/1", 1), ("q/2", 3), ("q/3", 1)]
    assert [len(kept[name]) for name in ANNOTATED] == [4, 5, 4]


def test_noise_is_of_the_kept_chains_and_retention_of_all():
    kept = label_noise.filters(ANNOTATED)
    assert label_noise.wrongness(kept["judge_a"], TRUTH).tolist() == [0, 0, 1, 0, 1]
    table = label_noise.noise_table("math", kept, TRUTH, 50, 0.9, 0).set_index("annotator")
    assert table.noise["judge_a"] == pytest.approx(0.4) and table.retention["judge_a"] == 1.0
    assert table.noise["majority"] == 0.25 and table.retention["majority"] == 0.8
    assert table.noise["monte_carlo"] == 0.0 and table.chains["monte_carlo"] == 4
    assert (table.low <= table.noise).all() and (table.noise <= table.high).all()


def test_a_wrong_step_that_is_taken_back_breaks_monotonicity():
    labels = [(1.0, 1.0), (1.0, 0.0, 0.0), (0.0, 1.0), (1.0, 0.0, 1.0, 0.0)]
    assert label_noise.monotonicity_failures(labels) == 0.5


# --- patterns ---


def corrected(problem: str, sample: int, corrects: bool, right: bool) -> Graded:
    """A chain of four steps; one that corrects itself has a wrong step and takes it back."""
    on_track, marks = (True, False, True, right), (False, False, True, False)
    if not corrects:
        on_track, marks = (True, True, True, right), (False,) * 4
    return graded(problem, sample, right=right, on_track=on_track, corrections=marks)


PATTERNS = [
    corrected("p", 0, True, True),
    corrected("p", 1, False, False),
    corrected("p", 2, False, True),
    corrected("q", 0, False, True),
    corrected("q", 1, True, True),
]
SCORES = np.array([0.9, 0.1, 0.99, 0.5, 0.5])


def test_the_rates_of_self_correction_are_by_problem():
    table = patterns.pattern_table(PATTERNS, SCORES, 2, INTERVALS).set_index("group")["rate"]
    assert table["all"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert table["right"] == pytest.approx(0.5)
    assert table["right_with"] == 1.0 and table["right_without"] == pytest.approx((1 / 2 + 1) / 2)
    # Of p sample 2 is not among the first two; of q two samples tie and count in equal shares.
    assert table["prm_selected"] == pytest.approx((1 + 0.5) / 2)
    assert patterns.selection_effect(PATTERNS, SCORES, 2).tolist() == [0.5, 0.0]
    assert patterns.selection_effect(PATTERNS[::-1], SCORES[::-1], 2).tolist() == [0.5, 0.0]
    assert patterns.correctness_effect(PATTERNS).tolist() == [0.5, 0.0]
    assert patterns.correctness_effect(PATTERNS[1:3]).size == 0


def test_rewards_are_told_apart_by_the_kind_of_step():
    rewards = [(0.8, 0.2, 0.9, 0.6), (0.7, 0.7, 0.7, 0.1)]
    table = patterns.rewards_by_kind(PATTERNS[:2], rewards, INTERVALS).set_index("group")["reward"]
    assert table["correction"] == pytest.approx(0.9) and table["wrong"] == pytest.approx((0.2 + 0.1) / 2)
    assert table["ordinary"] == pytest.approx(np.mean([0.8, 0.6, 0.7, 0.7, 0.7]))
    assert patterns.correction_preference(PATTERNS[:2], rewards).tolist() == pytest.approx([0.9 - 0.7])
    with pytest.raises(ValueError, match="zip"):
        patterns.rewards_by_kind(PATTERNS[:1], [(0.5,)], INTERVALS)


def test_cases_are_one_a_problem():
    rows = [corrected(f"c{i}", 0, c, r) for i, (c, r) in enumerate([(False, True), (True, False), (True, True)])]
    assert patterns.cases(rows, 4) == [2, 1, 0] and patterns.cases(rows, 1) == [2]
    assert patterns.cases([corrected("c", i, c, True) for i, c in enumerate([True, False])], 4) == [0]


# --- gradients ---


def test_importance_is_of_unit_norm_in_the_upper_layers(policy_model):
    tokens = [5, 9, 14, 3]
    vectors = importance(policy_model, tokens)
    layer = policy_model.base_model.layers[1]
    assert len(vectors) == 1 and vectors[0].norm().item() == pytest.approx(1.0, abs=1e-5)
    assert (vectors[0] >= 0).all()
    # Against autograd's whole backward pass, and in the order of the layer's own matrices.
    policy_model.zero_grad()
    policy_model(input_ids=torch.tensor([tokens])).logits[0, -1].max().backward()
    matrices = [layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj, layer.self_attn.o_proj]
    matrices += [layer.mlp.gate_proj, layer.mlp.up_proj, layer.mlp.down_proj]
    whole = torch.cat([(m.weight.detach() * m.weight.grad).abs().flatten() for m in matrices])
    policy_model.zero_grad()
    assert torch.allclose(vectors[0], whole / whole.norm(), atol=1e-6)


def test_a_response_is_wholly_like_itself(policy_model):
    responses = [[5, 9, 14], [7, 8], [11, 30, 31, 2]]
    found = similarities(policy_model, responses, responses)
    assert np.diag(found) == pytest.approx([100.0] * 3, abs=1e-3)
    assert np.allclose(found, found.T, atol=1e-3) and (found >= 0).all() and (found < 100.001).all()
    assert found[0, 1] < 99.9
    assert similarities(policy_model, responses[:1], responses[1:]) == pytest.approx(found[:1, 1:], abs=1e-3)


def test_the_permutation_test_is_uniform_where_nothing_differs():
    rng = stream("null")
    found = [permutation_test(rng.normal(size=12), rng.normal(size=12), 200, i) for i in range(200)]
    assert kstest(found, "uniform").pvalue > 0.01
    right = rng.normal(size=30)
    assert permutation_test(right + 1.0, right, 200, 0) == pytest.approx(1 / 201)
    assert permutation_test(right - 1.0, right, 200, 0) == 1.0


# --- costs ---


def cost(strategy: str, budget: int, problem: str, generated: int, seconds: float, scoring: float = 0.0) -> Cost:
    return Cost(strategy, budget, problem, generated, 0, 0, 0, 0, 0, 0, 0.0, 0.0, seconds, scoring)


DATASET_OF = {"p": "d", "q": "d", "r": "e"}


def test_a_share_of_a_pool_costs_that_share_and_rating_costs_more():
    costs = [cost("pool", 8, "p", 80, 4.0), cost("pool", 8, "q", 40, 2.0), cost("pool", 8, "r", 16, 0.8)]
    scoring = [ScoringCost(0, "m", 10, 0, 0, 0.0, 1.0), ScoringCost(0, "m", 10, 0, 0, 0.0, 3.0)]
    table = pool_costs(costs, scoring, DATASET_OF, [2, 8]).set_index(["strategy", "dataset", "budget"])
    assert len(table) == 3 * 2 * 2 and list(table.columns) == ["tokens", "seconds"]
    assert table.tokens["majority", "d", 8] == 60 and table.tokens["weighted", "d", 2] == 15
    assert table.seconds["majority", "d", 2] == pytest.approx(0.75)
    assert table.seconds["best_of_n", "d", 2] == pytest.approx(0.75 + 2 * 0.2)
    assert table.seconds["weighted", "e", 8] == pytest.approx(0.8 + 8 * 0.2)


def test_a_tree_costs_its_mean_over_questions_and_seeds():
    costs = [cost("beam", 4, "p", 10, 1.0, 0.5), cost("beam", 4, "p", 20, 2.0, 0.5), cost("mcts", 4, "r", 7, 1.0)]
    table = tree_costs(costs, DATASET_OF)
    assert table.to_dict("records") == [
        {"strategy": "beam", "dataset": "d", "budget": 4, "tokens": 15.0, "seconds": 2.0},
        {"strategy": "mcts", "dataset": "e", "budget": 4, "tokens": 7.0, "seconds": 1.0},
    ]


# --- metrics of a PRM ---

some_chains = st.lists(
    st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), st.booleans()), min_size=1, max_size=4),
    min_size=1,
    max_size=8,
)


@given(some_chains)
def test_auc_and_loss_against_brute_force(chains):
    rewards, labels = ([[pair[k] for pair in chain] for chain in chains] for k in (0, 1))
    flat = [pair for chain in chains for pair in chain]
    pairs = [(a > b) + 0.5 * (a == b) for a, x in flat for b, y in flat if x and not y]
    if pairs:
        assert step_auc(rewards, labels) == pytest.approx(np.mean(pairs))
    else:
        assert np.isnan(step_auc(rewards, labels))
    assert log_loss(rewards, labels) == pytest.approx(np.mean([-np.log(r if y else 1 - r) for r, y in flat]))


def brute_f1(predicted, truth) -> float:
    kinds = ([p == t for p, t in zip(predicted, truth, strict=True) if (t < 0) == right] for right in (True, False))
    rates = [sum(kind) / len(kind) if kind else np.nan for kind in kinds]
    return 0.0 if sum(rates) == 0 else 2 * rates[0] * rates[1] / sum(rates)


@given(some_chains)
def test_f1_and_the_tuned_threshold_against_brute_force(chains):
    rewards = [[r for r, _ in chain] for chain in chains]
    truth = [next((i for i, (_, right) in enumerate(chain) if not right), -1) for chain in chains]

    def at(threshold: float) -> float:
        found = [predicted_first_error(r, threshold) for r in rewards]
        for error, row in zip(found, rewards, strict=True):
            assert all(r >= threshold for r in row[: error if error >= 0 else None])
            assert error < 0 or row[error] < threshold
        assert process_f1(found, truth) == pytest.approx(brute_f1(found, truth), nan_ok=True)
        return brute_f1(found, truth)

    tuned = tuned_threshold(rewards, truth)
    # Between two rewards that occur, all thresholds are alike.
    if all(t < 0 for t in truth) or all(t >= 0 for t in truth):
        assert tuned == 0.5
    else:
        assert at(tuned) == pytest.approx(max(at(t) for t in (0.06, 0.2, 0.4, 0.6, 0.8, 0.94)))


# --- grading ---


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
    found = grade_chains("m", made, problems, Steps(tokenizer, "\n"), LIMITS)
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


def test_a_right_answer_by_a_wrong_process_is_told_apart(tokenizer):
    problem = embedded("math")[0]
    proper = solution(problem, stream("proper"), 0.0)
    guessed = ["1 + 1 = 3", f"#### {problem.reference}"]
    made = chains_of(problem, ["\n".join(proper), "\n".join(guessed)], tokenizer)
    found = grade_chains("m", made, {problem.id: problem}, Steps(tokenizer, "\n"), LIMITS)
    assert [g.right for g in found] == [True, True] and found[0].answer == found[1].answer
    assert [g.first_error for g in found] == [-1, 0]
    assert found[1].on_track == (False, False)


@pytest.mark.parametrize("domain", ["math", "code", "logic"])
def test_an_unfinished_chain_is_never_right_and_has_no_class(domain, tokenizer):
    problem = embedded(domain)[0]
    text = "\n".join(solution(problem, stream("unfinished"), 0.0))
    made = chains_of(problem, [text], tokenizer, finished=False)
    (found,) = grade_chains("m", made, {problem.id: problem}, Steps(tokenizer, "\n"), LIMITS)
    assert (found.right, found.answer, found.finished) == (False, None, False)
    # What it does say is still judged step by step.
    assert all(found.on_track)
    candidates = [Candidate("beam", 2, problem.id, "0", text, whole, (0.5,)) for whole in (True, False)]
    verdicts = grade_candidates(candidates, {problem.id: problem}, LIMITS)
    assert [(right, answer is None) for _, right, answer in verdicts] == [(True, False), (False, True)]


def test_steps_of_problems_without_a_derivation_are_not_judged(tokenizer):
    problem = replace(embedded("code")[0], derivation="")
    text = "\n".join(solution(embedded("code")[0], stream("unknown"), 0.0))
    (found,) = grade_chains(
        "m", chains_of(problem, [text], tokenizer), {problem.id: problem}, Steps(tokenizer, "\n"), LIMITS
    )
    assert found.right and (found.on_track, found.first_error, found.corrections) == ((), None, ())
    assert json.loads(found.answer)
