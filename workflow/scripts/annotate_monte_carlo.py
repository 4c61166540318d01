"""annotate: the first error of each chain by rollouts and binary search."""

from prm_scaling.job import begin, progress

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.annotate.monte_carlo import annotate
from prm_scaling.annotate.record import Annotation
from prm_scaling.chains.answers import extract_answer
from prm_scaling.chains.record import Chain
from prm_scaling.engines.interface import Sampling
from prm_scaling.engines.load import load_policy
from prm_scaling.problems.record import Problem
from prm_scaling.seeds import seed_of
from prm_scaling.storage import read_records, write_records
from prm_scaling.verify.answers import grade
from prm_scaling.verify.sandbox import Sandbox

torch.set_num_threads(snakemake.threads)
spec = snakemake.params.annotate
policy, tokenizer = load_policy(snakemake.input.model, snakemake.params.engine)
problems = {p.id: p for path in snakemake.input.problems for p in read_records(path, Problem)}
sandbox = Sandbox(**snakemake.params.sandbox, workers=snakemake.threads)


def graded(asked):
    """The grader of all phases, on token sequences."""
    owners = [problems[chain.problem] for chain, _, _ in asked]
    texts = [tokenizer.decode(list(tokens)) for _, tokens, _ in asked]
    answers = [extract_answer(p.question, t, done) for p, t, (_, _, done) in zip(owners, texts, asked, strict=True)]
    return grade(owners, answers, sandbox, snakemake.threads)


annotations = annotate(
    read_records(snakemake.input.chains, Chain),
    policy,
    graded,
    spec["rollouts"],
    spec["threshold"],
    Sampling(spec["completer"]["temperature"], 1.0, snakemake.params.max_tokens),
    seed_of(snakemake.params.seed, "monte_carlo") % 2**31,
    progress("chains located"),
)
write_records(snakemake.output[0], annotations, Annotation)
print(f"{sum(len(a.probed) for a in annotations) * spec['rollouts']} rollouts for {len(annotations)} chains")
