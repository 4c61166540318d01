"""The claims: effects of known size give the verdicts that follow from them."""

import numpy as np
import pandas as pd
import pytest
from analysing import world

from prm_scaling.analysis import claims
from prm_scaling.analysis.claims import FAILS, HOLDS, UNDECIDED, Claim, Evidence, measure, noise_claims, verdict
from prm_scaling.analysis.estimators import Interval
from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.study_claims import study_claims
from prm_scaling.seeds import stream

INTERVALS = Intervals(resamples=200, confidence=0.95, seed=0)


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


def test_a_claim_says_what_it_could_have_seen():
    values = stream("power").normal(size=400)
    (row,) = measure([Claim("a", "", "", "", "points", values / 100)], 2000, 0.95, 0).to_dict("records")
    assert row["detectable"] == pytest.approx(2.8 * values.std() / 20, rel=0.1)
    # An interval that the study made itself is taken as it is.
    (row,) = measure([Claim("a", "", "", "", "x", Interval(3.0, 2.0, 4.0), 1.0)], 10, 0.95, 0).to_dict("records")
    assert (row["effect"], row["low"], row["high"], row["verdict"]) == (3.0, 2.0, 4.0, HOLDS)
    (row,) = measure([Claim("a", "", "", "", "x", np.zeros(9))], 10, 0.95, 0).to_dict("records")
    assert np.isnan(row["detectable"])


def test_claims_of_studies_follow_from_their_effects():
    effects = {
        "parameters_accuracy_left": {"value": 0.3, "low": 0.2, "high": 0.4},
        "auc_jump": {"value": 0.3, "low": 0.2, "high": 0.4},
        "monotone_math": {"value": 0.004, "low": 0.001, "high": 0.008},
        "dawid_skene_math": {"value": -0.1, "low": -0.2, "high": -0.05},
        "process_math": {"value": np.nan, "low": np.nan, "high": np.nan},
        "bound_math": [0.1, 0.2, 0.3] * 10,
        "last_mc": [[-0.1, -0.2, -0.3] * 10],
        "last_aslaf": [[-0.1, -0.2, -0.3] * 10],
    }
    kinds = {"mc": "monte_carlo", "aslaf": "consensus"}
    assert judged(study_claims(effects, ["math"], kinds, 8, 16, 0.01)) == {
        "size_ceiling": FAILS,
        "emergence_auc": HOLDS,
        "emergence_loss": UNDECIDED,  # too few checkpoints: no such effect is stored
        "consensus_math": FAILS,
        "monotone_math": HOLDS,
        "process_math": UNDECIDED,
        "vote_bound_math": HOLDS,
        # Zhang et al.: the last step for Monte Carlo labels, the product for others.
        "aggregation_mc": FAILS,
        "aggregation_aslaf": HOLDS,
    }


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
    (row,) = measure(noise_claims([entry], 400, 0.95, 0), 400, 0.95, 0).to_dict("records")
    assert row["verdict"] == expected and row["effect"] == pytest.approx(effect) and row["id"] == "noise_math"
    assert row["low"] <= row["effect"] <= row["high"]


def test_noise_without_a_ratio_is_undecided():
    for single, agreed in (([1.0, 2.0], [0.0, 0.0]), ([0.0, 2.0], [0.0, 1.0]), ([0.0, 2.0], [1.0, 1.0])):
        found = noise_claims([{"domain": "math", "single": [single] * 4, "consensus": [agreed] * 4}], 50, 0.9, 0)
        table = measure(found, 50, 0.9, 0)
        assert table.verdict.tolist() == [UNDECIDED]
