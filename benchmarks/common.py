"""What the benchmarks share: models with random weights, prompts, a record with the machine it was made on."""

import importlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import torch
from transformers import (
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2ForTokenClassification,
)

ROOT = Path(__file__).resolve().parents[1]
# Shapes of the default scale's policy and PRM, and one of about 100 million parameters.
SHAPES = {
    "47k": {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4},
    "124k": {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4},
    "100m": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12},
}
VOCABULARY = 2000


def model(size: str, kind: type = Qwen2ForCausalLM, seed: int = 0, spread: float = 0.08) -> PreTrainedModel:
    """A model with random weights, in fp32."""
    shape = SHAPES[size]
    torch.manual_seed(seed)
    labels = {"num_labels": 1, "classifier_dropout": 0.0} if kind is Qwen2ForTokenClassification else {}
    return kind(
        Qwen2Config(
            vocab_size=VOCABULARY,
            num_key_value_heads=shape["num_attention_heads"],
            intermediate_size=(4 if size == "100m" else 2) * shape["hidden_size"],
            max_position_embeddings=1024,
            tie_word_embeddings=True,
            initializer_range=spread,
            bos_token_id=None,
            # No token ends a text: lengths are forced.
            eos_token_id=None,
            **shape,
            **labels,
        )
    ).eval()


class Letters:
    """In place of a tokenizer: token i is the i-th character of a private area, token 0 a line break."""

    def __init__(self, end: int | None = None):
        self.eos_token_id, self.pad_token_id = end, 1
        self.chat_template = None

    def __len__(self) -> int:
        return VOCABULARY

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens."""
        return "".join("\n" if t == 0 else chr(0xE000 + t) for t in tokens)


def prompts(count: int, length: int, seed: int = 0) -> list[tuple[int, ...]]:
    """Distinct random prompts."""
    generator = torch.Generator().manual_seed(seed)
    return [tuple(row) for row in torch.randint(2, VOCABULARY, (count, length), generator=generator).tolist()]


@contextmanager
def earlier(reference: str) -> Iterable:
    """The engines of another commit, importable as ``earlier_engines``."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder, "earlier_engines")
        package.mkdir()
        names = _git("ls-tree", "--name-only", reference, "src/prm_scaling/engines/").split()
        for name in names:
            text = _git("show", f"{reference}:{name}").replace("prm_scaling.engines", "earlier_engines")
            (package / Path(name).name).write_text(text)
        (package / "__init__.py").touch()
        sys.path.insert(0, folder)
        try:
            modules = [importlib.import_module(f"earlier_engines.{n}") for n in ("interface", "transformers")]
            yield {name: value for module in modules for name, value in vars(module).items()}
        finally:
            sys.path.remove(folder)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def table(rows: Sequence[dict]) -> str:
    """Rows of like keys as text, aligned."""
    names = list(rows[0])
    cells = [names, *([_text(row[name]) for name in names] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def processor() -> str:
    """The processor's name, where the system tells it."""
    told = Path("/proc/cpuinfo")
    names = re.findall(r"^model name\s*: (.*)$", told.read_text(), re.MULTILINE) if told.is_file() else []
    return names[0] if names else platform.processor() or platform.machine()


def record(
    name: str, arguments: dict, rows: Sequence[dict], packages: Sequence[str] = ("torch", "transformers")
) -> Path:
    """Prints rows and writes them, with what they were measured on and of, to ``benchmarks/records/``."""
    print(table(rows))
    path = ROOT / "benchmarks" / "records" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    machine = {"processor": processor(), "cores": os.cpu_count(), "threads": torch.get_num_threads()}
    versions = {"python": platform.python_version()} | {p: metadata.version(p) for p in packages}
    found = {"arguments": arguments, "machine": machine, "versions": versions, "rows": list(rows)}
    path.write_text(json.dumps(found, indent=1) + "\n")
    return path
