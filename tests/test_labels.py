"""Labels of training sets: what follows from stored rollouts at any threshold, and where the loss is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.annotate.labels import Labelling, class_weights, labels_of
from prm_scaling.annotate.monte_carlo import Bisection
from prm_scaling.annotate.record import Annotation, labels_until
from prm_scaling.annotate.select import counted, select
from prm_scaling.storage import read_records, write_records


@st.composite
def searched(draw) -> Annotation:
    """What binary search stores of a chain whose shares of right rollouts are drawn."""
    k, steps = draw(st.integers(1, 8)), draw(st.integers(1, 7))
    if draw(st.booleans()):
        return Annotation("q/0", "monte_carlo", -1, (1.0,) * steps, k)
    counts = draw(st.lists(st.integers(0, k), min_size=steps, max_size=steps))
    search = Bisection(0, steps - 1)
    while not search.done:
        search.tell(counts[search.middle], counts[search.middle] > 0)
    labels = labels_until(search.low, steps)
    return Annotation("q/0", "monte_carlo", search.low, labels, k, tuple(search.probed), tuple(search.correct))


thresholds = st.sampled_from([0.0, 0.125, 0.25, 0.5, 0.75, 0.875])


@given(searched())
def test_the_searchs_own_threshold_gives_its_own_labels(found):
    assert labels_of(found, Labelling()) == found.labels == labels_of(found, Labelling(threshold=0.0))


@given(searched(), thresholds, thresholds)
def test_hard_labels_follow_from_the_counts_and_fall_with_the_threshold(found, one, other):
    low, high = sorted((one, other))
    lenient, strict = (labels_of(found, Labelling(threshold=t)) for t in (low, high))
    assert len(lenient) == len(strict) == len(found.labels)
    for labels, threshold in ((lenient, low), (strict, high)):
        assert set(labels) <= {0.0, 1.0, None}
        known = [label for label in labels if label is not None]
        assert known and known == sorted(known, reverse=True)
        hopeful = {s: c / found.rollouts > threshold for s, c in zip(found.probed, found.correct, strict=True)}
        error = min((step for step, good in hopeful.items() if not good), default=len(labels))
        assert all(labels[step] == float(step < error) for step in hopeful)
    assert all(a == 1.0 or b in (0.0, None) for a, b in zip(lenient, strict, strict=True) if a is not None)
    assert all(b == 0.0 for a, b in zip(lenient, strict, strict=True) if a == 0.0)


@given(searched())
def test_soft_labels_are_the_stored_shares_and_nothing_between_is_made_up(found):
    """Wrong behaviour: a share rounded to a hard label."""
    soft = labels_of(found, Labelling("soft"))
    shares = {s: c / found.rollouts for s, c in zip(found.probed, found.correct, strict=True)}
    assert soft == tuple(shares.get(step, label) for step, label in enumerate(found.labels))


@given(searched(), st.sampled_from(["hard", "soft"]), st.none() | thresholds)
def test_the_loss_ends_with_the_first_error(found, labels, threshold):
    whole = labels_of(found, Labelling(labels, threshold))
    cut = labels_of(found, Labelling(labels, threshold, "first_error"))
    end = len(cut) - next((i for i, label in enumerate(reversed(cut)) if label is not None), len(cut))
    assert cut[:end] == whole[:end] and set(cut[end:]) <= {None} and end
    if found.first_error < 0:
        assert cut == whole
    else:
        assert found.first_error in range(end) if threshold is None else cut[end - 1] is not None
        if labels == "hard":
            assert cut.count(0.0) == 1 and cut[end - 1] == 0.0


def test_an_error_that_is_taken_back_does_not_end_the_loss():
    """Wrong behaviour: the first wrong step, also where the chain mends it."""
    mended = Annotation("q/0", "human", -1, (1.0, 0.0, 1.0, 1.0))
    assert labels_of(mended, Labelling(loss="first_error")) == mended.labels


@given(searched())
def test_an_outcome_is_one_label_at_the_end(found):
    *before, last = labels_of(found, Labelling(outcome=True))
    assert set(before) <= {None} and last == float(found.first_error == -1)


@pytest.mark.parametrize("how", [Labelling("soft"), Labelling(threshold=0.5), Labelling(outcome=True)])
def test_what_follows_from_rollouts_is_refused_without_them(how):
    with pytest.raises(ValueError, match=r"human of q/0: no rollouts are stored"):
        labels_of(Annotation("q/0", "human", 0, (0.0,)), how)
    assert labels_of(Annotation("q/0", "monte_carlo", None, (), 4), how) == ()


@pytest.mark.parametrize("label", [0.5, -1.0, 2.0, float("nan")])
def test_a_hard_label_that_is_neither_is_refused(label):
    """Wrong behaviour: trained on as if it were a share of rollouts, or counted as wrong."""
    with pytest.raises(ValueError, match=r"human of q/0: a hard label is 0 or 1, and .* is neither"):
        select({"a": [Annotation("q/0", "human", -1, (1.0, label))]}, 9, 0)


@given(st.lists(st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=4), min_size=1, max_size=6))
def test_balanced_classes_weigh_the_same(rows):
    known = [label for row in rows for label in row if label is not None]
    right, wrong = sum(known), sum(1 - label for label in known)
    if min(right, wrong) > 1e-6:
        weights = class_weights(rows)
        assert weights[0] * wrong == pytest.approx(weights[1] * right) == pytest.approx(len(known) / 2)


def test_an_empty_class_is_named_and_cannot_be_weighed():
    with pytest.raises(ValueError, match=r"of 2 labels 2 are right and 0 wrong: an empty class"):
        class_weights([(1.0, None), (1.0,)])
    sets = {"a": [Annotation("q/0", "human", -1, (1.0, 1.0))]}
    told = counted(select(sets, 9, 0)["a"])
    assert told.startswith("2 steps right, 0 wrong, 0 between, 0 unlabelled") and "no step is wrong" in told


def test_sets_of_one_annotator_share_nothing_but_their_chains(tmp_path):
    """A set's labelling changes its labels and not its choice; steps without a label survive the file."""
    found = [Annotation(f"q/{i}", "monte_carlo", 2, labels_until(2, 4), 4, (1, 2), (1, 0)) for i in range(6)]
    sets = {"a": found, "b": found}
    plain, other = (select(sets, 3, 0, how) for how in (None, {"b": Labelling(threshold=0.25, loss="first_error")}))
    assert plain["a"] == other["a"] and [s.chain for s in plain["b"]] == [s.chain for s in other["b"]]
    assert {s.labels for s in other["b"]} == {(None, 0.0, None, None)}
    write_records(tmp_path / "b.parquet", other["b"], type(other["b"][0]))
    assert read_records(tmp_path / "b.parquet", type(other["b"][0])) == other["b"]
