"""Training in several processes and in micro-batches: the losses and the PRM of one, but for rounding."""

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import embedded, tiny
from safetensors.torch import load_file
from transformers import AutoModelForTokenClassification, Qwen2ForCausalLM

from prm_scaling.annotate.select import Selected
from prm_scaling.chains.record import Chain
from prm_scaling.models.batches import padded, part
from prm_scaling.models.example import Example
from prm_scaling.prm.fit import Training, train, train_in
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
        str(folder / "selected.parquet"),
        (str(folder / "chains.parquet"),),
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
    for one, other in ((training.folder, two.folder), *((a[1], b[1]) for a, b in zip(training.kept, two.kept))):
        assert_like(Path(one), Path(other), rtol=1e-4, atol=1e-5)
        # What was saved by processes that held parts of it is an ordinary PRM.
        assert AutoModelForTokenClassification.from_pretrained(other).config.architectures == [
            "Qwen2ForTokenClassification"
        ]
    half = load_file(Path(two.kept[0][1]) / "model.safetensors")
    assert not torch.equal(half["score.weight"], weights["score.weight"])


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
