"""figures: one figure, from the table behind it, which is kept beside it."""

from pathlib import Path

import pandas as pd

from prm_scaling.job import begin
from prm_scaling.plots import FIGURES, style
from prm_scaling.storage import whole

begin(snakemake.log[0], snakemake.threads)

table = Path(snakemake.input.table)
style.save(FIGURES[snakemake.wildcards.figure](pd.read_csv(table)), Path(snakemake.output.svg).with_suffix(""))
with whole(snakemake.output.csv) as temporary:
    temporary.write_bytes(table.read_bytes())
