"""models: a checkpoint of a model's pre-training, as a model of its own."""

import shutil
from pathlib import Path

from prm_scaling.job import begin, provenance, read_json

begin(snakemake.log[0], snakemake.threads)

from prm_scaling.models.tokenizer import load_tokenizer
from prm_scaling.storage import whole, write_json

step, steps = snakemake.params.step, snakemake.params.steps
sources = {Path(path).name: path for path in snakemake.input.files} | {"model.safetensors": snakemake.input.weights}
described = read_json(sources.pop("model.json"))
for path in (snakemake.output.config, snakemake.output.weights):
    with whole(path) as temporary:
        shutil.copyfile(sources[Path(path).name], temporary)
load_tokenizer(Path(sources["tokenizer.json"]).parent).save_pretrained(Path(snakemake.output.description).parent)
write_json(
    snakemake.output.description,
    {
        **described,
        "pretraining_flops": described["pretraining_flops"] * step / steps,
        "provenance": provenance(snakemake.input, {"step": step, "steps": steps}, 0),
    },
)
