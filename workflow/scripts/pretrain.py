"""models: one size of the ladder, trained from scratch, or a variant of it trained on."""

import shutil
from pathlib import Path

from prm_scaling.job import begin, progress, provenance

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.models.documents import Document, example
from prm_scaling.models.ladder import load_language_model, new_model, next_token_loss, non_embedding_parameters
from prm_scaling.models.tokenizer import load_tokenizer
from prm_scaling.models.training import Settings, fit
from prm_scaling.seeds import seed_of
from prm_scaling.storage import read_records, write_json

torch.set_num_threads(snakemake.threads)
shape, pretraining = snakemake.params.shape, snakemake.params.pretraining
folder = Path(snakemake.output.description).parent
seed = seed_of(snakemake.params.seed, "model", snakemake.wildcards.model) % 2**31
tokenizer = load_tokenizer(Path(snakemake.input.tokenizer[0]).parent)
if base := snakemake.input.get("base"):
    model, _ = load_language_model(Path(base).parent, "float32", "cpu")
    model.train()
else:
    model = new_model(shape["layers"], shape["width"], shape["heads"], len(tokenizer), seed)
examples = [example(d) for d in read_records(snakemake.input.documents, Document)]
settings = Settings(shape["steps"], pretraining["batch"], pretraining["learning_rate"], seed)
folders = dict.fromkeys(Path(path).parent for path in snakemake.output.get("kept", ()))
keep = dict(zip(snakemake.params.keep, folders, strict=True))
work = Path(snakemake.params.work)
metrics = fit(model, examples, next_token_loss, settings, work, keep, progress("steps"))
model.save_pretrained(folder)
tokenizer.save_pretrained(folder)
size = non_embedding_parameters(model)
tokens = sum(len(e.tokens) for e in examples) / len(examples) * settings.steps * settings.batch
write_json(folder / "metrics.json", [{"step": m["step"], "loss": m["loss"]} for m in metrics])
write_json(
    snakemake.output.description,
    {
        "hub": "",
        "revision": "",
        "parameters": size,
        "pretraining_flops": 6 * size * tokens,
        "provenance": provenance(snakemake.input, {"shape": shape, "pretraining": pretraining}, seed),
    },
)
# Only a finished job clears its checkpoints: a killed one goes on from them.
shutil.rmtree(work)
