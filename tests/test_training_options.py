"""What a training may be told: precision, micro-batches, packing, LoRA, FSDP; and what it says when it goes wrong."""

import math
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import PeftModel
from test_training import Killed, counting, judged_chains, killer, same, toy
from transformers import AutoModelForTokenClassification

from prm_scaling.models.batches import packed, padded, read
from prm_scaling.models.checkpoints import NotSaved
from prm_scaling.models.example import Example
from prm_scaling.models.ladder import next_token_loss
from prm_scaling.models.lora import adapted, merged
from prm_scaling.models.training import Settings, fit, save
from prm_scaling.prm.fit import base_rate_loss
from prm_scaling.prm.model import example, new_prm, step_loss

CHAINS, LABELS = judged_chains(32, "options")
EXAMPLES = [example(c, row) for c, row in zip(CHAINS, LABELS, strict=True)]


@pytest.fixture
def prm(tmp_path):
    toy().save_pretrained(tmp_path / "base")
    return new_prm(tmp_path / "base", seed=1)


def trained(folder: Path, **options):
    """Metrics and weights of a short training."""
    base = folder / "base"
    toy().save_pretrained(base)
    model = new_prm(base, seed=1)
    settings = Settings(12, 8, 0.01, 0, **{"optimizer": "adamw", **options})
    metrics = fit(model, EXAMPLES, step_loss, settings, folder / "work", {})
    return [row["loss"] for row in metrics], model


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("plain"))[0]


@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({"micro_batch": 3}, 1e-5),
        ({"packing": True}, 1e-5),
        ({"packing": True, "micro_batch": 2}, 1e-5),
        ({"gradient_checkpointing": True}, 1e-6),
        ({"precision": "bfloat16"}, 2e-2),
    ],
)
def test_what_saves_memory_or_time_leaves_the_losses(plain, tmp_path, options, tolerance):
    """Wrong behaviour: a mean of the micro-batches' means; packed chains that see each other."""
    losses, _ = trained(tmp_path, **options)
    assert losses == pytest.approx(plain, rel=tolerance)
    if "precision" in options:
        assert losses != plain


@settings(max_examples=25)
@given(st.lists(st.lists(st.integers(0, 39), min_size=1, max_size=12), min_size=1, max_size=6))
def test_packed_chains_are_scored_as_alone(rows):
    """Wrong behaviour: a chain that sees those before it in the row, as with a cache, or with positions that go on."""
    model = scorer()
    examples = [Example(tuple(row), (1.0,) * len(row)) for row in rows]
    with torch.no_grad():
        together = model(**read(packed(examples))).logits[0, :, 0]
        alone = [model(input_ids=torch.tensor([e.tokens])).logits[0, :, 0] for e in examples]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)


def test_the_test_of_packing_can_fail():
    """With positions that do not begin anew, a chain's scores are others."""
    model, examples = scorer(), [Example((3, 4, 5), (1.0,) * 3), Example((6, 7, 8), (1.0,) * 3)]
    batch = read(packed(examples))
    batch["position_ids"] = torch.arange(6)[None]
    with torch.no_grad():
        leaking = model(**batch).logits[0, 3:, 0]
        alone = model(input_ids=torch.tensor([[6, 7, 8]])).logits[0, :, 0]
    assert not torch.allclose(leaking, alone, rtol=1e-3)


def scorer(made: list = []):  # noqa: B006
    """One PRM with opinions for all examples of a property."""
    if not made:
        from transformers import Qwen2ForTokenClassification

        config = toy().config
        config.num_labels, config.initializer_range = 1, 0.3
        torch.manual_seed(2)
        made.append(Qwen2ForTokenClassification(config).eval())
    return made[0]


