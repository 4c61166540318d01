"""The sizes of models, for the ledger's FLOPs."""

from pathlib import Path

from transformers import AutoConfig

from prm_scaling.job import read_json
from prm_scaling.models.source import source_of
from prm_scaling.search.ledger import Size


def size_of(description: str | Path) -> Size:
    """The size of the policy (``model.json``) or PRM (``prm.json``) that ``description`` describes, for FLOPs."""
    described = read_json(description)
    source, revision = source_of(description) if "hub" in described else (str(Path(description).parent), "")
    config = AutoConfig.from_pretrained(source, revision=revision or "main").get_text_config()
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return Size(described["parameters"], config.num_hidden_layers, config.num_attention_heads * head)
