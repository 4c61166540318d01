"""evaluate: the headline numbers, as DVC's metrics."""

import pandas as pd

from prm_scaling.analysis.headline import headline
from prm_scaling.job import begin
from prm_scaling.storage import write_json

begin(snakemake.log[0], snakemake.threads)

tables = {name: pd.read_csv(path) for name, path in snakemake.input.items() if name in snakemake.params.tables}
write_json(snakemake.output[0], headline(**tables, policy=snakemake.params.policy))
