"""annotate: the shards of one annotator as one file, in the order of the chains."""

from prm_scaling.job import begin

begin(snakemake.log[0], snakemake.threads)

from prm_scaling.annotate.record import Annotation
from prm_scaling.annotate.shards import in_order
from prm_scaling.annotate.votes import Vote
from prm_scaling.chains.record import Chain
from prm_scaling.storage import read_records, record_writer, stream_records, write_records

kind = {"annotations": Annotation, "seeded": Annotation, "chains": Chain, "votes": Vote}[snakemake.params.kind]
if snakemake.params.kind == "annotations":
    made = [a for path in snakemake.input.shards for a in read_records(path, Annotation)]
    ids = (chain.id for chain in stream_records(snakemake.input.chains, Chain))
    write_records(snakemake.output[0], in_order(made, ids), Annotation)
else:
    with record_writer(snakemake.output[0], kind) as write:
        for path in snakemake.input.shards:
            for record in stream_records(path, kind):
                write(record)
