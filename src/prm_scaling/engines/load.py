"""From the description of a model to an engine, and to its size."""

from collections.abc import Iterable
from pathlib import Path

from transformers import AutoConfig, PreTrainedTokenizerBase

from prm_scaling.chains.steps import prompt_tokens
from prm_scaling.engines.interface import Policy, Scorer
from prm_scaling.engines.transformers import TransformersPolicy, TransformersScorer
from prm_scaling.engines.translate import TranslatingScorer, same_tokens
from prm_scaling.job import read_json
from prm_scaling.models.ladder import load_language_model
from prm_scaling.models.source import source_of
from prm_scaling.models.tokenizer import load_tokenizer
from prm_scaling.prm.model import load_prm
from prm_scaling.problems.record import Question
from prm_scaling.search.ledger import Size


def load_policy(description: str | Path, engine: dict) -> tuple[Policy, PreTrainedTokenizerBase]:
    """The engine of ``engine["name"]`` on the model that ``description`` names, and its tokenizer."""
    source, revision = source_of(description)
    if engine["name"] == "vllm":
        from prm_scaling.engines.vllm import VllmPolicy

        tokenizer = load_tokenizer(source, revision)
        return VllmPolicy(source, revision, tokenizer, engine), tokenizer
    model, tokenizer = load_language_model(source, engine["dtype"], engine["device"], revision)
    return TransformersPolicy(model, tokenizer, engine["rows"], engine["cache_megabytes"]), tokenizer


def load_scorer(
    description: str | Path, tokenizer: PreTrainedTokenizerBase, engine: dict, questions: Iterable[Question] = ()
) -> Scorer:
    """The engine of ``engine["scorer"]`` on the PRM that ``description`` (its ``prm.json``) lies beside.

    Args:
        description: of the PRM.
        tokenizer: the policy's; a PRM whose folder has a tokenizer of its own is read with that one.
        engine: the engine's parameters.
        questions: all that will be scored, for a PRM with another tokenizer.

    Raises:
        ValueError: the PRM was trained on another vocabulary and brings no tokenizer.
    """
    folder = Path(description).parent
    own = load_tokenizer(folder) if (folder / "tokenizer_config.json").is_file() else tokenizer
    if engine["scorer"] == "vllm":
        from prm_scaling.engines.vllm import VllmScorer

        scorer: Scorer = VllmScorer(str(folder), engine)
    else:
        prm = load_prm(folder, own, engine["dtype"], engine["device"])
        scorer = TransformersScorer(prm, engine["cache_megabytes"])
    if same_tokens(own, tokenizer):
        return scorer
    prompts = {prompt_tokens(q, tokenizer): prompt_tokens(q, own) for q in questions}
    return TranslatingScorer(scorer, tokenizer, own, prompts)


def size_of(description: str | Path) -> Size:
    """The size of the policy (``model.json``) or PRM (``prm.json``) that ``description`` describes, for FLOPs."""
    described = read_json(description)
    source, revision = source_of(description) if "hub" in described else (str(Path(description).parent), "")
    config = AutoConfig.from_pretrained(source, revision=revision or "main").get_text_config()
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return Size(described["parameters"], config.num_hidden_layers, config.num_attention_heads * head)
