"""annotate: the first error of each chain by rollouts and binary search."""

import shutil

from prm_scaling.job import begin, engine_of, origin, progress

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.annotate.monte_carlo import annotate
from prm_scaling.annotate.record import Annotation
from prm_scaling.chains.answers import extract_answer
from prm_scaling.chains.record import Chain
from prm_scaling.chains.slices import in_slices
from prm_scaling.engines.interface import Sampling
from prm_scaling.engines.load import load_policy
from prm_scaling.problems.record import Problem
from prm_scaling.seeds import seed_of
from prm_scaling.storage import read_records, write_records
from prm_scaling.verify.answers import grade
from prm_scaling.verify.sandbox import Sandbox

torch.set_num_threads(snakemake.threads)
spec = snakemake.params.annotate
policy, tokenizer = load_policy(snakemake.input.model, engine_of(snakemake.params.engine, snakemake.resources))
problems = {p.id: p for path in snakemake.input.problems for p in read_records(path, Problem)}
sandbox = Sandbox(**snakemake.params.sandbox, workers=snakemake.threads)


def graded(asked):
    """The grader of all phases, on token sequences."""
    owners = [problems[chain.problem] for chain, _, _ in asked]
    texts = [tokenizer.decode(list(tokens)) for _, tokens, _ in asked]
    answers = [extract_answer(p.question, t, done) for p, t, (_, _, done) in zip(owners, texts, asked, strict=True)]
    return grade(owners, answers, sandbox, snakemake.threads)


sampling = Sampling(spec["completer"]["temperature"], 1.0, snakemake.params.max_tokens)
seed = seed_of(snakemake.params.seed, "monte_carlo") % 2**31
annotations = in_slices(
    read_records(snakemake.input.chains, Chain),
    lambda chains: annotate(
        chains, policy, graded, spec["rollouts"], spec["threshold"], sampling, seed, progress("chains located")
    ),
    Annotation,
    snakemake.params.work,
    origin(snakemake.input, snakemake.params, seed),
)
write_records(snakemake.output[0], annotations, Annotation)
print(f"{sum(len(a.probed) for a in annotations) * spec['rollouts']} rollouts for {len(annotations)} chains")
# Only a finished job clears what it kept: a killed one goes on from there.
shutil.rmtree(snakemake.params.work)
