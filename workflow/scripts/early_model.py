"""models: a checkpoint of a model's pre-training, as a model of its own."""

import shutil
from pathlib import Path

from prm_scaling.job import begin, provenance, read_json

begin(snakemake.log[0], snakemake.threads)

from prm_scaling.storage import whole, write_json

step, steps = snakemake.params.step, snakemake.params.steps
# What the checkpoint does not have is the model's.
sources = {Path(path).name: path for path in [*snakemake.input.files, *snakemake.input.kept]}
described = read_json(sources["model.json"])
for path in [*snakemake.output.model, *snakemake.output.tokenizer]:
    with whole(path) as temporary:
        shutil.copyfile(sources[Path(path).name], temporary)
write_json(
    snakemake.output.description,
    {
        **described,
        "pretraining_flops": described["pretraining_flops"] * step / steps,
        "provenance": provenance(snakemake.input, {"step": step, "steps": steps}, 0),
    },
)
