"""What several tests share: embedded problems, a tiny tokenizer, tiny models with random weights."""

import os

# Before torch is imported: the tests are small, and the machine may be busy with something else.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import settings

from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.domain import Surface
from prm_scaling.problems.world.generate import generate

settings.register_profile("quick", deadline=None, max_examples=60, derandomize=True, database=None)
# `pytest --hypothesis-profile thorough` draws other examples each time, and more of them.
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=1000, derandomize=False)
settings.load_profile("quick")

ROOT = Path(__file__).resolve().parents[1]
MODULUS = 11
WIDE = Surface("wide", 4, (0, 1, 2), True)
DOMAINS = ("math", "code", "logic")


@lru_cache
def embedded(domain: str, count: int = 30, steps: tuple[int, int] = (2, 5), seed: int = 0) -> list[Problem]:
    """Embedded problems of one domain."""
    return generate(f"{domain}_set", domain, "train", WIDE, steps, count, MODULUS, seed)


@pytest.fixture(scope="session")
def conda(tmp_path_factory, request):
    """A conda; the terminal is told what its packages are."""
    from real_conda import conda_in

    found = conda_in(tmp_path_factory.mktemp("conda"))
    if reporter := request.config.pluginmanager.get_plugin("terminalreporter"):
        reporter.write_line(f"conda: with {found.channel}")
    return found


@pytest.fixture(scope="session")
def checkout(tmp_path_factory) -> Path:
    """A copy of the checkout, to be asked for its graphs."""
    from checkout import copy_to

    return copy_to(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def graphs(checkout) -> dict[str, dict]:
    """Snakemake's graph of every scale."""
    from both_graphs import graphs_of_scales

    return graphs_of_scales(checkout)


@pytest.fixture(scope="session")
def rules(graphs) -> dict[str, dict]:
    """The rules, by name."""
    return graphs["default"]["rules"]


@pytest.fixture
def problems() -> Callable[..., list[Problem]]:
    """Makes embedded problems: ``problems(domain, count, steps)``."""
    return embedded


@pytest.fixture(scope="session")
def tokenizer():
    """A tokenizer trained on embedded problems and their solutions."""
    from prm_scaling.models.tokenizer import train_tokenizer
    from prm_scaling.problems.world.solutions import solution
    from prm_scaling.seeds import stream

    texts = [
        p.text + "\n".join(solution(p, stream("tokenizer", p.id), 0.3)) for domain in DOMAINS for p in embedded(domain)
    ]
    return train_tokenizer(texts, 600)


def tiny(tokenizer, kind: type, seed: int, **config):
    """A random Qwen2 of a few thousand parameters, in fp32, with weights large enough to have opinions."""
    import torch
    from transformers import Qwen2Config

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    shape = {"hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2} | config
    return kind(
        Qwen2Config(
            vocab_size=len(tokenizer),
            num_hidden_layers=2,
            intermediate_size=64,
            max_position_embeddings=256,
            initializer_range=0.3,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            **shape,
        )
    ).eval()


@pytest.fixture(scope="session")
def policy_model(tokenizer):
    """A tiny random causal LM."""
    from transformers import Qwen2ForCausalLM

    return tiny(tokenizer, Qwen2ForCausalLM, seed=1)


@pytest.fixture(scope="session")
def prm_model(tokenizer):
    """A tiny random PRM."""
    from transformers import Qwen2ForTokenClassification

    return tiny(tokenizer, Qwen2ForTokenClassification, seed=2, num_labels=1)
