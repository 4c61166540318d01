"""evaluate: time and memory of every job until here, from the records that they left beside their logs."""

from pathlib import Path

from prm_scaling.analysis.times import read_times, table
from prm_scaling.job import begin
from prm_scaling.storage import whole

begin(snakemake.log[0], snakemake.threads)

times = [time for time in read_times(Path(snakemake.params.records)) if time.phase in snakemake.params.phases]
if not times:
    raise SystemExit(f"{snakemake.params.records}: no job left a record of its time here; run what is to be timed")
with whole(snakemake.output[0]) as temporary:
    table(times).to_csv(temporary, index=False, float_format="%.6g")
