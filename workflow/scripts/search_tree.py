"""search: one strategy guided by one PRM, at every budget of the ladder, one budget after the other."""

import hashlib
import json

from prm_scaling.job import begin, progress, provenance, read_json

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.load import load_policy, load_scorer, size_of
from prm_scaling.problems.record import Problem
from prm_scaling.search import STRATEGIES
from prm_scaling.search.agreement import classifier
from prm_scaling.search.kept import Kept
from prm_scaling.search.record import Candidate, Cost
from prm_scaling.search.scheduler import Limits, Scheduler
from prm_scaling.search.settings import parameters
from prm_scaling.storage import read_records, write_records
from prm_scaling.verify import sandbox

torch.set_num_threads(snakemake.threads)
spec, engine, separator = snakemake.params.search, snakemake.params.engine, snakemake.params.separator
name, strategy = snakemake.wildcards.strategy, STRATEGIES[snakemake.params.strategy]
policy, tokenizer = load_policy(snakemake.input.model, engine)
questions = [p.question for path in snakemake.input.problems for p in read_records(path, Problem)]
asked = [(q, prompt_tokens(q, tokenizer)) for q in questions]
scheduler = Scheduler(
    policy,
    load_scorer(snakemake.input.prm, tokenizer, engine, questions),
    Steps(tokenizer, separator).ends,
    Limits(spec["temperature"], spec["step_tokens"], spec["max_steps"], separator),
    (size_of(snakemake.input.model), size_of(snakemake.input.prm)),
    snakemake.params.seed,
    classifier(tokenizer, sandbox.Limits(*snakemake.params.sandbox)),
    tokenizer.decode,
)
# The router's thresholds, chosen on validation problems for each budget.
tuned = read_json(snakemake.input.thresholds) if snakemake.input.get("thresholds") else {}
told = {k: v for k, v in snakemake.params.items() if k != "work"}
origin = json.dumps(provenance(snakemake.input, told, snakemake.params.seed), sort_keys=True)
kept = Kept(snakemake.params.work, hashlib.sha256(origin.encode()).hexdigest()[:16])
candidates, costs = [], []


def search(budget):
    """Starts a search."""
    return strategy(budget, parameters(snakemake.params.sections, tuned.get(str(budget))), spec["max_steps"])


# A question or two first, so that no budget's time holds what is done once.
scheduler.run(asked[:2], lambda: search(spec["budgets"][0]))
for budget in spec["budgets"]:
    left = [item for item in asked if item[0].id not in kept.found(budget)]
    scheduler.run(
        left,
        lambda n=budget: search(n),
        progress(f"budget {budget}, questions"),
        lambda i, paths, ledger, n=budget, left=left: kept.add(n, left[i][0].id, paths, ledger),
    )
    results = kept.found(budget)
    for question, _ in asked:
        paths, ledger = results[question.id]
        costs.append(Cost(name, budget, question.id, **ledger.values()))
        for path in paths:
            text = tokenizer.decode(list(path.tokens))
            place = ".".join(map(str, path.name))
            found = Candidate(name, budget, question.id, place, text, path.whole, path.rewards, path.spent, path.visits)
            candidates.append(found)
write_records(snakemake.output.candidates, candidates, Candidate)
write_records(snakemake.output.costs, costs, Cost)
# Only a finished job clears what it kept: a killed one goes on from there.
kept.clear()
