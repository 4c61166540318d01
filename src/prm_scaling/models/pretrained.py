"""Pretrained models as folders of the run: one from a GGUF file, and one that keeps the first layers of another."""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, PreTrainedModel, PreTrainedTokenizerBase

# How text is cut before it is tokenized, by the name that llama.cpp writes into a file: transformers reads the merges
# from it and not this.
PRE_TOKENIZERS = {
    "smollm": lambda: pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
}


def find_file(package: str, path: str, sha256: str) -> Path:
    """A model's file: ``path`` within an installed Python package, or a path on this machine where ``package`` is "".

    Raises:
        FileNotFoundError: there is no such package or file.
        ValueError: the file has another sum.
    """
    if package:
        # Found and not imported: only its file is wanted, and not what its code needs.
        spec = find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise FileNotFoundError(
                f"the Python package `{package}`, which brings {path}, is not installed: "
                "`pip install -r requirements-pretrained.txt`, or name a local file and no package"
            )
        file = Path(spec.submodule_search_locations[0], path)
    else:
        file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such file; put the model there, or correct its `path`")
    with file.open("rb") as opened:
        found_sum = hashlib.file_digest(opened, "sha256").hexdigest()
    if found_sum != sha256:
        raise ValueError(f"{file} has the SHA-256 {found_sum}, and not {sha256}: another file, or a damaged one")
    return file


def from_gguf(file: Path, dtype: str) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model of a GGUF file, its weights dequantised, and its tokenizer."""
    from gguf import GGUFReader

    model = AutoModelForCausalLM.from_pretrained(
        file.parent,
        gguf_file=file.name,
        dtype=getattr(torch, dtype),
        quantization_config=GgufConfig(dequantize=True),
    )
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    named = GGUFReader(file).get_field("tokenizer.ggml.pre")
    if named is not None and (known := PRE_TOKENIZERS.get(named.contents())):
        tokenizer.backend_tokenizer.pre_tokenizer = known()
    return model, tokenizer


def first_layers(model: PreTrainedModel, count: int) -> PreTrainedModel:
    """The model with its first ``count`` layers only, changed in place: embeddings, last norm and head stay.

    Raises:
        ValueError: it has fewer layers.
    """
    decoder = model.base_model
    if count > len(decoder.layers):
        raise ValueError(f"{count} layers cannot be kept of a model that has {len(decoder.layers)}")
    decoder.layers = decoder.layers[:count]
    model.config.num_hidden_layers = count
    # Some configurations name each layer's kind.
    if getattr(model.config, "layer_types", None):
        model.config.layer_types = model.config.layer_types[:count]
    return model