def test_lora_trains_the_adapters_and_is_saved_as_an_ordinary_prm(tmp_path, prm):
    """Wrong behaviour: a PRM that needs peft to be read, or whose base has moved."""
    before = {k: v.clone() for k, v in prm.state_dict().items()}
    model = adapted(prm, rank=4, alpha=8, targets=["q_proj", "v_proj"], whole=["score"])
    assert isinstance(model, PeftModel)
    keep = {6: tmp_path / "half"}
    metrics = fit(model, EXAMPLES, step_loss, Settings(12, 8, 0.05, 0, "adamw"), tmp_path / "work", keep)
    assert metrics[-1]["loss"] < metrics[0]["loss"]
    save(model, tmp_path / "saved")
    loaded = AutoModelForTokenClassification.from_pretrained(tmp_path / "saved")
    half = AutoModelForTokenClassification.from_pretrained(keep[6])
    weights = loaded.state_dict()
    moved = {name for name in before if not torch.equal(before[name], weights[name])}
    assert {name.split(".")[-2] for name in moved} == {"q_proj", "v_proj", "score"}
    assert not same(half.state_dict(), weights)
    batch = read(padded(EXAMPLES[:3]))
    with torch.no_grad():
        torch.testing.assert_close(loaded(**batch).logits, model.eval()(**batch).logits, rtol=1e-4, atol=1e-5)
        theirs = model.merge_and_unload()
    for name, tensor in theirs.state_dict().items():
        torch.testing.assert_close(weights[name], tensor)


def test_a_killed_lora_goes_on(tmp_path, prm):
    def run(work: Path, report=lambda *_: None):
        model = adapted(new_prm(tmp_path / "base", 1), rank=4, alpha=8, targets=["q_proj"], whole=["score"])
        metrics = fit(
            model, EXAMPLES, step_loss, Settings(20, 8, 0.05, 0, "adamw", gradient_checkpointing=True), work, {}, report
        )
        return merged(model, model.state_dict())[1], metrics

    weights, metrics = run(tmp_path / "unbroken")
    with pytest.raises(Killed):
        run(tmp_path / "work", killer(10))
    seen: list[int] = []
    again, resumed = run(tmp_path / "work", lambda step, *_: seen.append(step))
    assert seen[0] == 9 and same(weights, again) and resumed == metrics


def test_a_loss_above_that_of_the_base_rate_is_told_once_with_advice(tmp_path, prm, capfd):
    """Labels that nothing tells, at a rate that makes every weight worse."""
    assert base_rate_loss(EXAMPLES) == pytest.approx(math.log(2), abs=0.02)
    chance = base_rate_loss(EXAMPLES)
    fit(prm, EXAMPLES, step_loss, Settings(20, 8, 3.0, 0, "adamw", chance=chance), tmp_path / "wild", {})
    said = [line for line in capfd.readouterr().out.splitlines() if "base rate" in line]
    assert len(said) == 1 and "lower the learning rate" in said[0] and f"above {chance:.4f}" in said[0]
    fit(
        new_prm(tmp_path / "base", 1), EXAMPLES, step_loss, Settings(120, 8, 0.02, 0, chance=chance), tmp_path / "w", {}
    )
    assert "base rate" not in capfd.readouterr().out


def test_labels_that_are_all_alike_have_no_entropy():
    assert base_rate_loss([Example((1, 2), (1.0, 1.0))]) == 0.0


@pytest.fixture
def small_disk(tmp_path):
    """A file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place]).returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_told_and_the_last_good_checkpoint_loads(small_disk, tmp_path):
    """Wrong behaviour: a half checkpoint that a later run goes on from, or that stands in the way of the whole one."""

    def run(work: Path, report=lambda *_: None):
        model = toy()
        metrics = fit(model, counting(), next_token_loss, Settings(20, 4, 0.02, 3), work, {}, report)
        return {k: v.clone() for k, v in model.state_dict().items()}, metrics

    work, ballast = small_disk / "work", small_disk / "ballast"

    def fill(step: int, steps: int, loss: float) -> None:
        if step == 9:  # room stays for some lines of metrics, for no checkpoint
            ballast.write_bytes(bytes(shutil.disk_usage(small_disk).free - 8192))

    weights, metrics = run(tmp_path / "unbroken")
    with pytest.raises(NotSaved, match=r"step 12 could not be written to .*work .*make room and run again"):
        run(work, fill)
    ballast.unlink()
    seen: list[int] = []
    again, resumed = run(work, lambda step, *_: seen.append(step))
    assert seen[0] == 9 and same(weights, again) and resumed == metrics
