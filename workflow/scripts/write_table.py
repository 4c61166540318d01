"""figures: one table as CSV and as Markdown, with the paper's own numbers where it gives any."""

from pathlib import Path

import pandas as pd

from prm_scaling.job import begin
from prm_scaling.plots import tables
from prm_scaling.storage import whole

begin(snakemake.log[0], snakemake.threads)

table = Path(snakemake.input.table)
text = getattr(tables, snakemake.wildcards.table)(pd.read_csv(table))
with whole(snakemake.output.csv) as temporary:
    temporary.write_bytes(table.read_bytes())
with whole(snakemake.output.md) as temporary:
    temporary.write_text(text)
