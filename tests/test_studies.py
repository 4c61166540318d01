"""The studies: stored counts, consensus at equal retention, laws of size and training, levels, convergence."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from analysing import graded
from hypothesis import given, settings
from hypothesis import strategies as st

from prm_scaling.analysis import convergence, label_noise, levels, monotonicity, scaling
from prm_scaling.analysis.accuracy import pools_of
from prm_scaling.analysis.convergence import Votes
from prm_scaling.analysis.estimators import detectable, ratios, weights
from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.step_metrics import RatedSteps
from prm_scaling.annotate.counts import bracket, hard_labels, rises, soft_values
from prm_scaling.annotate.dawid_skene import dawid_skene
from prm_scaling.annotate.monte_carlo import Bisection
from prm_scaling.annotate.record import Annotation, labels_until
from prm_scaling.prm.metrics import log_loss, step_auc
from prm_scaling.search.record import Rewards
from prm_scaling.seeds import stream

INTERVALS = Intervals(resamples=300, confidence=0.95, seed=0)

# --- stored counts ---


def searched(counts: list[int], rollouts: int, threshold: float) -> Annotation:
    """What binary search stores of a chain whose rollouts after each step would come out as ``counts``."""
    search = Bisection(0, len(counts) - 1)
    while not search.done:
        count = counts[search.middle]
        search.tell(count, count / rollouts > threshold)
    labels = labels_until(search.low, len(counts))
    return Annotation("q/0", "monte_carlo", search.low, labels, rollouts, tuple(search.probed), tuple(search.correct))


counted = st.lists(st.integers(0, 4), min_size=1, max_size=9)
thresholds = st.sampled_from([i / 8 for i in range(8)])


@given(counted, thresholds)
def test_labels_at_the_searchs_own_threshold_are_its_labels(counts, threshold):
    found = searched(counts, 4, threshold)
    assert bracket(found, threshold) == (found.first_error, found.first_error)
    assert hard_labels(found, threshold) == found.labels
    assert not rises(found, threshold)


@given(counted, thresholds, thresholds)
def test_labels_at_another_threshold_leave_open_what_no_probe_tells(counts, own, other):
    counts = sorted(counts, reverse=True)  # hopeless prefixes stay so
    found = searched(counts, 4, own)
    truth = next((i for i, c in enumerate(counts[:-1]) if not c / 4 > other), len(counts) - 1)
    first, last = bracket(found, other)
    assert first <= truth <= last or other < own  # a lower threshold's error may lie behind all that was probed
    labels = hard_labels(found, other)
    assert len(labels) == len(counts) and [math.isnan(v) for v in labels].count(True) == last - first
    assert {v for v in labels if not math.isnan(v)} <= {0.0, 1.0}


def test_a_right_chain_is_right_at_every_threshold():
    whole = Annotation("q/0", "monte_carlo", -1, (1.0, 1.0), 4)
    assert bracket(whole, 0.9) == (-1, -1) and hard_labels(whole, 0.9) == (1.0, 1.0) and rises(whole, 0.9) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rollouts": 0}, "q/0: no rollouts are stored"),
        ({"correct": (5,)}, "q/0: 5 right ones of 4 rollouts; annotate it again"),
        ({"correct": (1, 2)}, "zip"),
    ],
)
def test_counts_that_cannot_be_are_refused(changes, said):
    whole = Annotation("q/0", "monte_carlo", 0, (0.0, 0.0), 4, (0,), (0,))
    with pytest.raises(ValueError, match=said):
        soft_values(replace(whole, **changes))
    with pytest.raises(ValueError, match="it has no steps"):
        bracket(replace(whole, first_error=None), 0.0)


@given(st.lists(st.booleans(), min_size=1, max_size=9))
def test_search_by_the_truth_misses_only_where_it_rises(on_track):
    labels = [float(v) for v in on_track]
    first = len(labels)
    while first and not on_track[first - 1]:
        first -= 1
    expected = first if first < len(labels) else -1
    assert monotonicity.bisected(labels) == expected or monotonicity.rises_again(labels)


def test_monotonicity_is_measured_on_the_truth_and_on_counts():
    exact = [
        Annotation("a/0", "human", 1, (1.0, 0.0, 0.0)),
        Annotation("b/0", "human", 2, (0.0, 1.0, 0.0)),
        Annotation("c/0", "human", -1, (1.0, 1.0, 1.0)),
    ]
    counts = [
        Annotation("a/0", "mc", 1, (1.0, 0.0, 0.0), 4, (1, 0), (0, 4)),
        Annotation("b/0", "mc", 2, (1.0, 1.0, 0.0), 4, (1, 0), (4, 1)),
        Annotation("c/0", "mc", -1, (1.0, 1.0, 1.0), 4),
    ]
    table = monotonicity.table("math", exact, counts, INTERVALS)
    truth = table[table.threshold.isna()].set_index("measure")
    assert truth.share["a right step after a wrong one"] == pytest.approx(1 / 3)
    assert truth.share["the same among chains that end wrong"] == 0.5 and truth.share[monotonicity.MISSED] == 0.0
    at = {t: part.set_index("measure") for t, part in table.dropna(subset="threshold").groupby("threshold")}
    # With four rollouts only four thresholds differ.
    assert list(at) == [0.0, 0.25, 0.5, 0.75]
    assert at[0.25].share["a hopeful prefix after a hopeless one"] == 0.5
    assert at[0.0].share["a wrong prefix taken for the other"] == 0.5
    assert at[0.0].share["first errors wrong among the settled"] == 0.0


def test_labels_of_another_length_than_the_steps_are_refused():
    exact = [Annotation("a/0", "human", 1, (1.0, 0.0, 0.0))]
    with pytest.raises(ValueError, match=r"a/0: 2 labels by mc, 3 steps by the truth; .* annotate both again"):
        monotonicity.table("math", exact, [Annotation("a/0", "mc", 1, (1.0, 0.0), 4)], INTERVALS)


# --- consensus at equal retention ---


def annotators(errors: dict[str, float], chains: int) -> tuple[dict[str, list[Annotation]], dict, dict]:
    """Annotators that err independently at these rates; the truth; the steps."""
    truth = {f"q{i}/0": int(stream("truth", i).integers(-1, 4)) for i in range(chains)}
    rows: dict[str, list[Annotation]] = {}
    for name, rate in errors.items():
        rng = stream("annotator", name)
        for chain, place in truth.items():
            given = int(rng.integers(-1, 4)) if rng.random() < rate else place
            rows.setdefault(name, []).append(Annotation(chain, name, given, labels_until(given, 4)))
    return rows, truth, dict.fromkeys(truth, 4)


def test_who_is_to_be_trusted_is_found_without_the_truth():
    rows, truth, steps = annotators({"bad": 0.6, "worse": 0.6, "worst": 0.7, "good": 0.1}, 400)
    found = {a.chain: a.first_error for a in dawid_skene(rows, steps, 0)}
    right = np.mean([found[chain] == place for chain, place in truth.items()])
    voted = np.mean([v == truth[c] for c, v in most_common(rows).items()])
    assert right > 0.85 and right > voted + 0.05


def most_common(rows: dict[str, list[Annotation]]) -> dict[str, int | None]:
    """The place that most annotators give each chain."""
    return {
        own[0].chain: Counter(a.first_error for a in own).most_common(1)[0][0]
        for own in zip(*rows.values(), strict=True)
    }


def test_the_surest_chains_come_first_and_ties_fall_by_the_seed():
    rows, truth, steps = annotators({"a": 0.2, "b": 0.2, "c": 0.2}, 300)
    found = dawid_skene(rows, steps, 0)
    wrong = [a.first_error != truth[a.chain] for a in found]
    assert np.mean(wrong[:100]) < np.mean(wrong[-100:])
    assert found == dawid_skene(rows, steps, 0)
    assert sorted(a.chain for a in found) == sorted(a.chain for a in dawid_skene(rows, steps, 1))


def test_a_chain_has_no_error_beyond_its_steps():
    """Wrong behaviour: the first error of a long chain given to a short one that an annotator mistook."""
    rows = {n: [Annotation(f"q{i}/0", n, 3, labels_until(3, 4)) for i in range(20)] for n in ("a", "b")}
    rows["a"].append(Annotation("r/0", "a", 0, (0.0,)))
    steps = {f"q{i}/0": 4 for i in range(20)} | {"r/0": 1}
    assert next(a for a in dawid_skene(rows, steps, 0) if a.chain == "r/0").first_error == 0


def test_nothing_to_aggregate_is_said():
    with pytest.raises(ValueError, match="none of a gave a verdict on any chain"):
        dawid_skene({"a": [Annotation("q/0", "a", None, ())]}, {"q/0": 2}, 0)


def test_filters_are_compared_at_equal_retention():
    rows, truth, steps = annotators({"monte_carlo": 0.2, "judge_a": 0.2, "judge_b": 0.2}, 200)
    kept = label_noise.filters(rows)
    table, cut = label_noise.at_equal_retention("math", rows, kept, truth, steps, INTERVALS)
    assert table["filter"].tolist() == ["consensus", "mc_and_judge", "majority"] == list(cut)
    for row in table.itertuples():
        assert row.chains == len(kept[row.filter]) == len(cut[row.filter]) and row.retention == row.chains / 200
        assert row.dawid_skene - row.noise == pytest.approx(row.difference)
        assert row.low <= row.difference <= row.high


# --- intervals and power ---


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=12), st.integers(0, 9))
def test_a_share_lies_in_its_interval_and_between_its_parts(pairs, seed):
    top, bottom = (np.array([[p[0]] for p in pairs], float), np.array([[p[0] + p[1]] for p in pairs], float))
    (share,) = ratios(top, bottom, 200, 0.95, seed)
    if not bottom.any():
        assert math.isnan(share.value)
        return
    assert share.value == pytest.approx(top.sum() / bottom.sum())
    assert 0.0 <= share.low <= share.high <= 1.0


def test_resampled_problems_are_as_many():
    drawn = weights(7, 50, 0)
    assert (drawn.sum(axis=1) == 7).all() and (drawn == weights(7, 50, 0)).all() and (drawn != weights(7, 50, 1)).any()


def test_an_effect_of_the_detectable_size_is_told_four_times_in_five():
    told = []
    for i in range(400):
        values = stream("power", i).normal(size=60)
        error = values.std(ddof=1) / math.sqrt(60)
        effect = detectable(-1.96 * error, 1.96 * error, 0.95)
        told.append(values.mean() + effect > 1.96 * error)
    assert np.mean(told) == pytest.approx(0.8, abs=0.06)


# --- step metrics and laws ---


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.sampled_from([0.1, 0.4, 0.6, 0.9]), st.booleans()), min_size=1, max_size=4),
        min_size=1,
        max_size=6,
    ),
    st.data(),
)
def test_step_metrics_of_a_resample_are_those_of_its_chains(chains, data):
    rows = [Rewards(0, "m", f"q{i}/0", tuple(r for r, _ in chain)) for i, chain in enumerate(chains)]
    known = {f"q{i}/0": graded(f"q{i}", 0, on_track=tuple(t for _, t in chain)) for i, chain in enumerate(chains)}
    steps = RatedSteps.of(rows, known, [f"q{i}" for i in range(len(chains))])
    times = data.draw(st.lists(st.integers(0, 2), min_size=len(chains), max_size=len(chains)))
    again = [i for i, n in enumerate(times) for _ in range(n)]
    if not again:
        return
    rewards, truth = [rows[i].rewards for i in again], [known[f"q{i}/0"].on_track for i in again]
    assert steps.auc(np.array([times], float))[0] == pytest.approx(step_auc(rewards, truth), nan_ok=True)
    assert steps.loss(np.array([times], float))[0] == pytest.approx(log_loss(rewards, truth))


def test_another_number_of_rewards_than_of_steps_is_refused():
    with pytest.raises(ValueError, match=r"chain q/0 of m has 1 steps and 2 rewards; score it again"):
        RatedSteps.of([Rewards(0, "m", "q/0", (0.5, 0.5))], {"q/0": graded("q", 0)}, ["q"])


def curve(values: np.ndarray, x=(1e3, 1e4, 1e5, 1e6, 1e7), noise: float = 0.002) -> scaling.Curve:
    again = values + noise * stream("curve").normal(size=(60, len(values)))
    return scaling.Curve(np.array(x), np.array(values), again, 1.0)


@settings(deadline=None, max_examples=30)
@given(st.floats(0.6, 0.95), st.floats(0.05, 0.3), st.floats(0.2, 1.2))
def test_a_law_that_is_there_is_found(ceiling, scale, exponent):
    law = scaling.Law(ceiling, scale, exponent, 1e5)
    x = np.array([1e3, 1e4, 1e5, 1e6, 1e7])
    found = scaling.fit(x, law.at(x), np.full(5, 0.01), 1.0)
    assert found is not None
    assert found.at(x) == pytest.approx(law.at(x), abs=5e-3)


def test_the_interval_of_a_law_holds_what_it_was_made_of():
    law = scaling.Law(0.8, 0.1, 0.5, 1e5)
    x = np.array([1e3, 1e4, 1e5, 1e6, 1e7])
    fitted = scaling.fit_curve(curve(law.at(x)), 0.01, 0.95)
    assert fitted is not None and fitted.failed == 0 and fitted.misfit < 1
    assert fitted.ceiling.low <= 0.8 <= fitted.ceiling.high and fitted.exponent.low <= 0.5 <= fitted.exponent.high
    assert fitted.beyond.low <= law.beyond(0.01) <= fitted.beyond.high
    gain = law.at(2 * law.beyond(0.01)) - law.at(law.beyond(0.01))
    assert gain == pytest.approx(0.01)


def test_no_plateau_in_sight_is_no_law_that_invents_one():
    straight = np.array([0.2, 0.3, 0.4, 0.5, 0.6])  # over the logarithm of x
    fitted = scaling.fit_curve(curve(straight), 0.01, 0.95)
    assert fitted is not None and fitted.ceiling.value == pytest.approx(1.0, abs=0.05)
    assert fitted.beyond.low > 1e7


def test_too_few_points_are_no_law_and_no_jump():
    short = scaling.Curve(np.array([1.0, 2.0]), np.array([0.1, 0.2]), np.array([[0.1, 0.2]]), 1.0)
    assert scaling.fit_curve(short, 0.01, 0.95) is None and scaling.jump(short, 0.95) is None
    with pytest.raises(ValueError, match="needs 4 points at an x above 0"):
        scaling.fit(short.x, short.y, np.ones(2), 1.0)
    with pytest.raises(ValueError, match="needs 4 points at an x above 0"):
        scaling.fit(np.array([0.0, 1.0, 2.0, 3.0]), np.arange(4.0), np.ones(4), 1.0)


def test_a_jump_is_told_from_a_climb():
    sudden = scaling.jump(curve(np.array([0.2, 0.21, 0.7, 0.71, 0.72])), 0.95)
    steady = scaling.jump(curve(np.array([0.2, 0.3, 0.4, 0.5, 0.61])), 0.95)
    assert sudden is not None and steady is not None
    assert (sudden.before, sudden.after) == (1e4, 1e5) and sudden.excess.low > 0 and sudden.share.value > 0.9
    assert steady.excess.high < 0 and steady.share.value == pytest.approx(0.11 / 0.41)


# --- response level and step level ---


def test_right_answers_by_a_wrong_process_are_counted_by_difficulty():
    easy = [graded("e", i, right=True, first_error=-1 if i else 0) for i in range(4)]
    hard = [graded("h", i, right=i < 2, first_error=1) for i in range(4)]
    unknown = [graded("u", 0, right=True, first_error=None, on_track=())]
    difficulty = {"e": 2, "h": 5, "u": 3}
    table = levels.wrong_process("math", [*easy, *hard, *unknown], difficulty, INTERVALS)
    assert (
        table.difficulty.tolist() == [2, 5] and table.share.tolist() == [0.25, 1.0] and table.right.tolist() == [4, 2]
    )
    assert levels.process_gap([*easy, *hard], difficulty, INTERVALS).value == 0.75
    assert math.isnan(levels.process_gap(easy, difficulty, INTERVALS).value)


def test_of_equally_low_steps_all_count():
    rows = [
        Rewards(0, "m", "q/0", (0.9, 0.1)),
        Rewards(0, "m", "q/1", (0.1, 0.1)),
        Rewards(0, "m", "p/0", (0.1, 0.9)),
        Rewards(0, "m", "p/1", (math.nan, 0.9)),
    ]
    known = {r.chain: graded(r.chain[0], int(r.chain[2])) for r in rows}
    found = levels.lowest_last(rows, known)
    assert found == {"p": 0.0, "q": 0.75}
    assert levels.stacked([found, {"q": 0.5, "r": 0.5}]).tolist() == [[0.75], [0.5]]


def test_aggregations_choose_what_they_are_named_for():
    chains = [graded("q", 0, right=True, answer="1"), graded("q", 1, right=False, answer="2")]
    rewards = [Rewards(0, "m", "q/0", (0.2, 0.9)), Rewards(0, "m", "q/1", (0.5, 0.5))]
    found = levels.by_aggregation(pools_of(chains), rewards, 2)
    assert {how: float(v[0]) for how, v in found.items()} == {"last": 1.0, "product": 0.0, "min": 0.0}


# --- convergence of the vote ---

answers = st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=30)


@given(answers, st.sampled_from([1, 4, 32]))
def test_the_vote_errs_no_more_than_its_bound(pool, n):
    votes = Votes.of(pool)
    if votes.delta > 0:
        # Four standard errors of the Monte Carlo estimate.
        noise = 4 * math.sqrt(0.25 / convergence.DRAWS)
        assert votes.error(n, stream("votes", n)) <= votes.bound(n) + noise


def test_a_single_vote_errs_as_often_as_other_answers_come():
    votes = Votes.of(["a", "a", "b", None])
    assert votes.shares == (0.5, 0.25) and votes.delta == 0.25 and votes.silent == 0.25
    assert votes.error(1, stream("one")) == pytest.approx(0.5, abs=0.1)
    assert votes.bound(1000) == pytest.approx(2 * math.exp(-1000 / 32))


def test_problems_without_a_likeliest_answer_have_no_limit():
    tied = [graded("t", i, answer="ab"[i]) for i in range(2)]
    clear = [graded("c", i, answer="aab"[i]) for i in range(3)]
    found = convergence.convergence(pools_of([*tied, *clear]), 0)
    assert found.tied == 0.5 and found.error.shape == (len(convergence.BUDGETS), 1)
    table = convergence.convergence_table("math", found, INTERVALS)
    assert (table.problems == 1).all() and table.value[0] > table.value[len(convergence.BUDGETS) - 1]
    none = convergence.convergence(pools_of(tied), 0)
    assert none.tied == 1.0 and convergence.convergence_table("math", none, INTERVALS).empty
