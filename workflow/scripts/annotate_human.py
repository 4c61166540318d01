"""annotate: human labels; in the embedded world the generator's truth."""

from prm_scaling.job import begin

begin(snakemake.log[0], snakemake.threads)

from prm_scaling.annotate.human import annotate
from prm_scaling.annotate.record import Annotation
from prm_scaling.chains.record import Chain
from prm_scaling.chains.steps import Steps
from prm_scaling.models.source import source_of
from prm_scaling.models.tokenizer import load_tokenizer
from prm_scaling.problems.record import Problem
from prm_scaling.storage import read_records, write_records

steps = Steps(load_tokenizer(*source_of(snakemake.input.tokenizer)), **snakemake.params.steps)
problems = {p.id: p for path in snakemake.input.problems for p in read_records(path, Problem)}
annotations = annotate(read_records(snakemake.input.chains, Chain), problems, steps)
write_records(snakemake.output[0], annotations, Annotation)
