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
from importlib.metadata import version
from pathlib import Path

import torch
from transformers import (
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2ForTokenClassification,
)

ROOT = Path(__file__).resolve().parents[1]
# Shapes of the default scale's policy and PRM, one of about 0.9 and one of about 100 million parameters.
SHAPES = {
    "47k": {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4},
    "124k": {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4},
    "900k": {"hidden_size": 128, "num_hidden_layers": 4, "num_attention_heads": 4},
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


def table(rows: Sequence[dict], between: str = "  ") -> str:
    """Rows of like keys as text, aligned."""
    names = list(rows[0])
    cells = [names, *([_text(row[name]) for name in names] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))]
    lines = (between.join(c.rjust(width) for c, width in zip(row, widths, strict=True)) for row in cells)
    return "\n".join(line.rstrip() for line in lines)


def markdown(rows: Sequence[dict]) -> str:
    """The same as a table in Markdown."""
    head, *lines = table(rows, " | ").splitlines()
    rule = "|".join("-" * (len(part) + 2 - (i == 0)) for i, part in enumerate(head.split(" | ")))
    return "\n".join(f"| {line} |" for line in (head, *lines)).replace("\n", f"\n|-{rule}|\n", 1)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return "" if value is None else str(value)


def machine() -> dict:
    """What a record was made on; ``busy`` is how many others ran there at its end."""
    found = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()) if sys.platform == "linux" else None
    return {
        "processor": found[1] if found else platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "busy": max(0, round(os.getloadavg()[0] - torch.get_num_threads())),
        "system": platform.platform(),
        "environment": {k: v for k, v in sorted(os.environ.items()) if k.startswith(("MALLOC_", "OMP_"))},
    }


def record(name: str, arguments: dict, rows: Sequence[dict], packages: Sequence[str] = ()) -> None:
    """Prints rows and writes them, with what they were measured on, to ``benchmarks/records/``: JSON and Markdown.

    ``packages`` are named with their versions beside PyTorch and transformers.
    """
    print(table(rows))
    folder = ROOT / "benchmarks" / "records"
    folder.mkdir(exist_ok=True)
    versions = {"python": platform.python_version(), **{p: version(p) for p in ("torch", "transformers", *packages)}}
    found = {"arguments": arguments, "machine": machine(), "versions": versions, "rows": list(rows)}
    (folder / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    told = [f"{key}: {value}" for key, value in {**found["machine"], **versions}.items()]
    given = {k: " ".join(map(str, v)) if isinstance(v, list) else v for k, v in arguments.items()}
    command = " ".join(f"--{k.replace('_', '-')} {v}" for k, v in given.items() if v is not None)
    text = [f"# {name}", "", markdown(rows), "", "Arguments: `" + command + "`", "", "On: " + ", ".join(told) + "."]
    (folder / f"{name}.md").write_text("\n".join(text) + "\n")
