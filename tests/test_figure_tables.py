"""Accuracies, costs, and the tables that the figures are drawn from."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from analysing import DATASETS, graded, world

from prm_scaling.analysis.accuracy import budgets, frame, matrix, pools_of, with_prm, without_prm
from prm_scaling.analysis.costs import fault_counts, pool_costs, seconds, tree_costs
from prm_scaling.analysis.figures import Intervals, curve, figure1, figure2, figure3, figure4, table1
from prm_scaling.search.record import Cost, Rewards, Timing

INTERVALS = Intervals(resamples=200, confidence=0.95, seed=0)


# --- accuracies ---


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
        [(s, d, 2, 10.0) for s in ("majority", "beam") for d in DATASETS],
        columns=["strategy", "dataset", "budget", "tokens"],
    )
    times = seconds([Timing("sampling", 2, 0, 1, 1.0, 1.0, 0.0, 0.0), Timing("beam", 2, 0, 1, 1.0, 1.0, 0.0, 0.0)])
    table = figure4(world(entries), costs, times, INTERVALS)
    spent = ["tokens", "seconds", "seconds_low", "seconds_high"]
    assert list(table.columns) == ["dataset", "strategy", "budget", *spent, "accuracy", "low", "high"]
    keys_once(table, ["dataset", "strategy", "budget"], 4)
    for some, time in ((costs[costs.strategy == "majority"], times), (costs, times[times.strategy != "beam"])):
        with pytest.raises(ValueError, match=r"no costs of \['beam'\]"):
            figure4(world(entries), some, time, INTERVALS)
    with pytest.raises(pd.errors.MergeError):
        figure4(world(entries), pd.concat([costs, costs]), times, INTERVALS)


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


# --- costs ---


def cost(strategy: str, budget: int, problem: str, generated: int, **others: int) -> Cost:
    values = dict.fromkeys(Cost.__dataclass_fields__, 0)
    return Cost(
        **{**values, "strategy": strategy, "budget": budget, "problem": problem, "generated": generated, **others}
    )


DATASET_OF = {"p": "d", "q": "d", "r": "e"}


def test_a_share_of_a_pool_costs_that_share():
    costs = [cost("pool", 8, "p", 80), cost("pool", 8, "q", 40), cost("pool", 8, "r", 16)]
    table = pool_costs(costs, DATASET_OF, [2, 8]).set_index(["strategy", "dataset", "budget"])
    assert len(table) == 3 * 2 * 2 and list(table.columns) == ["tokens"]
    assert table.tokens["majority", "d", 8] == 60 and table.tokens["weighted", "d", 2] == 15
    assert table.tokens["best_of_n", "e", 2] == 4


def test_a_tree_costs_its_mean_over_questions_and_seeds():
    costs = [cost("beam", 4, "p", 10), cost("beam", 4, "p", 20), cost("mcts", 4, "r", 7)]
    assert tree_costs(costs, DATASET_OF).to_dict("records") == [
        {"strategy": "beam", "dataset": "d", "budget": 4, "tokens": 15.0},
        {"strategy": "mcts", "dataset": "e", "budget": 4, "tokens": 7.0},
    ]


def test_seconds_are_a_questions_mean_over_turns_and_votes_need_no_prm():
    """Wrong behaviour: the time of the PRM is that of a majority vote too, or that of all questions that of one."""
    timings = [Timing("sampling", 4, i, 10, 2.0 + i, 4.0, 1.0, 1.0) for i in range(2)]
    timings.append(Timing("beam", 4, 0, 10, 5.0, 3.0, 0.0, 2.0))
    table = seconds(timings).set_index(["strategy", "budget"])
    assert set(table.index) == {("majority", 4), ("best_of_n", 4), ("weighted", 4), ("beam", 4)}
    assert table.loc[("majority", 4)].tolist() == pytest.approx([0.45, 0.4, 0.5])
    assert table.loc[("best_of_n", 4)].tolist() == pytest.approx([0.85, 0.8, 0.9])
    assert table.loc[("beam", 4)].tolist() == pytest.approx([1.0, 1.0, 1.0])


def test_faults_are_counted_by_strategy_and_budget():
    costs = [cost("beam", 4, "p", 1, cut=2), cost("beam", 4, "q", 1, cut=1, unscored=3), cost("mcts", 8, "p", 1)]
    table = fault_counts(costs).set_index(["strategy", "budget"])
    assert table.loc[("beam", 4), ["searches", "cut", "unscored", "refused"]].tolist() == [2, 3, 3, 0]
    assert table.loc[("mcts", 8), "searches"] == 1
