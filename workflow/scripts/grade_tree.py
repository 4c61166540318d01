"""evaluate: the accuracy, per problem and budget, of the answer that a search chooses, with the PRM of each seed."""

from prm_scaling.job import begin, read_json

begin(snakemake.log[0], snakemake.threads)

from prm_scaling.analysis.accuracy import Accuracy
from prm_scaling.analysis.graded import grade_candidates
from prm_scaling.analysis.trees import anytime, correctness
from prm_scaling.problems.record import Problem
from prm_scaling.search.record import Candidate
from prm_scaling.storage import read_records, write_records
from prm_scaling.verify.sandbox import Sandbox

strategy, pool = snakemake.wildcards.strategy, snakemake.params.pool
# Where an answer is asked for while the search of the greatest budget goes on: tokens of a question.
MOMENTS = [2**k for k in range(4, 13)]
sandbox = Sandbox(**snakemake.params.sandbox, workers=snakemake.threads)
problems = {p.id: p for path in snakemake.input.problems for p in read_records(path, Problem)}
chosen = read_json(snakemake.input.aggregation)["chosen"]
outputs = zip(snakemake.output.accuracy, snakemake.output.anytime, strict=True)
for name, path, output in zip(snakemake.params.prms, snakemake.input.candidates, outputs, strict=True):
    found: dict = {}
    for graded in grade_candidates(read_records(path, Candidate), problems, sandbox, snakemake.threads):
        found.setdefault((graded[0].budget, graded[0].problem), []).append(graded)
    prm, seed = name.rsplit("-s", 1)
    rows = []
    for budget in snakemake.params.budgets:
        for problem in problems.values():
            # A search that finished no path has no answer: it is wrong, and counted in the log.
            value = correctness(found.get((budget, problem.id), []), snakemake.params.answer, chosen[name])
            rows.append(Accuracy(strategy, prm, int(seed), 0, pool, problem.dataset, problem.id, budget, value))
    write_records(output[0], rows, Accuracy)
    print(f"{name}: {len(rows) - len(found)} of {len(rows)} searches finished no path")
    rows = []
    for problem in problems.values():
        graded = found.get((max(snakemake.params.budgets), problem.id), [])
        values = anytime(graded, snakemake.params.answer, chosen[name], MOMENTS)
        for tokens, value in zip(MOMENTS, values, strict=True):
            rows.append(Accuracy(strategy, prm, int(seed), 0, pool, problem.dataset, problem.id, tokens, value))
    write_records(output[1], rows, Accuracy)
