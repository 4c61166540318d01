"""Training of PRMs: tokens a second against TRL's trainer, and the share of the machine's matmul rate that is used.

    python3 -m venv ~/.cache/prm-scaling/trl
    ~/.cache/prm-scaling/trl/bin/pip install -r benchmarks/trl-requirements.txt
    PYTHONPATH=src OMP_NUM_THREADS=1 ~/.cache/prm-scaling/trl/bin/python benchmarks/training.py

Both trainers have one epoch of the same chains in the same batches' size, the same shape of model (TRL's head has two
labels), AdamW, the same precision, no gradient checkpointing (TRL's default is to have it; `trl default` does) and no
checkpoints; they take turns. Tokens are those of chains, padding is none. Model FLOPs are 6 N a token for matrices
(embeddings left out) and 6 d L^2 a layer and chain for causal attention; `mfu` is their rate over that of a product of
2048 x 2048 matrices in the same precision, measured before and after. Seconds are the processor's, of one thread.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import torch
from common import SHAPES, VOCABULARY, model, record
from lengths import Mixed, mixed
from transformers import PrinterCallback, Qwen2ForTokenClassification, TrainerCallback

from prm_scaling.models.batches import Batches, Parts
from prm_scaling.models.example import Example
from prm_scaling.models.ladder import non_embedding_parameters
from prm_scaling.models.training import Settings, _arguments, _Fit, _only
from prm_scaling.prm.model import step_loss

SIDE = 2048


class Clock(TrainerCallback):
    """Processor seconds from the first step's begin to the last one's end."""

    def on_step_begin(self, args, state, control, **kwargs) -> None:
        """Starts it."""
        if state.global_step == 0:
            self._began = time.process_time()

    def on_step_end(self, args, state, control, **kwargs) -> None:
        """Reads it."""
        self.seconds = time.process_time() - self._began


def matmul_rate(precision: str) -> float:
    """FLOPs a second of a product of two square matrices."""
    a, b = (torch.randn(SIDE, SIDE, dtype=getattr(torch, precision)) for _ in range(2))
    a @ b
    began, count = time.process_time(), 0
    while time.process_time() - began < 2:
        a @ b
        count += 1
    return 2 * SIDE**3 * count / (time.process_time() - began)


def ours(size: str, chains: list[Mixed], precision: str, batch: int, packing: bool = False) -> float:
    """Processor seconds of an epoch by this project."""
    examples = []
    for i, chain in enumerate(chains):
        targets = [float("nan")] * len(chain.tokens)
        for j, end in enumerate(chain.ends):
            targets[end] = float((i + j) % 2)
        examples.append(Example(chain.tokens, tuple(targets)))
    settings = Settings(-(-len(chains) // batch), batch, 1e-4, 0, "adamw", precision, packing=packing)
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = _arguments(settings, Path(folder))
        arguments.save_strategy = "no"
        parts = Parts(Batches(examples, settings.steps, batch, 0), 1, packing)
        prm = model(size, Qwen2ForTokenClassification, spread=0.02)
        options = {"args": arguments, "train_dataset": parts, "data_collator": _only, "callbacks": [clock]}
        trainer = _Fit(step_loss, settings, model=prm, **options)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return clock.seconds


def theirs(size: str, chains: list[Mixed], precision: str, batch: int, checkpointing: bool = False) -> float:
    """Processor seconds of an epoch by TRL."""
    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    from datasets import Dataset
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast
    from trl.experimental.prm import PRMConfig, PRMTrainer

    words = Tokenizer(WordLevel({str(i): i for i in range(VOCABULARY)}, unk_token="0"))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, pad_token="1", unk_token="0")
    rows = []
    for i, chain in enumerate(chains):
        labels = [-100] * len(chain.tokens)
        for j, end in enumerate(chain.ends):
            labels[end] = (i + j) % 2
        rows.append({"input_ids": list(chain.tokens), "labels": labels})
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        arguments = PRMConfig(
            output_dir=folder,
            per_device_train_batch_size=batch,
            num_train_epochs=1,
            learning_rate=1e-4,
            bf16=precision == "bfloat16",
            gradient_checkpointing=checkpointing,
            optim="adamw_torch",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
        )
        prm = model(size, Qwen2ForTokenClassification, spread=0.02)
        prm.config.num_labels, prm.num_labels = 2, 2
        prm.score = torch.nn.Linear(prm.config.hidden_size, 2)
        data = Dataset.from_list(rows)
        trainer = PRMTrainer(prm, arguments, train_dataset=data, processing_class=tokenizer, callbacks=[clock])
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return clock.seconds


def measured(size: str, precision: str, chains: list[Mixed], batch: int, repeats: int) -> list[dict]:
    """A row for each trainer."""
    rate = [matmul_rate(precision)]
    ways = {
        "this project": lambda: ours(size, chains, precision, batch),
        "packed": lambda: ours(size, chains, precision, batch, packing=True),
        "trl": lambda: theirs(size, chains, precision, batch),
        "trl default": lambda: theirs(size, chains, precision, batch, checkpointing=True),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(repeats):
        for way, run in ways.items():
            seconds[way].append(run())
    rate.append(matmul_rate(precision))
    tokens = sum(len(c.tokens) for c in chains)
    shape = SHAPES[size]
    parameters = non_embedding_parameters(model(size, Qwen2ForTokenClassification))
    attention = 6 * shape["num_hidden_layers"] * shape["hidden_size"] * sum(len(c.tokens) ** 2 for c in chains)
    flops = 6 * parameters * tokens + attention
    rows = []
    for way, times in seconds.items():
        took = statistics.median(times)
        rows.append(
            {
                "model": size,
                "precision": precision,
                "trainer": way,
                "tokens a second": tokens / took,
                "times trl": statistics.median(seconds["trl"]) / took,
                "matmul GFLOPs": statistics.mean(rate) / 1e9,
                "mfu": flops / took / statistics.mean(rate),
            }
        )
    return rows


def main() -> None:
    """Measures and records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["124k:float32", "100m:bfloat16"])
    parser.add_argument("--chains", type=int, nargs="+", default=[512, 32], help="for each model")
    parser.add_argument("--prompt", type=int, default=48)
    parser.add_argument("--lengths", type=int, nargs=2, default=[32, 512], help="of the solutions, spread in their log")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, count in zip(arguments.models, arguments.chains, strict=True):
        size, precision = name.split(":")
        chains = mixed(count, 1, arguments.prompt, *arguments.lengths, step=16)
        rows += measured(size, precision, chains, arguments.batch, arguments.repeats)
    record("training", vars(arguments), rows, ["accelerate", "trl"])


if __name__ == "__main__":
    main()
