"""annotate: a judge LM's critiques, parsed."""

import shutil

from prm_scaling.job import begin, engine_of, origin, progress

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.annotate.judge import annotate
from prm_scaling.annotate.record import Annotation
from prm_scaling.annotate.shards import by_problem, in_order, part, problems_a_slice
from prm_scaling.chains.record import Chain
from prm_scaling.chains.slices import in_slices
from prm_scaling.chains.steps import Steps
from prm_scaling.engines.load import load_policy
from prm_scaling.problems.world.truth import is_correction
from prm_scaling.storage import read_records, write_records

torch.set_num_threads(snakemake.threads)
judge, tokenizer = load_policy(snakemake.input.model, engine_of(snakemake.params.engine, snakemake.resources))
chains = read_records(snakemake.input.chains, Chain)
groups = part(by_problem(chains), snakemake.wildcards.get("shard", "1-of-1"))
steps = Steps(tokenizer, **snakemake.params.steps)
made = in_slices(
    groups,
    lambda some: annotate(
        [chain for group in some for chain in group],
        snakemake.wildcards.judge,
        judge,
        tokenizer,
        steps,
        lambda chain, step: is_correction(chain.domain, step),
        snakemake.params.steps["separator"],
        progress("critiques"),
    ),
    Annotation,
    snakemake.params.work,
    origin(snakemake.input, snakemake.params, 0),
    problems_a_slice(groups),
)
mine = {chain.id for group in groups for chain in group}
annotations = in_order(made, [chain.id for chain in chains if chain.id in mine])
write_records(snakemake.output[0], annotations, Annotation)
print(f"{sum(a.first_error is None for a in annotations)} of {len(annotations)} critiques gave no verdict")
# Only a finished job clears what it kept: a killed one goes on from there.
shutil.rmtree(snakemake.params.work)
