"""search: a pool of samples a test problem, from which every budget of best-of-N and voting is computed."""

from pathlib import Path

from prm_scaling.job import begin, engine_of, origin, progress

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.chains.record import Chain
from prm_scaling.chains.sample import of_path
from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.load import load_policy
from prm_scaling.problems.record import Problem
from prm_scaling.search.kept import Kept
from prm_scaling.search.ledger import Size
from prm_scaling.search.record import Cost
from prm_scaling.search.sampling import sampling
from prm_scaling.search.scheduler import Limits, Scheduler
from prm_scaling.search.size import size_of
from prm_scaling.storage import read_records, write_records

torch.set_num_threads(snakemake.threads)
spec = snakemake.params.search
policy, tokenizer = load_policy(snakemake.input.model, engine_of(snakemake.params.engine, snakemake.resources))
questions = [p.question for path in snakemake.input.problems for p in read_records(path, Problem)]
asked = [(q, prompt_tokens(q, tokenizer)) for q in questions]
limits = Limits(spec["temperature"], spec["step_tokens"], spec["max_steps"], snakemake.params.steps["separator"])
sizes = (size_of(snakemake.input.model), Size(0))
scheduler = Scheduler(
    policy,
    None,
    Steps(tokenizer, **snakemake.params.steps).ends,
    limits,
    sizes,
    snakemake.params.seed,
    decode=tokenizer.decode,
)
samples, report = snakemake.params.samples, progress("questions")
kept = Kept(Path(snakemake.params.work), origin(snakemake.input, snakemake.params, snakemake.params.seed))
# In slices, so that progress shows and a killed job goes on.
for start in range(0, len(asked), 64):
    left = [item for item in asked[start : start + 64] if item[0].id not in kept.found(samples)]
    found = scheduler.run(left, lambda: sampling(samples, spec, spec["max_steps"]))
    for (question, _), (paths, ledger) in zip(left, found, strict=True):
        kept.add(samples, question.id, paths, ledger)
    report(start + len(left), len(asked))
results = [kept.found(samples)[question.id] for question, _ in asked]
chains = [
    of_path(question, prompt, path, tokenizer)
    for (question, prompt), (paths, _) in zip(asked, results, strict=True)
    for path in paths
]
costs = [Cost("sampling", samples, q.id, **ledger.values()) for (q, _), (_, ledger) in zip(asked, results, strict=True)]
write_records(snakemake.output.chains, chains, Chain)
write_records(snakemake.output.costs, costs, Cost)
# Only a finished job clears what it kept: a killed one goes on from there.
kept.clear()
