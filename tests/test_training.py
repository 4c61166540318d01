"""Training: deterministic, resumable to the same weights, stopped when it diverges, and of what is to be learnt."""

import json
import math
import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForTokenClassification, Qwen2ForCausalLM, get_linear_schedule_with_warmup

from prm_scaling.chains.record import Chain
from prm_scaling.engines.interface import Score
from prm_scaling.engines.transformers import TransformersScorer
from prm_scaling.models.batches import Batches, padded
from prm_scaling.models.example import Example
from prm_scaling.models.ladder import new_model, next_token_loss
from prm_scaling.models.optimizer import MuonWithAdamW, StackedMuon
from prm_scaling.models.training import Diverged, Settings, fit
from prm_scaling.prm.metrics import step_auc
from prm_scaling.prm.model import example, new_prm, positions, step_loss
from prm_scaling.seeds import stream

VOCABULARY = 40
SETTINGS = Settings(steps=20, batch=4, learning_rate=0.02, seed=3)  # checkpoints every 4 steps, metrics every step


def toy() -> Qwen2ForCausalLM:
    torch.set_num_threads(1)
    return new_model(layers=1, width=16, heads=2, vocabulary=VOCABULARY, seed=5)


def counting() -> list[Example]:
    """Sequences that count up, of several lengths; the last has no target, nor has the first of every other."""
    made = []
    for i in range(12):
        tokens = tuple((i + t) % VOCABULARY for t in range(4 + i % 3))
        targets = [float(t) for t in tokens[1:]] + [math.nan]
        made.append(Example(tokens, (math.nan, *targets[1:]) if i % 2 else tuple(targets)))
    return made


def train(work: Path, keep: dict | None = None, report=lambda *_: None, settings: Settings = SETTINGS):
    model = toy()
    metrics = fit(model, counting(), next_token_loss, settings, work, keep or {}, report)
    return {k: v.clone() for k, v in model.state_dict().items()}, metrics


def same(a: dict, b: dict) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


class Killed(BaseException):
    """What no handler of errors catches."""


def killer(at: int):
    def report(step: int, steps: int, loss: float) -> None:
        assert steps == SETTINGS.steps
        if step == at:
            raise Killed

    return report


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Weights, metrics and kept checkpoints of a run that nothing disturbed."""
    work = tmp_path_factory.mktemp("unbroken")
    keep = {6: work / "kept" / "6", 20: work / "kept" / "20"}
    reports: list[tuple[int, int, float]] = []
    weights, metrics = train(work / "work", keep, lambda *row: reports.append(row))
    return weights, metrics, keep, reports


def test_training_is_a_function_of_its_settings(unbroken, tmp_path):
    weights, metrics, _, reports = unbroken
    again, repeated = train(tmp_path / "again")
    assert same(weights, again) and metrics == repeated
    assert [row["step"] for row in metrics] == list(range(1, 21))
    assert reports == [(row["step"], 20, row["loss"]) for row in metrics]
    assert metrics[-1]["loss"] < metrics[0]["loss"] and all(math.isfinite(row["grad_norm"]) for row in metrics)
    other, _ = train(tmp_path / "other", settings=Settings(20, 4, 0.02, seed=4))
    assert not same(weights, other)


@pytest.mark.parametrize("at", [2, 10, 12])
def test_a_killed_run_ends_as_an_unbroken_one(unbroken, tmp_path, at):
    """Wrong behaviour: a run that starts again, sees other batches, or forgets the optimizer's moments."""
    weights, metrics, keep, _ = unbroken
    kept = {step: tmp_path / str(step) for step in keep}
    with pytest.raises(Killed):
        train(tmp_path / "work", kept, killer(at))
    assert (tmp_path / "work" / "checkpoint-8").is_dir() == (at > 8)
    # What was logged past the last checkpoint is done again, and counted once.
    seen: list[int] = []
    again, resumed = train(tmp_path / "work", kept, lambda step, *_: seen.append(step))
    assert seen[0] == (9 if at > 8 else 1) and len(seen) == 21 - seen[0]
    assert same(weights, again)
    assert resumed == metrics
    for step, folder in kept.items():
        assert same(Qwen2ForCausalLM.from_pretrained(folder).state_dict(), loaded(keep[step]))


def loaded(folder: Path) -> dict:
    return Qwen2ForCausalLM.from_pretrained(folder).state_dict()


