"""annotate: the labels that a public data set brings with its solutions."""

from prm_scaling.job import begin

begin(snakemake.log[0], snakemake.threads)

from prm_scaling.annotate.ratings import annotate
from prm_scaling.annotate.record import Annotation
from prm_scaling.problems.labelled import LabelledSolution
from prm_scaling.storage import record_writer, stream_records

solutions = (s for path in snakemake.input.solutions for s in stream_records(path, LabelledSolution))
with record_writer(snakemake.output[0], Annotation) as write:
    for annotation in annotate(solutions, snakemake.params.neutral_right):
        write(annotation)
