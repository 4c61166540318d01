"""search: a pool of samples a test problem, from which every budget of best-of-N and voting is computed."""

from prm_scaling.job import begin, progress

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.chains.record import Chain
from prm_scaling.chains.sample import of_path
from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.load import load_policy
from prm_scaling.problems.record import Problem
from prm_scaling.search.ledger import Size
from prm_scaling.search.record import Cost
from prm_scaling.search.sampling import sampling
from prm_scaling.search.scheduler import Limits, Scheduler
from prm_scaling.search.size import size_of
from prm_scaling.storage import read_records, write_records

torch.set_num_threads(snakemake.threads)
spec = snakemake.params.search
policy, tokenizer = load_policy(snakemake.input.model, snakemake.params.engine)
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
# In slices, so that progress shows.
results = []
report = progress("questions")
for start in range(0, len(asked), 64):
    results += scheduler.run(
        asked[start : start + 64], lambda: sampling(snakemake.params.samples, spec, spec["max_steps"])
    )
    report(len(results), len(asked))
chains = [
    of_path(question, prompt, path, tokenizer)
    for (question, prompt), (paths, _) in zip(asked, results, strict=True)
    for path in paths
]
costs = [
    Cost("sampling", snakemake.params.samples, q.id, **ledger.values())
    for (q, _), (_, ledger) in zip(asked, results, strict=True)
]
write_records(snakemake.output.chains, chains, Chain)
write_records(snakemake.output.costs, costs, Cost)
