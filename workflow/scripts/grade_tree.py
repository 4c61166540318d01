"""evaluate: the accuracy, per problem and budget, of a tree search's best finished path."""

import numpy as np

from prm_scaling.job import begin

begin(snakemake.log[0], snakemake.threads)

from prm_scaling.analysis.accuracy import Accuracy
from prm_scaling.analysis.estimators import best_of
from prm_scaling.analysis.graded import grade_candidates
from prm_scaling.problems.record import Problem
from prm_scaling.search.choose import aggregate
from prm_scaling.search.record import Candidate
from prm_scaling.storage import read_records, write_records
from prm_scaling.verify.sandbox import Sandbox

problems = {p.id: p for path in snakemake.input.problems for p in read_records(path, Problem)}
found: dict = {}
candidates = read_records(snakemake.input.candidates, Candidate)
sandbox = Sandbox(**snakemake.params.sandbox, workers=snakemake.threads)
for candidate, right, answer in grade_candidates(candidates, problems, sandbox, snakemake.threads):
    score = aggregate(candidate.rewards, snakemake.params.aggregation) if answer is not None else -np.inf
    found.setdefault((candidate.budget, candidate.problem), []).append((right, score))
prm, seed = snakemake.wildcards.prm.rsplit("-s", 1)
rows = []
for budget in snakemake.params.budgets:
    for problem in problems.values():
        # A search that finished no path has no answer: it is wrong, and counted in the log.
        right, scores = zip(*found.get((budget, problem.id), [(False, 0.0)]), strict=True)
        value = best_of(np.array(right), np.array(scores), len(right))
        strategy, pool = snakemake.wildcards.strategy, snakemake.params.pool
        rows.append(Accuracy(strategy, prm, int(seed), 0, pool, problem.dataset, problem.id, budget, value))
write_records(snakemake.output[0], rows, Accuracy)
print(f"{len(rows) - len(found)} of {len(rows)} searches finished no path")
