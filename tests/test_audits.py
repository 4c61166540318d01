"""Label noise, patterns of self-correction, similarity in the gradient metric."""

import numpy as np
import pytest
import torch
from analysing import graded
from scipy.stats import kstest

from prm_scaling.analysis import label_noise, patterns
from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.graded import Graded
from prm_scaling.analysis.gradients import contrast, importance, permutation_test, similarities
from prm_scaling.annotate.record import Annotation
from prm_scaling.seeds import stream

INTERVALS = Intervals(resamples=200, confidence=0.95, seed=0)


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
    table = label_noise.noise_table("math", kept, TRUTH, INTERVALS).set_index("annotator")
    assert table.noise["judge_a"] == pytest.approx(0.4) and table.retention["judge_a"] == 1.0
    assert table.noise["majority"] == 0.25 and table.retention["majority"] == 0.8
    assert table.noise["monte_carlo"] == 0.0 and table.chains["monte_carlo"] == 4
    assert (table.low <= table.noise).all() and (table.noise <= table.high).all()


def test_intervals_of_noise_are_over_problems_and_not_over_chains():
    """Wrong behaviour: five chains of a problem that share its error counted as five independent errors."""
    chains = [f"q{i}/{j}" for i in range(40) for j in range(5)]
    kept = [Annotation(c, "a", int(int(c[1:].split("/")[0]) % 4 == 0), (1.0, 1.0)) for c in chains]
    table = label_noise.noise_table("math", {"a": kept}, dict.fromkeys(chains, 0), INTERVALS)
    few = label_noise.noise_table("math", {"a": kept[::5]}, dict.fromkeys(chains[::5], 0), INTERVALS)
    assert table.noise[0] == few.noise[0] == 0.25
    assert (table.low[0], table.high[0]) == (few.low[0], few.high[0])


def test_noise_by_steps_is_of_the_chains_of_that_length():
    chains = [f"q{i}/0" for i in range(60)]
    steps = {c: 3 if i < 40 else 5 if i < 59 else 9 for i, c in enumerate(chains)}
    rows = [Annotation(c, "a", int(steps[c] == 5), (1.0,)) for c in chains[:50]]
    table = label_noise.by_steps("math", {"a": rows, "b": []}, dict.fromkeys(chains, 0), steps, INTERVALS)
    # One chain in sixty has nine steps: too few to tell.
    assert table.steps.tolist() == [3, 5] and table.noise.tolist() == [0.0, 1.0]
    assert table.retention.tolist() == pytest.approx([1.0, 10 / 19]) and table.chains.tolist() == [40, 10]


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


def alike(rng: np.random.Generator, left: int, right: int, gain: float) -> np.ndarray:
    """Similarities with a random effect of each response; pairs of selected ones are ``gain`` more alike."""
    matrix = (
        rng.normal(size=(2 * left, 1)) + rng.normal(size=(1, 2 * right)) + 0.1 * rng.normal(size=(2 * left, 2 * right))
    )
    matrix[:left, :right] += gain
    return matrix


@pytest.mark.parametrize("sides", [(True, True), (True, False), (False, True)])
def test_the_permutation_test_is_uniform_where_nothing_differs(sides):
    """Wrong behaviour: the pairs of one response taken for independent, which finds differences that are not there."""
    rng = stream("null", sides)
    found = [permutation_test(alike(rng, 12, 9, 0.0), 200, i, *sides) for i in range(200)]
    assert kstest(found, "uniform").pvalue > 0.01


def test_the_permutation_test_finds_what_differs():
    rng = stream("differs")
    assert permutation_test(alike(rng, 30, 30, 9.0), 200, 0) == pytest.approx(1 / 201)
    assert permutation_test(alike(rng, 30, 30, -9.0), 200, 0) == 1.0


def test_the_contrast_is_of_the_selected_less_the_others():
    matrix = np.array([[4.0, 2.0, 0.0, 0.0], [2.0, 4.0, 0.0, 0.0], [9.0, 9.0, 1.0, 1.0], [9.0, 9.0, 1.0, 1.0]])
    ones = np.ones((1, 2))
    assert contrast(matrix, ones, ones).tolist() == [2.0]
    # Exchanged on both sides it turns its sign; resampled, a problem counts as often as it was drawn.
    assert contrast(matrix, -ones, -ones).tolist() == [-2.0]
    assert contrast(matrix, np.array([[2.0, 0.0]]), np.array([[2.0, 0.0]])).tolist() == [3.0]
