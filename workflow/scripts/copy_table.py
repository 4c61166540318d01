"""evaluate, figures: a table as it is, from one phase's folder into the next one's."""

from pathlib import Path

from prm_scaling.job import begin
from prm_scaling.storage import whole

begin(snakemake.log[0], snakemake.threads)

with whole(snakemake.output[0]) as temporary:
    temporary.write_bytes(Path(snakemake.input.table).read_bytes())
