"""models: a hub model, fetched once into the hub's cache and described."""

from prm_scaling.job import begin

begin(snakemake.log[0], snakemake.threads)

from huggingface_hub import snapshot_download

from prm_scaling.storage import write_json

model = snakemake.params.model
folder = snapshot_download(model["hub"], revision=model["revision"] or None)
print(f"{model['hub']} is in {folder}")
write_json(
    snakemake.output.description,
    {"hub": model["hub"], "revision": model["revision"], "parameters": model["parameters"], "pretraining_flops": None},
)
