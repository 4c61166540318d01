"""chains: solutions sampled from the policy for the problems of a chain set."""

import shutil

from prm_scaling.job import begin, engine_of, origin, progress

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.chains.record import Chain
from prm_scaling.chains.sample import sample_chains
from prm_scaling.chains.slices import in_slices
from prm_scaling.chains.steps import Steps
from prm_scaling.engines.interface import Sampling
from prm_scaling.engines.load import load_policy
from prm_scaling.problems.record import Problem
from prm_scaling.storage import read_records, write_records

torch.set_num_threads(snakemake.threads)
spec, seed, work = snakemake.params.chains, snakemake.params.seed, snakemake.params.work
policy, tokenizer = load_policy(snakemake.input.model, engine_of(snakemake.params.engine, snakemake.resources))
problems = [p for path in snakemake.input.problems for p in read_records(path, Problem)]
steps, sampling = Steps(tokenizer, **snakemake.params.steps), Sampling(spec["temperature"], 1.0, spec["max_tokens"])
chains = in_slices(
    [p.question for p in problems],
    lambda questions: sample_chains(
        questions, policy, tokenizer, spec["samples"], sampling, steps, seed, progress("chains")
    ),
    Chain,
    work,
    origin(snakemake.input, snakemake.params, seed),
)
write_records(snakemake.output[0], chains, Chain)
finished = sum(c.finished for c in chains)
print(f"{len(chains)} chains of {len(problems)} problems, {len(chains) - finished} unfinished")
# Only a finished job clears what it kept: a killed one goes on from there.
shutil.rmtree(work)
