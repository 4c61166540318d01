"""The engine on vLLM's CPU build, in an environment of its own, agrees with the engine on transformers."""

import importlib.util
import json
import os
import subprocess

import pytest
from conftest import ROOT, tiny

from prm_scaling.engines.interface import Extend, Sampling, Score
from prm_scaling.engines.transformers import TransformersPolicy, TransformersScorer

pytestmark = pytest.mark.slow

TEXTS = ["Mia has 3 apples.\na: Mia buys five.\n", "Leo has 7.\n", "x", "The lamp is red.\na: If red, it goes blue.\n"]
ENGINE = {
    **{"name": "vllm", "scorer": "vllm", "rows": 32, "cache_megabytes": 64, "context": 256},
    **{"dtype": "float32", "device": "cpu"},
}


@pytest.fixture(scope="session")
def vllm_python():
    """The Python of an environment that has vLLM."""
    spec = importlib.util.spec_from_file_location("vllm_environment", ROOT / "tools" / "vllm_environment.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        return module.environment()
    except module.NotInstalled as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def models(tokenizer):
    """A policy, and a PRM of each kind of head, with attention heads of a size that vLLM's CPU build takes."""
    from transformers import Qwen2ForCausalLM, Qwen2ForTokenClassification

    from prm_scaling.prm.heads import Qwen2ForProcessRewardModel

    shape = {"hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1}
    policy = tiny(tokenizer, Qwen2ForCausalLM, 1, **shape)
    value = tiny(tokenizer, Qwen2ForTokenClassification, 2, num_labels=1, **shape)
    return policy, value, tiny(tokenizer, Qwen2ForProcessRewardModel, 2, **shape)


@pytest.fixture(scope="session")
def prefixes(tokenizer):
    return [tuple(tokenizer(text, add_special_tokens=False).input_ids) for text in TEXTS]


@pytest.fixture(scope="session")
def answers(vllm_python, models, prefixes, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vllm")
    for name, model in zip(("policy", "prm", "pair"), models, strict=True):
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    paths = {name: str(folder / name) for name in ("policy", "prm", "pair")}
    (folder / "task.json").write_text(json.dumps({**paths, "engine": ENGINE, "prefixes": prefixes, "stop": ["a"]}))
    command = [str(vllm_python), str(ROOT / "tests" / "vllm_answers.py"), str(folder / "task.json")]
    made = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, cwd=folder, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr[-3000:]
    return json.loads((folder / "answers.json").read_text())


def test_greedy_decoding_is_that_of_transformers(answers, models, prefixes, tokenizer):
    asked = [Extend(p, Sampling(0.0, 1.0, 24), 0) for p in prefixes]
    expected = TransformersPolicy(models[0], tokenizer, 8).extend(asked)
    assert [(tuple(tokens), finish) for tokens, finish, _, _ in answers["greedy"]] == [
        (e.tokens, e.finish) for e in expected
    ]


@pytest.mark.parametrize(("head", "which"), [("prm", 1), ("pair", 2)])
def test_scores_are_those_of_transformers(head, which, answers, models, prefixes):
    """Wrong behaviour: logits for probabilities, a softmax over one label, a reward at another position."""
    expected = TransformersScorer(models[which]).score([Score(p, tuple(range(len(p)))) for p in prefixes])
    for rewards, scored in zip(answers["scores"][head], expected, strict=True):
        assert rewards == pytest.approx(scored.rewards, abs=1e-3)
    values = [r for rewards in answers["scores"][head] for r in rewards]
    assert max(values) - min(values) > 0.1


def test_seeds_do_not_depend_on_the_batch(answers):
    """Wrong behaviour: a seed of the whole engine."""
    chains = [[(tokens, finish) for tokens, finish, _, _ in answers[how]] for how in ("together", "backwards", "alone")]
    assert chains[0] == chains[1] == chains[2]
    assert len({tuple(tokens) for tokens, _ in chains[0]}) > len(chains[0]) // 2


def test_stop_texts_end_extensions(answers, tokenizer):
    finishes = {finish for _, finish, _, _ in answers["together"]}
    assert "stop" in finishes
    for tokens, finish, _, _ in answers["together"]:
        text = tokenizer.decode(tokens)
        assert (finish == "stop") == ("a" in text) and "a" not in tokenizer.decode(tokens[:-1])


def test_prefixes_are_reused_within_a_tree_and_counted(answers):
    """Wrong behaviour: reuse that is not counted, or that makes one question cheap because of another."""
    size = sum(answers["again"][0][2:])
    assert all(computed + reused == size for _, _, computed, reused in answers["reused"])
    assert answers["again"][0][3] >= size - 32 > 0
    assert answers["other"][0][3] == 0


def test_a_prefix_that_fills_the_context_is_not_extended(answers):
    assert answers["context"] == [256, 256]
    refused, nearly = answers["refused"]
    assert refused == [[], "length", 0, 0] and len(nearly[0]) <= 2
