"""train: one PRM, from a size of the ladder, on one training set, with one seed."""

import shutil
from pathlib import Path

from prm_scaling.job import begin, progress, provenance

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.prm.fit import Training, train, train_in
from prm_scaling.seeds import seed_of
from prm_scaling.storage import write_json

torch.set_num_threads(snakemake.threads)
spec, labelled, gpus = snakemake.params.train, snakemake.params.labelled, snakemake.resources.get("gpu", 0)
seed = seed_of(snakemake.params.seed, "prm", snakemake.wildcards.seed) % 2**31
kept = snakemake.output.kept if snakemake.params.shares else []
places = [str(Path(path).parent) for path in kept]
training = Training(
    snakemake.input.base,
    snakemake.input.tokenizer,
    snakemake.input.selected,
    tuple(snakemake.input.chains),
    labelled["head"],
    labelled["class_weight"],
    **spec,
    seed=seed,
    kept=tuple(zip(snakemake.params.shares, places, strict=True)),
    folder=str(Path(snakemake.output.description).parent),
    work=snakemake.params.work,
)
if gpus > 1:
    facts = train_in(gpus, snakemake.resources.get("nodes", 1), training, snakemake.threads)
else:
    facts = train(training, progress("steps"))
for step, path in [*zip(facts.kept, places, strict=True), (facts.steps, training.folder)]:
    # What a reader of the PRM after so many steps must know.
    description = {
        "parameters": facts.parameters,
        "vocabulary": facts.vocabulary,
        "tokenizer": facts.tokenizer,
        "head": labelled["head"],
        "labels": {k: labelled[k] for k in ("annotator", "judges", "labels", "threshold", "loss", "class_weight")},
        "chains": facts.chains,
        "dropped": facts.dropped,
        "step": step,
        "training_flops": 6 * facts.parameters * facts.tokens * step * training.batch,
        "provenance": provenance(snakemake.input, {**spec, **labelled}, seed),
    }
    write_json(Path(path) / "prm.json", description)
# Only a finished job clears its checkpoints: a killed one goes on from them.
shutil.rmtree(training.work)
