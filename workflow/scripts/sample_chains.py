"""chains: solutions sampled from the policy for the problems of a chain set."""

from prm_scaling.job import begin, progress

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.chains.record import Chain
from prm_scaling.chains.sample import sample_chains
from prm_scaling.chains.steps import Steps
from prm_scaling.engines.interface import Sampling
from prm_scaling.engines.load import load_policy
from prm_scaling.problems.record import Problem
from prm_scaling.storage import read_records, write_records

torch.set_num_threads(snakemake.threads)
spec = snakemake.params.chains
policy, tokenizer = load_policy(snakemake.input.model, snakemake.params.engine)
problems = [p for path in snakemake.input.problems for p in read_records(path, Problem)]
chains = sample_chains(
    [p.question for p in problems],
    policy,
    tokenizer,
    spec["samples"],
    Sampling(spec["temperature"], 1.0, spec["max_tokens"]),
    Steps(tokenizer, **snakemake.params.steps),
    snakemake.params.seed,
    progress("chains"),
)
write_records(snakemake.output[0], chains, Chain)
finished = sum(c.finished for c in chains)
print(f"{len(chains)} chains of {len(problems)} problems, {len(chains) - finished} unfinished")
