"""evaluate: verdicts, answer classes and step truth of the chains of a pool."""

from pathlib import Path

from prm_scaling.job import begin

begin(snakemake.log[0], snakemake.threads)

from prm_scaling.analysis.graded import Graded, grade_chains
from prm_scaling.chains.record import Chain
from prm_scaling.chains.steps import Steps
from prm_scaling.models.source import source_of
from prm_scaling.models.tokenizer import load_tokenizer
from prm_scaling.problems.record import Problem
from prm_scaling.storage import read_records, write_records
from prm_scaling.verify.sandbox import Sandbox

steps = Steps(load_tokenizer(*source_of(snakemake.input.tokenizer)), **snakemake.params.steps)
problems = {p.id: p for path in snakemake.input.problems for p in read_records(path, Problem)}
chains = read_records(snakemake.input.chains, Chain)
graded = grade_chains(
    Path(snakemake.input.chains).stem,
    chains,
    problems,
    steps,
    Sandbox(**snakemake.params.sandbox, workers=snakemake.threads),
    snakemake.threads,
)
write_records(snakemake.output[0], graded, Graded)
right, silent = sum(g.right for g in graded), sum(g.answer is None for g in graded)
print(f"{right} of {len(graded)} right, {silent} without an answer")
