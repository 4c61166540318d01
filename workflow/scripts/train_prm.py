"""train: one PRM, from a size of the ladder, on one training set, with one seed."""

import shutil
from pathlib import Path

from prm_scaling.job import begin, progress, provenance

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.annotate.select import Selected
from prm_scaling.chains.record import Chain
from prm_scaling.models.ladder import non_embedding_parameters
from prm_scaling.models.source import source_of
from prm_scaling.models.tokenizer import load_tokenizer
from prm_scaling.models.training import Settings, fit
from prm_scaling.prm.model import example, new_prm, step_loss
from prm_scaling.seeds import seed_of
from prm_scaling.storage import read_records, write_json

torch.set_num_threads(snakemake.threads)
spec, folder = snakemake.params.train, Path(snakemake.output.description).parent
seed = seed_of(snakemake.params.seed, "prm", snakemake.wildcards.seed) % 2**31
source, _ = source_of(snakemake.input.base)
tokenizer = load_tokenizer(source)
chains = {c.id: c for path in snakemake.input.chains for c in read_records(path, Chain)}
examples = [example(chains[s.chain], s.labels) for s in read_records(snakemake.input.selected, Selected)]
settings = Settings(
    max(1, int(len(examples) * spec["epochs"] / spec["batch"])), spec["batch"], spec["learning_rate"], seed
)
prm = new_prm(source, seed)
size = non_embedding_parameters(prm)


def describe(steps: int) -> dict:
    """What a reader of the PRM after ``steps`` steps must know."""
    tokens = sum(len(e.tokens) for e in examples) / len(examples) * steps * settings.batch
    return {
        "parameters": size,
        "vocabulary": len(tokenizer),
        "chains": len(examples),
        "step": steps,
        "training_flops": 6 * size * tokens,
        "provenance": provenance(snakemake.input, spec, seed),
    }


keep, same = {}, []
kept = snakemake.output.kept if snakemake.params.shares else []
for share, path in zip(snakemake.params.shares, kept, strict=True):
    step, place = max(1, round(share * settings.steps)), Path(path).parent
    # In a short training two shares may fall on one step.
    same += [(keep.setdefault(step, place), place)]
    write_json(place / "prm.json", describe(step))
work = Path(snakemake.params.work)
metrics = fit(prm, examples, step_loss, settings, work, keep, progress("steps"))
for source_folder, place in same:
    for name in ("config.json", "model.safetensors") if source_folder != place else ():
        shutil.copy(source_folder / name, place)
prm.save_pretrained(folder)
write_json(folder / "metrics.json", [{"step": m["step"], "loss": m["loss"]} for m in metrics])
write_json(snakemake.output.description, describe(settings.steps))
# Only a finished job clears its checkpoints: a killed one goes on from them.
shutil.rmtree(work)
