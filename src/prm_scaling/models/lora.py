"""LoRA by peft: low-rank matrices, trained in place of a model's own and added to them where it is saved."""

from collections.abc import Mapping, Sequence

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel

# Of peft's names, where a module is frozen with an adapter beside it, or is trained as a copy.
ADAPTER = "default"


def adapted(model: PreTrainedModel, rank: int, alpha: int, targets: Sequence[str], whole: Sequence[str]) -> PeftModel:
    """``model`` with low-rank adapters on its linear modules named ``targets``; modules named ``whole`` train as usual.

    Raises:
        ValueError: the model has no such modules (peft names them).
    """
    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(targets), modules_to_save=list(whole))
    return get_peft_model(model, config)


def scale_of(model: PreTrainedModel | PeftModel) -> float:
    """By what the adapters' products are multiplied where they are added; 0 for a model without."""
    if not isinstance(model, PeftModel):
        return 0.0
    config = model.peft_config[ADAPTER]
    return config.lora_alpha / config.r


def merged(model: PreTrainedModel | PeftModel, state: Mapping[str, torch.Tensor]) -> tuple[PreTrainedModel, dict]:
    """The model that ``save_pretrained`` is called of, and its weights: W + alpha/rank B A where there are adapters.

    Args:
        state: the whole tensors of ``model``; those of the model itself may be sharded.
    """
    if not isinstance(model, PeftModel):
        return model, dict(state)
    scale, weights = scale_of(model), {}
    for name, tensor in state.items():
        place = name.removeprefix("base_model.model.")
        stem = place.removesuffix(".base_layer.weight")
        if stem != place:
            down, up = (state[f"base_model.model.{stem}.lora_{x}.{ADAPTER}.weight"] for x in "AB")
            weights[f"{stem}.weight"] = tensor + scale * (up @ down)
        elif ".lora_" not in place and ".original_module." not in place:
            weights[place.replace(".base_layer.", ".").replace(f".modules_to_save.{ADAPTER}.", ".")] = tensor
    return model.get_base_model(), weights
