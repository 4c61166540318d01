"""train: a published PRM, fetched once into the hub's cache and described."""

from prm_scaling.job import begin, provenance

begin(snakemake.log[0], snakemake.threads)

from huggingface_hub import snapshot_download

from prm_scaling.models.tokenizer import load_tokenizer
from prm_scaling.storage import write_json

prm = snakemake.params.prm
folder = snapshot_download(prm["hub"], revision=prm["revision"] or None)
print(f"{prm['hub']} is in {folder}")
description = {
    "hub": prm["hub"],
    "revision": prm["revision"],
    "form": prm["form"],
    "head": "published",
    "labels": None,
    "parameters": prm["parameters"],
    "vocabulary": len(load_tokenizer(prm["hub"], prm["revision"])),
    # What it was trained on, and for how long, is not known.
    "chains": None,
    "step": 0,
    "training_flops": None,
    "provenance": provenance(snakemake.input, prm, 0),
}
write_json(snakemake.output.description, description)