def test_metrics_do_not_tell_that_a_run_was_killed(tmp_path):
    """Wrong behaviour: a checkpoint between two lines of metrics, so that the next is a mean of fewer steps."""
    settings = Settings(steps=130, batch=4, learning_rate=0.02, seed=3)

    def kill(step: int, steps: int, loss: float) -> None:
        if step == 30:
            raise Killed

    weights, metrics = train(tmp_path / "unbroken", settings=settings)
    with pytest.raises(Killed):
        train(tmp_path / "killed", report=kill, settings=settings)
    again, resumed = train(tmp_path / "killed", settings=settings)
    assert same(weights, again) and resumed == metrics


def test_a_checkpoint_that_was_not_written_to_its_end_is_passed_over(unbroken, tmp_path):
    weights, metrics, _, _ = unbroken
    with pytest.raises(Killed):
        train(tmp_path / "work", report=killer(10))
    (tmp_path / "work" / "checkpoint-8" / "trainer_state.json").unlink()
    seen: list[int] = []
    again, resumed = train(tmp_path / "work", report=lambda step, *_: seen.append(step))
    assert seen[0] == 5 and same(weights, again) and resumed == metrics


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "trainer_state.json"])
def test_a_checkpoint_with_a_flipped_byte_is_passed_over(unbroken, tmp_path, name):
    """Wrong behaviour: training goes on from weights or moments that no training ever had."""
    weights, metrics, _, _ = unbroken
    with pytest.raises(Killed):
        train(tmp_path / "work", report=killer(10))
    flip(tmp_path / "work" / "checkpoint-8" / name)
    seen: list[int] = []
    again, resumed = train(tmp_path / "work", report=lambda step, *_: seen.append(step))
    assert seen[0] == 5 and same(weights, again) and resumed == metrics


def flip(path: Path) -> None:
    """Change one byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_checkpoint_of_other_settings_is_not_gone_on_from(unbroken, tmp_path):
    """Wrong behaviour: killed, a parameter changed, run again: a model half of the old parameters, half of the new."""
    weights, metrics, _, _ = unbroken
    with pytest.raises(Killed):
        train(tmp_path / "work", report=killer(10), settings=Settings(20, 4, 0.01, seed=3))
    again, repeated = train(tmp_path / "work")
    assert same(weights, again) and repeated == metrics


@pytest.mark.parametrize("damage", [shutil.rmtree, lambda folder: flip(folder / "model.safetensors")])
def test_a_kept_checkpoint_that_was_lost_is_made_again(unbroken, tmp_path, damage):
    """Wrong behaviour: training resumes past it, and the job ends without an output, or with a damaged one."""
    _, metrics, keep, _ = unbroken
    kept = {step: tmp_path / str(step) for step in keep}
    with pytest.raises(Killed):
        train(tmp_path / "work", kept, killer(10))
    damage(tmp_path / "work" / "kept-6")
    seen: list[int] = []
    _, resumed = train(tmp_path / "work", kept, lambda step, *_: seen.append(step))
    assert seen[0] == 5 and resumed == metrics
    assert same(loaded(kept[6]), loaded(keep[6]))


def test_half_a_line_of_metrics_does_not_stop_a_training(unbroken, tmp_path):
    """Wrong behaviour: after a full disk, an error of JSON at the end of each training, until someone looks."""
    weights, metrics, _, _ = unbroken
    with pytest.raises(Killed):
        train(tmp_path / "work", report=killer(10))
    with (tmp_path / "work" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 11, "lo')
    again, resumed = train(tmp_path / "work")
    assert same(weights, again) and resumed == metrics


def test_a_finished_run_is_not_trained_further(unbroken, tmp_path):
    weights, metrics, _, _ = unbroken
    train(tmp_path / "work")
    seen: list[int] = []
    again, repeated = train(tmp_path / "work", report=lambda step, *_: seen.append(step))
    assert not seen and same(weights, again) and repeated == metrics


def test_metrics_of_an_older_run_are_not_mixed_in(tmp_path):
    train(tmp_path / "work", settings=Settings(20, 4, 0.01, 3))
    for folder in (tmp_path / "work").glob("checkpoint-*"):
        shutil.rmtree(folder)
    _, metrics = train(tmp_path / "work", settings=Settings(5, 4, 0.02, 3))
    assert [row["step"] for row in metrics] == [1, 2, 3, 4, 5]


def test_kept_checkpoints_are_the_model_at_their_steps(unbroken):
    weights, _, keep, _ = unbroken
    assert same(loaded(keep[20]), weights)
    assert not same(loaded(keep[6]), weights)


def test_a_loss_that_is_not_finite_stops_the_run_with_advice(tmp_path):
    """Wrong behaviour: Trainer's filter, which logs the mean of the losses before in place of a nan."""

    def breaks(model, batch):
        loss = next_token_loss(model, batch)
        breaks.calls += 1
        return loss * math.nan if breaks.calls > 3 else loss

    breaks.calls = 0
    with pytest.raises(Diverged, match=r"the loss at step 4 is nan; lower the learning rate .*train.learning_rate"):
        fit(toy(), counting(), breaks, SETTINGS, tmp_path, {})
    logged = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in logged] == [1, 2, 3]


