"""search: the router's thresholds, chosen on validation problems at the cost of sampling the budget."""

from prm_scaling.job import begin, engine_of, progress

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.analysis.graded import grade_candidates
from prm_scaling.analysis.routing import trial, tune
from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.load import load_policy
from prm_scaling.prm.scorer import load_scorer
from prm_scaling.problems.record import Problem
from prm_scaling.search.path import Path as Solution
from prm_scaling.search.record import Candidate
from prm_scaling.search.router import TREES
from prm_scaling.search.sampling import sampling
from prm_scaling.search.scheduler import Limits, Scheduler
from prm_scaling.search.settings import parameters
from prm_scaling.search.size import size_of
from prm_scaling.storage import read_records, write_json
from prm_scaling.verify.sandbox import Sandbox

torch.set_num_threads(snakemake.threads)
spec, separator = snakemake.params.search, snakemake.params.separator
engine = engine_of(snakemake.params.engine, snakemake.resources)
policy, tokenizer = load_policy(snakemake.input.model, engine)
problems = {p.id: p for path in snakemake.input.problems for p in read_records(path, Problem)}
asked = [(p.question, prompt_tokens(p.question, tokenizer)) for p in problems.values()]
scheduler = Scheduler(
    policy,
    load_scorer(snakemake.input.prm, tokenizer, engine, [q for q, _ in asked]),
    Steps(tokenizer, separator).ends,
    Limits(spec["temperature"], spec["step_tokens"], spec["max_steps"], separator),
    (size_of(snakemake.input.model), size_of(snakemake.input.prm)),
    snakemake.params.seed,
    decode=tokenizer.decode,
)
settings = parameters(snakemake.params.sections)
sandbox = Sandbox(**snakemake.params.sandbox, workers=snakemake.threads)
router, tree = settings.router, TREES[settings.router.tree]


def graded(results, budget):
    """By problem, the candidates with their verdicts; all are graded in one call, so that equal answers agree."""
    candidates = [
        Candidate("", budget, q.id, "", tokenizer.decode(list(p.tokens)), p.whole, p.rewards, p.spent, p.visits)
        for (q, _), paths in zip(asked, results, strict=True)
        for p in paths
    ]
    found = {q.id: [] for q, _ in asked}
    for each in grade_candidates(candidates, problems, sandbox, snakemake.threads):
        found[each[0].problem].append(each)
    return found


report = progress("budgets")
most = max(spec["budgets"])
sampled = [paths for paths, _ in scheduler.run(asked, lambda: sampling(most, settings, spec["max_steps"]))]
chosen = {}
for done, budget in enumerate(spec["budgets"], 1):
    left = getattr(settings, router.tree).at_most(budget - router.probe)
    samples = [paths[:budget] for paths in sampled]
    if left:
        # As the router does it: no sample has the number of the budget.
        root = Solution((budget,))
        trees = scheduler.run(asked, lambda n=left, r=root: tree(n, settings, spec["max_steps"], root=r))
    else:  # the router samples on where a tree does not fit
        trees = [(paths[router.probe :], None) for paths in samples]
    together = graded([a + b for a, (b, _) in zip(samples, trees, strict=True)], budget)
    trials = []
    for (question, _), paths, (_, ledger) in zip(asked, samples, trees, strict=True):
        verdicts, lengths = together[question.id], [len(p.tokens) for p in paths]
        cost = ledger.generated if ledger else sum(lengths[router.probe :])
        trials.append(trial(verdicts[:budget], lengths, verdicts[budget:], cost, router))
    tuned = tune(trials, sum(t.tokens["best_of_n"] for t in trials) / len(trials))
    chosen[str(budget)] = tuned.thresholds.model_dump()
    print(f"budget {budget}: {tuned}")
    report(done, len(spec["budgets"]))
write_json(snakemake.output[0], chosen)
