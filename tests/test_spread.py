"""Training in several processes: the losses and the PRM of one, but for rounding (Muon's is that of bfloat16)."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import embedded, tiny
from safetensors.torch import load_file
from transformers import Qwen2ForCausalLM

from prm_scaling.annotate.select import Selected
from prm_scaling.chains.record import Chain
from prm_scaling.models.example import Example
from prm_scaling.models.tokenizer import load_tokenizer, train_tokenizer
from prm_scaling.models.training import collate, collate_share
from prm_scaling.prm.fit import Training, train, train_in, within
from prm_scaling.prm.heads import load_reward_model
from prm_scaling.prm.model import fingerprint
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


@pytest.mark.slow
def test_two_processes_train_the_prm_that_one_does(training, alone):
    """Wrong behaviour: each process takes batches of its own, so that there are other or fewer steps."""
    two = of(training, "two")
    facts, one_losses, weights = alone
    assert train_in(2, 1, two) == facts
    assert losses(two) == pytest.approx(one_losses, rel=1e-3)
    assert len(one_losses) == facts.steps == 12
    for path in (two.folder, two.kept[-1][1]):
        found = load_file(Path(path) / "model.safetensors")
        assert found.keys() == weights.keys()
        for name, values in found.items():
            torch.testing.assert_close(values, weights[name], rtol=1e-2, atol=1e-3)
    assert not torch.equal(
        load_file(Path(two.kept[0][1]) / "model.safetensors")["score.weight"], weights["score.weight"]
    )


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
def test_what_one_process_began_two_go_on_with(training, alone):
    """Wrong behaviour: it begins again, or every process writes the metrics."""
    half = of(training, "half")
    told = []

    def stop(step: int, steps: int, loss: float) -> None:
        told.append(step)
        if step == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(half, stop)
    metrics = Path(half.work) / "metrics.jsonl"
    began = metrics.read_text().splitlines()
    train_in(2, 1, half)
    ended = metrics.read_text().splitlines()
    assert ended[:6] == began[:6], "the steps before the last checkpoint are not done again"
    assert [json.loads(line)["step"] for line in ended] == list(range(1, 13))
    assert losses(half) == pytest.approx(alone[1], rel=1e-3)


def test_the_weighted_shares_of_a_batch_have_its_loss():
    """Wrong behaviour: the mean of means, in which a row with few steps counts as much as one with many."""
    rows = [(1.0, 0.0, math.nan), (math.nan, 3.0, 5.0), (7.0, math.nan, math.nan), (math.nan,) * 3, (2.0, 2.0, 2.0)]
    batch = [Example((1, 2, 3), row) for row in rows]
    for processes in (1, 2, 3, 5, 8):
        shares = [collate_share([batch], i, processes) for i in range(processes)]
        means = [share["targets"].nanmean() * share["weight"] for share in shares]
        assert not any(map(math.isnan, means))
        assert sum(means) / processes == pytest.approx(float(collate([batch])["targets"].nanmean()))
