"""search: one strategy guided by one PRM, at every budget of the ladder, one budget after the other."""

from pathlib import Path

from prm_scaling.job import begin, progress, read_json

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.load import load_policy
from prm_scaling.engines.transformers import TransformersScorer
from prm_scaling.prm.model import load_prm
from prm_scaling.problems.record import Problem
from prm_scaling.search import STRATEGIES
from prm_scaling.search.agreement import classifier
from prm_scaling.search.record import Candidate, Cost
from prm_scaling.search.scheduler import Limits, Scheduler
from prm_scaling.search.settings import parameters
from prm_scaling.storage import read_records, write_records
from prm_scaling.verify import sandbox

torch.set_num_threads(snakemake.threads)
spec, engine, separator = snakemake.params.search, snakemake.params.engine, snakemake.params.separator
name, strategy = snakemake.wildcards.strategy, STRATEGIES[snakemake.params.strategy]
policy, tokenizer = load_policy(snakemake.input.model, engine)
prm = load_prm(Path(snakemake.input.prm).parent, tokenizer, engine["dtype"], engine["device"])
questions = [p.question for path in snakemake.input.problems for p in read_records(path, Problem)]
asked = [(q, prompt_tokens(q, tokenizer)) for q in questions]
scheduler = Scheduler(
    policy,
    TransformersScorer(prm, engine["rows"]),
    Steps(tokenizer, separator).ends,
    Limits(spec["temperature"], spec["step_tokens"], spec["max_steps"], separator),
    (read_json(snakemake.input.model)["parameters"], read_json(snakemake.input.prm)["parameters"]),
    snakemake.params.seed,
    classifier(tokenizer, sandbox.Limits(*snakemake.params.sandbox)),
)
settings = parameters(snakemake.params.sections)
candidates, costs = [], []
# A question or two first, so that no budget's time holds what is done once.
scheduler.run(asked[:2], lambda: strategy(spec["budgets"][0], settings, spec["max_steps"]))
for budget in spec["budgets"]:
    report = progress(f"budget {budget}, questions")
    results = scheduler.run(asked, lambda n=budget: strategy(n, settings, spec["max_steps"]), report)
    for (question, _), (paths, ledger) in zip(asked, results, strict=True):
        costs.append(Cost(name, budget, question.id, **ledger.values()))
        for path in paths:
            text = tokenizer.decode(list(path.tokens))
            place = ".".join(map(str, path.name))
            found = Candidate(name, budget, question.id, place, text, path.whole, path.rewards, path.spent, path.visits)
            candidates.append(found)
write_records(snakemake.output.candidates, candidates, Candidate)
write_records(snakemake.output.costs, costs, Cost)
