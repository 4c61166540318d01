"""search: seconds of every strategy at every budget: one engine, warm, the strategies taking turns."""

from prm_scaling.job import begin, engine_of, progress, read_json

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.load import load_policy
from prm_scaling.prm.scorer import load_scorer
from prm_scaling.problems.record import Problem
from prm_scaling.search import STRATEGIES
from prm_scaling.search.agreement import classifier
from prm_scaling.search.record import Timing
from prm_scaling.search.scheduler import Limits, Scheduler
from prm_scaling.search.settings import parameters
from prm_scaling.search.size import size_of
from prm_scaling.search.turns import turns
from prm_scaling.storage import read_records, write_records
from prm_scaling.verify.sandbox import Sandbox

torch.set_num_threads(snakemake.threads)
p, spec, timing = snakemake.params, snakemake.params.search, snakemake.params.timing
engine = engine_of(p.engine, snakemake.resources)
policy, tokenizer = load_policy(snakemake.input.model, engine)
sets = [read_records(path, Problem) for path in snakemake.input.problems]
# As many of each set.
problems = [problem for of_set in sets for problem in of_set[: -(-timing["questions"] // len(sets))]]
asked = [(problem.question, prompt_tokens(problem.question, tokenizer)) for problem in problems]
scheduler = Scheduler(
    policy,
    load_scorer(snakemake.input.prm, tokenizer, engine, [q for q, _ in asked]),
    Steps(tokenizer, p.separator).ends,
    Limits(spec["temperature"], spec["step_tokens"], spec["max_steps"], p.separator),
    (size_of(snakemake.input.model), size_of(snakemake.input.prm)),
    p.seed,
    classifier(problems, tokenizer, Sandbox(**p.sandbox, workers=snakemake.threads)),
    tokenizer.decode,
)
tuned = {name: read_json(path) for name, path in zip(p.tuned, snakemake.input.thresholds, strict=True)}


def start(name, budget):
    """What starts the search of one question."""
    sections = parameters(p.sections[name], tuned.get(name, {}).get(str(budget)))
    return lambda: STRATEGIES[p.strategies[name]](budget, sections, spec["max_steps"])


runs = [(name, budget) for name in p.strategies for budget in spec["budgets"]]
# What is done once is done here.
for name, budget in runs:
    scheduler.run(asked[:2], start(name, budget))
timings: list[Timing] = []
report = progress("searches")
for repeat, (name, budget) in turns(runs, timing["repeats"], p.seed):
    ledgers = [ledger for _, ledger in scheduler.run(asked, start(name, budget))]
    parts = ("generate_seconds", "score_seconds", "verify_seconds", "scheduler_seconds")
    spent = [sum(getattr(ledger, part) for ledger in ledgers) for part in parts]
    timings.append(Timing(name, budget, repeat, len(asked), *spent))
    report(len(timings), len(runs) * timing["repeats"])
write_records(snakemake.output[0], timings, Timing)
