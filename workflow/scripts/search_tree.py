"""search: one strategy, guided by the PRM of each seed in turn, at every budget, one after the other."""

import shutil
from pathlib import Path

from prm_scaling.job import begin, engine_of, origin, progress, read_json

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.load import load_policy
from prm_scaling.prm.scorer import load_scorer
from prm_scaling.problems.record import Problem
from prm_scaling.search import STRATEGIES
from prm_scaling.search.agreement import classifier
from prm_scaling.search.kept import Kept
from prm_scaling.search.record import Candidate, Cost
from prm_scaling.search.scheduler import Limits, Scheduler
from prm_scaling.search.settings import parameters
from prm_scaling.search.size import size_of
from prm_scaling.storage import read_records, write_records
from prm_scaling.verify.sandbox import Sandbox

torch.set_num_threads(snakemake.threads)
spec, separator = snakemake.params.search, snakemake.params.separator
engine = engine_of(snakemake.params.engine, snakemake.resources)
name, strategy = snakemake.wildcards.strategy, STRATEGIES[snakemake.params.strategy]
policy, tokenizer = load_policy(snakemake.input.model, engine)
problems = [p for path in snakemake.input.problems for p in read_records(path, Problem)]
questions = [p.question for p in problems]
asked = [(q, prompt_tokens(q, tokenizer)) for q in questions]
# The router's thresholds, chosen on validation problems for each budget.
tuned = {budget: found for path in snakemake.input.thresholds for budget, found in read_json(path).items()}
key = origin(snakemake.input, snakemake.params, snakemake.params.seed)


def start(budget):
    """Starts the search of one question."""
    return strategy(budget, parameters(snakemake.params.sections, tuned.get(str(budget))), spec["max_steps"])


def search(prm: str, kept: Kept) -> tuple[list[Candidate], list[Cost]]:
    """The searches of all questions at all budgets, guided by one PRM; ``kept`` has what a killed job finished."""
    scheduler = Scheduler(
        policy,
        load_scorer(prm, tokenizer, engine, questions),
        Steps(tokenizer, separator).ends,
        Limits(spec["temperature"], spec["step_tokens"], spec["max_steps"], separator),
        (size_of(snakemake.input.model), size_of(prm)),
        snakemake.params.seed,
        classifier(problems, tokenizer, Sandbox(**snakemake.params.sandbox, workers=snakemake.threads)),
        tokenizer.decode,
    )
    candidates, costs = [], []
    for budget in spec["budgets"]:
        left = [item for item in asked if item[0].id not in kept.found(budget)]
        scheduler.run(
            left,
            lambda n=budget: start(n),
            progress(f"{Path(prm).parent.name}, budget {budget}, questions"),
            lambda i, paths, ledger, n=budget, left=left: kept.add(n, left[i][0].id, paths, ledger),
        )
        results = kept.found(budget)
        for question, _ in asked:
            paths, ledger = results[question.id]
            costs.append(Cost(name, budget, question.id, **ledger.values()))
            for path in paths:
                place = ".".join(map(str, path.name))
                text = tokenizer.decode(list(path.tokens))
                told = (path.whole, path.rewards, path.spent, path.visits)
                candidates.append(Candidate(name, budget, question.id, place, text, *told))
    return candidates, costs


for prm, to_candidates, to_costs in zip(
    snakemake.input.prms, snakemake.output.candidates, snakemake.output.costs, strict=True
):
    kept = Kept(Path(snakemake.params.work) / Path(prm).parent.name, key)
    candidates, costs = search(prm, kept)
    write_records(to_candidates, candidates, Candidate)
    write_records(to_costs, costs, Cost)
# Only a finished job clears what it kept: a killed one goes on from there.
shutil.rmtree(snakemake.params.work)
