"""From the description of a PRM to the engine that scores with it."""

from collections.abc import Iterable
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from prm_scaling.chains.steps import prompt_tokens
from prm_scaling.engines.interface import Scorer
from prm_scaling.engines.transformers import TransformersScorer
from prm_scaling.engines.translate import TranslatingScorer, same_tokens
from prm_scaling.job import read_json
from prm_scaling.models.tokenizer import load_tokenizer
from prm_scaling.prm.model import load_prm
from prm_scaling.prm.published import FORMS
from prm_scaling.prm.published.reading import PublishedScorer
from prm_scaling.problems.record import Question


def load_scorer(
    description: str | Path, tokenizer: PreTrainedTokenizerBase, engine: dict, questions: Iterable[Question] = ()
) -> Scorer:
    """The engine of ``engine["scorer"]`` on the PRM that ``description`` (its ``prm.json``) lies beside.

    Args:
        description: of the PRM.
        tokenizer: the policy's; a PRM whose folder has a tokenizer of its own is read with that one.
        engine: the engine's parameters.
        questions: all that will be scored, for a PRM with another tokenizer and for a published one.

    Raises:
        ValueError: the PRM was trained on another vocabulary and brings no tokenizer.
    """
    described = read_json(description)
    if "form" in described:
        return _published(described, tokenizer, engine, questions)
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


def _published(
    described: dict, tokenizer: PreTrainedTokenizerBase, engine: dict, questions: Iterable[Question]
) -> Scorer:
    """A published PRM, on vLLM where that knows its form."""
    form, source, revision = FORMS[described["form"]], described["hub"], described["revision"] or None
    own = load_tokenizer(source, revision)
    if engine["scorer"] == "vllm" and form.on_vllm:
        from prm_scaling.engines.vllm import VllmScorer

        scorer: Scorer = VllmScorer(source, engine, revision)
    else:
        prm = form.load(source, revision, own, getattr(torch, engine["dtype"])).to(engine["device"]).eval()
        scorer = TransformersScorer(prm, engine["cache_megabytes"])
    return PublishedScorer(
        scorer, tokenizer, own, form.lay_out, {prompt_tokens(q, tokenizer): q.text for q in questions}
    )
