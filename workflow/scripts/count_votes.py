"""annotate: what a judge's votes on each chain say together."""

from prm_scaling.job import begin

begin(snakemake.log[0], snakemake.threads)

from prm_scaling.annotate.record import Annotation
from prm_scaling.annotate.votes import Vote, counted
from prm_scaling.chains.record import Chain
from prm_scaling.storage import read_records, stream_records, write_json, write_records

steps = {chain.id: len(chain.ends) for chain in stream_records(snakemake.input.chains, Chain)}
annotations, tally = counted(steps, snakemake.wildcards.judge, read_records(snakemake.input.votes, Vote))
write_records(snakemake.output.labels, annotations, Annotation)
write_json(snakemake.output.tally, tally)
print(", ".join(f"{name}: {count}" for name, count in tally.items()))
