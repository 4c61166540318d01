"""chains: the solutions of a public data set whose steps are rated there."""

from prm_scaling.job import begin

begin(snakemake.log[0], snakemake.threads)

from prm_scaling.chains.rated import rated_chains
from prm_scaling.chains.record import Chain
from prm_scaling.models.source import source_of
from prm_scaling.models.tokenizer import load_tokenizer
from prm_scaling.problems.labelled import LabelledSolution
from prm_scaling.problems.record import Problem
from prm_scaling.storage import record_writer, stream_records

tokenizer = load_tokenizer(*source_of(snakemake.input.tokenizer))
questions = {p.id: p.question for path in snakemake.input.problems for p in stream_records(path, Problem)}
solutions = (s for path in snakemake.input.solutions for s in stream_records(path, LabelledSolution))
count = 0
with record_writer(snakemake.output[0], Chain) as write:
    for chain in rated_chains(solutions, questions, tokenizer, snakemake.params.separator):
        write(chain)
        count += 1
print(f"{count} chains of {len(questions)} problems")
