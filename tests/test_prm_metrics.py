"""The step-level metrics of a PRM, against brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.prm.metrics import log_loss, predicted_first_error, process_f1, step_auc, tuned_threshold

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
