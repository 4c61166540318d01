"""The PRM: it is trained where it is read, on soft labels, and its metrics are those of their definitions."""

import math

import pytest
import torch
from conftest import tiny

from prm_scaling.chains.record import Chain
from prm_scaling.engines.interface import Score
from prm_scaling.engines.transformers import TransformersScorer
from prm_scaling.models.batches import padded
from prm_scaling.prm.metrics import predicted_first_error, process_f1, step_auc
from prm_scaling.prm.model import example, positions, step_loss

CHAIN = Chain("q/0", "q", "math", (5, 6), (7, 8, 9, 10, 11), (2, 4, 5), "", True)


def test_training_and_inference_read_the_same_positions(tokenizer):
    """Wrong behaviour: the loss one token beside the place where the reward is read."""
    from transformers import Qwen2ForTokenClassification

    model = tiny(tokenizer, Qwen2ForTokenClassification, seed=3, num_labels=1)
    # A step is (word, separator); word 20 is right, word 21 wrong. The neighbours' labels always differ, so
    # a position off by one would be exactly wrong.
    separator, chains, labels = 7, [], []
    for i in range(16):
        words = [20 + (i + t) % 2 for t in range(4)]
        tokens = tuple(x for word in words for x in (word, separator))
        chains.append(Chain(f"q/{i}", "q", "math", (5,) * (1 + i % 3), tokens, (2, 4, 6, 8), "", True))
        labels.append(tuple(float(word == 20) for word in words))
    batch = padded([example(c, row) for c, row in zip(chains, labels, strict=True)])
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(80):
        optimizer.zero_grad()
        loss = step_loss(model, batch)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    results = TransformersScorer(model).score([Score(c.prompt + c.tokens, positions(c)) for c in chains])
    for result, row in zip(results, labels, strict=True):
        assert [float(r > 0.5) for r in result.rewards] == list(row)


def test_targets_stand_at_the_last_token_of_each_step_and_nowhere_else():
    made = example(CHAIN, (1.0, 0.9, 0.0))
    assert made.tokens == CHAIN.prompt + CHAIN.tokens and positions(CHAIN) == (3, 5, 6)
    assert [t for t in made.targets if not math.isnan(t)] == [1.0, 0.9, 0.0]
    assert all(math.isnan(made.targets[i]) == (i not in positions(CHAIN)) for i in range(7))


@pytest.mark.parametrize(
    "labels", [(1.0, 1.0), (1.0, 1.0, 1.0, 1.0), (1.0, 2.0, 0.0), (1.0, -0.1, 0.0), (1.0, math.nan, 0.0)]
)
def test_labels_that_do_not_fit_the_steps_are_refused(labels):
    with pytest.raises(ValueError, match="chain q/0"):
        example(CHAIN, labels)


def test_the_loss_is_the_papers_over_all_steps_with_soft_and_zero_labels(prm_model):
    """Wrong behaviour: labels rounded to integers, or steps of label 0 taken for padding."""
    other = Chain("q/1", "q", "math", (5,), (7, 8), (1, 2), "", True)
    labels = [(1.0, 0.9, 0.0), (0.0, 0.25)]
    batch = padded([example(CHAIN, labels[0]), example(other, labels[1])])
    terms = []
    for chain, row in zip((CHAIN, other), labels, strict=True):
        with torch.no_grad():
            p = prm_model(input_ids=torch.tensor([chain.prompt + chain.tokens])).logits[0, :, 0].double().sigmoid()
        terms += [y * p[i].log() + (1 - y) * (1 - p[i]).log() for i, y in zip(positions(chain), row, strict=True)]
    with torch.no_grad():
        assert step_loss(prm_model, batch).item() == pytest.approx(-float(sum(terms)) / 5, rel=1e-4)


def test_auc_is_the_share_of_pairs_in_order():
    assert step_auc([[0.9, 0.2], [0.8, 0.3]], [[1, 0], [1, 0]]) == 1.0
    assert step_auc([[0.1, 0.9]], [[1, 0]]) == 0.0
    assert step_auc([[0.5, 0.5]], [[1, 0]]) == 0.5
    assert step_auc([[0.9, 0.4], [0.5]], [[1, 1], [0]]) == 0.5
    assert math.isnan(step_auc([[0.5, 0.5]], [[1, 1]]))


def test_process_f1_asks_for_the_exact_first_error():
    assert [predicted_first_error(r, 0.5) for r in ([0.9, 0.4, 0.1], [0.5, 0.9], [0.2], [])] == [1, -1, 0, -1]
    assert process_f1([1, -1], [1, -1]) == 1.0
    # Two of three errors found exactly, one of two right chains passed: 2 * (2/3) * (1/2) / (2/3 + 1/2).
    assert process_f1([0, 2, 1, -1, 3], [0, 2, 2, -1, -1]) == pytest.approx(4 / 7)
    assert process_f1([-1, 0], [0, -1]) == 0.0
    assert math.isnan(process_f1([-1], [-1]))