# --- batches, loss, optimizer ---


@given(st.integers(1, 40), st.integers(1, 7), st.integers(1, 30), st.integers(0, 9))
def test_every_step_has_its_batch_and_every_epoch_every_example(count, batch, steps, seed):
    examples = [Example((i,) * (1 + i % 5), (math.nan,) * (1 + i % 5)) for i in range(count)]
    made, again = (Batches(examples, steps, batch, seed) for _ in range(2))
    assert len(made) == steps and [made[i] for i in range(steps)] == [again[i] for i in range(steps)]
    an_epoch = math.ceil(count / batch)
    for start in range(0, steps - an_epoch + 1, an_epoch):
        seen = Counter(e.tokens[0] for i in range(start, start + an_epoch) for e in made[i])
        assert seen == Counter(range(count))
    # More steps begin with the same batches.
    more = Batches(examples, steps + 5, batch, seed)
    assert [more[i] for i in range(steps)] == [made[i] for i in range(steps)]


def test_padding_bears_no_target_and_soft_labels_stay_floats():
    """Wrong behaviour: ``int(0.9)``; a label 0 taken for padding."""
    batch = padded([Example((1, 2, 3), (0.9, math.nan, 0.0)), Example((4,), (0.25,))])
    assert batch["input_ids"].tolist() == [[1, 2, 3], [4, 0, 0]]
    assert batch["targets"].dtype == torch.float32
    assert batch["targets"].isnan().tolist() == [[False, True, False], [False, True, True]]
    assert batch["targets"][~batch["targets"].isnan()].tolist() == pytest.approx([0.9, 0.0, 0.25])


def test_the_loss_of_a_language_model_is_over_the_targets_alone():
    model, made = toy(), counting()[:3]
    terms = []
    for e in made:
        with torch.no_grad():
            chances = model(input_ids=torch.tensor([e.tokens])).logits[0].double().log_softmax(-1)
        terms += [-chances[i, int(t)].item() for i, t in enumerate(e.targets) if not math.isnan(t)]
    assert len(terms) == sum(len(e.tokens) - 1 for e in made) - 1
    assert next_token_loss(model, padded(made)).item() == pytest.approx(sum(terms) / len(terms), rel=1e-5)


def steps_of(model, optimizer, schedule, count: int) -> None:
    for i in range(count):
        optimizer.zero_grad()
        next_token_loss(model, padded(counting()[i : i + 4])).backward()
        optimizer.step()
        schedule.step()


