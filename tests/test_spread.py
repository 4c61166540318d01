"""Training in several processes and in micro-batches: the losses and the PRM of one, but for rounding."""

import itertools
import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import embedded, tiny
from safetensors.torch import load_file
from sharded import main as sharded_main
from test_training import toy
from transformers import AutoModelForTokenClassification, Qwen2ForCausalLM, TrainingArguments

from prm_scaling.annotate.select import Selected
from prm_scaling.chains.record import Chain
from prm_scaling.models.batches import padded, part
from prm_scaling.models.example import Example
from prm_scaling.models.tokenizer import load_tokenizer, train_tokenizer
from prm_scaling.models.training import Settings, fit
from prm_scaling.prm.fit import Training, train, train_in, within
from prm_scaling.prm.heads import load_reward_model
from prm_scaling.prm.model import fingerprint, step_loss
from prm_scaling.seeds import stream
from prm_scaling.storage import write_json, write_records


@pytest.fixture(scope="module")
def training(tmp_path_factory, tokenizer) -> Training:
    """Three batches of four chains, four times over, of a tiny model."""
    folder = tmp_path_factory.mktemp("spread")
    tiny(tokenizer, Qwen2ForCausalLM, seed=1).save_pretrained(folder / "base")
    tokenizer.save_pretrained(folder / "base")
    write_json(folder / "base" / "model.json", {"hub": "", "revision": ""})
    chains, selected = [], []
    for i, problem in enumerate(embedded("math", 12)):
        prompt = tuple(tokenizer(problem.text).input_ids)
        tokens = tuple(stream("spread", i).integers(5, 50, size=6 + i).tolist())
        chains.append(Chain(f"{problem.id}/0", problem.id, "math", prompt, tokens, (2, 4, 6 + i), "", True))
        selected.append(Selected(chains[-1].id, (1.0, 1.0, float(i % 2))))
    write_records(folder / "chains.parquet", chains, Chain)
    write_records(folder / "selected.parquet", selected, Selected)
    return Training(
        str(folder / "base" / "model.json"),
        str(folder / "base" / "model.json"),
        str(folder / "selected.parquet"),
        (str(folder / "chains.parquet"),),
        head="value",
        class_weight=None,
        batch=4,
        epochs=4,
        learning_rate=0.003,
        seed=3,
        kept=((0.5, str(folder / "one" / "half")), (1.0, str(folder / "one" / "whole"))),
        folder=str(folder / "one"),
        work=str(folder / "work"),
        optimizer="adamw",
    )


def of(training: Training, name: str) -> Training:
    """The same training with its results elsewhere."""
    root = Path(training.folder).parent
    kept = tuple((share, str(root / name / Path(place).name)) for share, place in training.kept)
    return replace(training, kept=kept, folder=str(root / name), work=str(root / f"{name} work"))


def losses(training: Training) -> list[float]:
    return [row["loss"] for row in json.loads(Path(training.folder, "metrics.json").read_text())]


@pytest.fixture(scope="module")
def alone(training):
    facts = train(training)
    return facts, losses(training), load_file(Path(training.folder) / "model.safetensors")


def assert_like(one: Path, other: Path, **tolerance: float) -> None:
    """The same tensors, but for rounding."""
    expected, found = (load_file(path / "model.safetensors") for path in (one, other))
    assert found.keys() == expected.keys()
    for name, values in found.items():
        torch.testing.assert_close(values, expected[name], **tolerance)


@pytest.mark.slow
def test_two_processes_train_the_prm_that_one_does(training, alone):
    """Wrong behaviour: each process takes batches of its own, so that there are other or fewer steps."""
    two = of(training, "two")
    facts, one_losses, weights = alone
    assert train_in(2, 1, two) == facts
    assert losses(two) == pytest.approx(one_losses, rel=1e-5)
    assert len(one_losses) == facts.steps == 12
    kept = [(one, other) for (_, one), (_, other) in zip(training.kept, two.kept, strict=True)]
    for one, other in ((training.folder, two.folder), *kept):
        assert_like(Path(one), Path(other), rtol=1e-4, atol=1e-5)
        # What was saved by processes that held parts of it is an ordinary PRM.
        assert AutoModelForTokenClassification.from_pretrained(other).config.architectures == [
            "Qwen2ForTokenClassification"
        ]
    half = load_file(Path(two.kept[0][1]) / "model.safetensors")
    assert not torch.equal(half["score.weight"], weights["score.weight"])


