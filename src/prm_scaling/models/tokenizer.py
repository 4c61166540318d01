"""Tokenizers: the ladder's, byte-level BPE like Qwen2.5's and trained on the embedded world's text; and others."""

import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

END = "<|endoftext|>"
PAD = "<|pad|>"
# A line break is always a token of its own, so that a step ends where a token ends.
PIECES = r"\n| ?[A-Za-z]+| ?[0-9]+| ?[^\sA-Za-z0-9]+|[^\S\n]+"


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A lossless tokenizer in which each frequent word and number is one token.

    Text that contains a special token's name is read as text (``split_special_tokens``).
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        split_special_tokens=True,
        clean_up_tokenization_spaces=False,
    )


def load_tokenizer(source: str | Path, revision: str | None = None) -> PreTrainedTokenizerBase:
    """A tokenizer that reads special tokens' names in untrusted text as text.

    A folder whose ``tokenizer_config.json`` names no architecture's own class is taken at its word: beside a
    Qwen2 model AutoTokenizer would make a Qwen2 tokenizer of it, which cuts the same text otherwise.
    """
    named = Path(source) / "tokenizer_config.json"
    plain = named.is_file() and json.loads(named.read_text()).get("tokenizer_class") == "TokenizersBackend"
    options = {"revision": revision or "main", "split_special_tokens": True}
    if plain:
        return PreTrainedTokenizerFast.from_pretrained(source, **options)
    # Imported here: it brings all of torch, which jobs that only read tokens do without.
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(source, **options)
