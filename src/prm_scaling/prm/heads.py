"""The classes of reward models, found by the architecture that a checkpoint's configuration names.

A scalar value head (paper A) is transformers' own token classification with one label, which vLLM serves; the pair is
the form of the released Qwen PRMs (Zhang et al.), Linear - ReLU - Linear to (wrong, right). Both read the hidden state
of a step's last token, and either goes on any causal LM.
"""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PreTrainedConfig, PreTrainedModel
from transformers.modeling_layers import GenericForTokenClassification
from transformers.modeling_outputs import TokenClassifierOutput
from transformers.models.auto.modeling_auto import MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING


class _OnAnyDecoder(PreTrainedModel):
    """A decoder, ``model``, and a head, ``score``, that reads its hidden states."""

    config_class = PreTrainedConfig
    base_model_prefix = "model"
    _supports_sdpa = _supports_flash_attn = _supports_flex_attn = True
    supports_gradient_checkpointing = True

    def __init__(self, config: PreTrainedConfig):
        super().__init__(config)
        self.model = AutoModel.from_config(config)
        self.score = self._head(config.get_text_config().hidden_size)
        self.post_init()

    def _head(self, width: int) -> nn.Module:
        raise NotImplementedError

    def forward(self, input_ids: torch.Tensor, **options: Any) -> TokenClassifierOutput:
        """Logits (batch, tokens, labels)."""
        return TokenClassifierOutput(logits=self.score(self.model(input_ids, **options).last_hidden_state))


class ForStepValue(_OnAnyDecoder):
    """A scalar value head, for decoders of which transformers has no token classification."""

    def _head(self, width: int) -> nn.Module:
        return nn.Linear(width, 1)


class ForProcessRewardModel(_OnAnyDecoder):
    """The pair, on any decoder."""

    def _head(self, width: int) -> nn.Module:
        return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))


class Qwen2ForProcessRewardModel(ForProcessRewardModel):
    """The pair under the name that the released Qwen PRMs have and vLLM knows."""


OWN: dict[str, type[PreTrainedModel]] = {
    kind.__name__: kind for kind in (ForStepValue, ForProcessRewardModel, Qwen2ForProcessRewardModel)
}


def class_for(head: str, config: PreTrainedConfig) -> type[PreTrainedModel]:
    """The class of a new PRM with ``head`` on a base of that configuration."""
    if head == "pair":
        return OWN.get(f"{type(config).__name__.removesuffix('Config')}ForProcessRewardModel", ForProcessRewardModel)
    known = MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING.get(type(config), None)
    # Others keep their head under another name, or read the text from both sides.
    return known if known and issubclass(known, GenericForTokenClassification) else ForStepValue


def class_of(config: PreTrainedConfig, source: str | Path) -> type[PreTrainedModel]:
    """The class of a checkpoint by its configuration.

    Raises:
        ValueError: the checkpoint is of no reward model that is known here.
    """
    (name,) = config.architectures or ("none",)
    known = MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING.get(type(config), None)
    if known and known.__name__ == name and issubclass(known, GenericForTokenClassification):
        return known
    if name not in OWN:
        raise ValueError(
            f"{source}: architecture `{name}` ({config.model_type}) is no reward model that is known here; there are "
            f"{', '.join(OWN)} and {known.__name__ if known else 'no token classification of this model type'}; a "
            "published PRM of another form is read through train.published"
        )
    return OWN[name]


def loaded(
    kind: Any,
    source: str | Path,
    revision: str | None,
    config: PreTrainedConfig,
    dtype: torch.dtype,
    fresh: str | None = None,
    renamed: dict[str, str] | None = None,
) -> PreTrainedModel:
    """The checkpoint in ``source`` as a model, whole.

    Args:
        kind: the model's class, or one of transformers' Auto classes.
        fresh: what its missing weights' names may begin with: they are initialised.
        renamed: pattern -> replacement, of weights' names.

    Raises:
        ValueError: weights are missing, or of another shape; transformers itself would go on with random ones.
    """
    options: dict[str, Any] = {"key_mapping": renamed} if renamed else {}
    model, told = kind.from_pretrained(
        source,
        config=config,
        dtype=dtype,
        revision=revision or "main",
        output_loading_info=True,
        ignore_mismatched_sizes=True,
        **options,
    )
    missing = sorted(name for name in told["missing_keys"] if fresh is None or not name.startswith(fresh))
    wrong = [str(item[0]) for item in sorted(told["mismatched_keys"])] or missing
    if wrong:
        raise ValueError(
            f"{source}: not a checkpoint of {kind.__name__}: {len(wrong)} weights are missing or of another shape, "
            f"{wrong[0]} among them; give the checkpoint that its config.json describes"
        )
    return model


def load_reward_model(
    source: str | Path, dtype: torch.dtype = torch.float32, revision: str | None = None
) -> PreTrainedModel:
    """The reward model saved in ``source``: a folder, or a hub name.

    Raises:
        ValueError: it is no reward model that is known here, or not whole.
    """
    config = AutoConfig.from_pretrained(source, revision=revision or "main")
    return loaded(class_of(config, source), source, revision, config, dtype)