def sharded(processes: int, folder: Path, stop: int = 0) -> subprocess.CompletedProcess:
    """A training by ``tests/sharded.py``."""
    torchrun = ["-m", "torch.distributed.run", f"--nproc-per-node={processes}", "--rdzv-backend=c10d"]
    script = [str(Path(__file__).with_name("sharded.py")), str(folder), str(stop)]
    command = [sys.executable, *torchrun, "--rdzv-endpoint=localhost:0", *script]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_a_pair_with_weighed_classes_is_trained_and_loads(training):
    pair = replace(of(training, "pair"), head="pair", class_weight="balanced", kept=(), epochs=1)
    facts = train(pair)
    prm = load_reward_model(pair.folder)
    assert (type(prm).__name__, facts.chains, facts.dropped) == ("Qwen2ForProcessRewardModel", 12, 0)
    assert facts.tokenizer == fingerprint(load_tokenizer(Path(training.base).parent))


def test_a_chain_beyond_the_context_is_left_out_whole_and_counted(capsys):
    """Wrong behaviour: it is cut, and its last labels are lost without a word."""
    examples = [Example((1,) * n, (1.0,) * n) for n in (3, 8, 9, 5)]
    assert within(examples, 8, "base") == ([examples[0], examples[1], examples[3]], 1)
    assert "1 of 4 chains are longer than the context of 8 tokens" in capsys.readouterr().out
    with pytest.raises(ValueError, match=r"base: each of the 4 chains is longer .*chains\.max_tokens"):
        within(examples, 2, "base")


def test_a_base_that_numbers_its_tokens_otherwise_is_refused(training, tmp_path):
    train_tokenizer([p.text for p in embedded("math", 12)], 400).save_pretrained(tmp_path)
    write_json(tmp_path / "model.json", {"hub": "", "revision": ""})
    with pytest.raises(ValueError, match=r"numbers its tokens otherwise .*models\.ladder, chains\.policy"):
        train(replace(training, tokenizer=str(tmp_path / "model.json")))


@pytest.mark.slow
def test_two_processes_go_on_after_a_kill(tmp_path):
    """Wrong behaviour: they begin again, or a checkpoint that does not give the same losses.

    Here accelerate gives each process the whole model: it shards on GPUs only.
    """
    one = tmp_path / "one"
    toy().save_pretrained(one / "base")
    shutil.copytree(one / "base", tmp_path / "base")
    sharded_main(one, 0)
    assert sharded(2, tmp_path, stop=10).returncode
    assert not (tmp_path / "prm").exists()
    ended = sharded(2, tmp_path)
    assert ended.returncode == 0, ended.stderr
    seen = [json.loads((tmp_path / f"seen-{rank}.json").read_text()) for rank in (0, 1)]
    assert seen == [list(range(9, 21)), []]
    expected, found = (json.loads((place / "metrics.json").read_text()) for place in (one, tmp_path))
    assert [row["step"] for row in found] == list(range(1, 21))
    assert [row["loss"] for row in found] == pytest.approx([row["loss"] for row in expected], rel=1e-5)
    for name in ("prm", "kept"):
        assert_like(one / name, tmp_path / name, rtol=1e-3, atol=1e-5)


def test_muon_is_refused_where_processes_hold_parts_of_matrices(monkeypatch, tmp_path):
    monkeypatch.setattr(TrainingArguments, "world_size", 2)
    with pytest.raises(ValueError, match=r"train.optimizer: muon .*use adamw"):
        fit(toy(), [Example((1, 2), (1.0, math.nan))], step_loss, Settings(4, 2, 0.1, 0), tmp_path, {})


def test_the_weighted_shares_of_a_batch_have_its_loss():
    """Wrong behaviour: the mean of means, in which a row with few steps counts as much as one with many."""
    rows = [(1.0, 0.0, math.nan), (math.nan, 3.0, 5.0), (7.0, math.nan, math.nan), (math.nan,) * 3, (2.0, 2.0, 2.0)]
    batch = [Example((1, 2, 3), row) for row in rows]
    for turns, processes in itertools.product((1, 2, 3, 7), (1, 2, 3, 5, 8)):
        parts = [part(batch, t, turns, p, processes) for t in range(turns) for p in range(processes)]
        means = [float(padded(rows)["targets"].nanmean()) * weight for rows, weight in parts]
        assert not any(map(math.isnan, means))
        assert sum(means) / len(means) == pytest.approx(float(padded(batch)["targets"].nanmean()))
        if (turns, processes) == (1, 1):
            assert parts[0][1] == 1.0, "a batch that one process computes at once is as it was"