def test_the_optimizers_state_makes_a_round_trip(tmp_path):
    model = toy()
    optimizer = MuonWithAdamW(model, 0.02)
    schedule = get_linear_schedule_with_warmup(optimizer, 2, 20)
    steps_of(model, optimizer, schedule, 3)
    torch.save((model.state_dict(), optimizer.state_dict(), schedule.state_dict()), tmp_path / "state.pt")
    other = toy()
    restored = MuonWithAdamW(other, 0.5)
    following = get_linear_schedule_with_warmup(restored, 2, 20)
    weights, state, rates = torch.load(tmp_path / "state.pt")
    other.load_state_dict(weights)
    restored.load_state_dict(state)
    following.load_state_dict(rates)
    for m, o, s in ((model, optimizer, schedule), (other, restored, following)):
        steps_of(m, o, s, 3)
    assert same(model.state_dict(), other.state_dict())
    # The schedule's rate reaches both parts after loading, too.
    assert {g["lr"] for part in restored._parts for g in part.param_groups} == {following.get_last_lr()[0]}


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5)])
def test_stacked_muon_steps_as_torchs_own(shape):
    """Wrong behaviour: matrices of one stack that share a norm or a momentum."""
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(scale * torch.randn(shape)) for scale in (1.0, 100.0, 0.01)]
    theirs = [torch.nn.Parameter(p.detach().clone()) for p in ours]
    stacked = StackedMuon(ours, lr=0.02, weight_decay=0.1)
    single = torch.optim.Muon(theirs, lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for step in range(5):
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            # One of them has no gradient at first: it must stay where it is.
            a.grad = None if (i, step) == (1, 0) else torch.randn(shape)
            b.grad = None if a.grad is None else a.grad.clone()
        stacked.step()
        single.step()
    for a, b in zip(ours, theirs, strict=True):
        # torch's own iterates in bfloat16, whose steps are 2 ** -8.
        assert torch.allclose(a, b, atol=5 * 0.02 * 0.2 * math.sqrt(max(shape)) * 2**-5)


def test_every_parameter_has_one_optimizer():
    model = toy()
    muon, adam = MuonWithAdamW(model, 0.02)._parts
    names = {id(p): name for name, p in model.named_parameters()}
    hidden, rest = ({names[id(p)] for g in o.param_groups for p in g["params"]} for o in (muon, adam))
    assert hidden | rest == set(names.values()) and not hidden & rest
    assert "model.embed_tokens.weight" in rest and len(hidden) == 7
    with pytest.raises(ValueError, match="no closure"):
        MuonWithAdamW(model, 0.02).step(lambda: 0.0)


# --- the PRM ---

FILLER, GOOD, BAD = 7, 20, 21


def judged_chains(count: int, name: str) -> tuple[list[Chain], list[tuple[float, ...]]]:
    """Steps of two tokens; the second is the first that tells whether the step is right, at random."""
    chains, labels = [], []
    for i in range(count):
        right = stream("toy PRM", name, i).random(4) < 0.5
        tokens = tuple(x for r in right for x in (FILLER, GOOD if r else BAD))
        chains.append(Chain(f"q/{i}", "q", "math", (5,) * (1 + i % 3), tokens, (2, 4, 6, 8), "", True))
        labels.append(tuple(right.astype(float).tolist()))
    return chains, labels


def test_a_trained_prm_is_read_where_it_was_trained(tmp_path):
    """Wrong behaviour: the reward of step t read one token beside the place of its loss."""
    base = toy()
    base.save_pretrained(tmp_path / "base")
    model = new_prm(tmp_path / "base", seed=1)
    chains, labels = judged_chains(64, "train")
    examples = [example(c, row) for c, row in zip(chains, labels, strict=True)]
    metrics = fit(model, examples, step_loss, Settings(60, 16, 0.02, 0), tmp_path / "work", {})
    assert metrics[-1]["loss"] < 0.1 < metrics[0]["loss"]
    fresh, truth = judged_chains(40, "test")
    for folder in (None, tmp_path / "saved"):
        if folder:
            model.save_pretrained(folder)
            model = AutoModelForTokenClassification.from_pretrained(folder)
        scorer = TransformersScorer(model.eval())
        at, before = (
            [s.rewards for s in scorer.score([Score(c.prompt + c.tokens, moved(c, by)) for c in fresh])]
            for by in (0, -1)
        )
        assert step_auc(at, truth) == 1.0
        assert abs(step_auc(before, truth) - 0.5) < 0.15


def moved(chain: Chain, by: int) -> tuple[int, ...]:
    return tuple(p + by for p in positions(chain))


def test_a_loss_beside_the_step_cannot_be_learnt(tmp_path):
    """The same toy with its labels one token early: nothing there tells them, so the test above can fail."""
    toy().save_pretrained(tmp_path / "base")
    chains, labels = judged_chains(200, "train")
    examples = [example(c, row) for c, row in zip(chains, labels, strict=True)]
    early = [Example(e.tokens, (*e.targets[1:], math.nan)) for e in examples]
    metrics = fit(new_prm(tmp_path / "base", 1), early, step_loss, Settings(60, 16, 0.02, 0), tmp_path / "work", {})
    assert metrics[-1]["loss"] > 0.5


def test_a_prm_learns_soft_labels_as_they_are(tmp_path):
    """Wrong behaviour: labels of 0.8 trained as 0 or as 1."""
    toy().save_pretrained(tmp_path / "base")
    chains, labels = judged_chains(64, "soft")
    soft = [tuple(0.8 if y else 0.3 for y in row) for row in labels]
    model = new_prm(tmp_path / "base", 1)
    examples = [example(c, row) for c, row in zip(chains, soft, strict=True)]
    fit(model, examples, step_loss, Settings(80, 16, 0.02, 0), tmp_path / "work", {})
    scores = TransformersScorer(model.eval()).score([Score(c.prompt + c.tokens, positions(c)) for c in chains])
    for scored, row in zip(scores, soft, strict=True):
        assert scored.rewards == pytest.approx(row, abs=0.05)
