"""From the description of a model to the engine of a policy."""

from pathlib import Path

from transformers import PreTrainedTokenizerBase

from prm_scaling.engines.interface import Policy
from prm_scaling.engines.transformers import TransformersPolicy
from prm_scaling.models.ladder import load_language_model
from prm_scaling.models.source import source_of
from prm_scaling.models.tokenizer import load_tokenizer


def load_policy(description: str | Path, engine: dict) -> tuple[Policy, PreTrainedTokenizerBase]:
    """The engine of ``engine["name"]`` on the model that ``description`` names, and its tokenizer."""
    source, revision = source_of(description)
    if engine["name"] == "vllm":
        from prm_scaling.engines.vllm import VllmPolicy

        tokenizer = load_tokenizer(source, revision)
        return VllmPolicy(source, revision, tokenizer, engine), tokenizer
    model, tokenizer = load_language_model(source, engine["dtype"], engine["device"], revision)
    return TransformersPolicy(model, tokenizer, engine["rows"], engine["cache_megabytes"]), tokenizer
