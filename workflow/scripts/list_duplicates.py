"""problems: the table of what was read, put aside and removed as a duplicate of a held-out problem, a set a row."""

import csv

from prm_scaling.job import begin, read_json
from prm_scaling.problems.account import COLUMNS, table
from prm_scaling.storage import whole

begin(snakemake.log[0], snakemake.threads)

with whole(snakemake.output[0]) as temporary, temporary.open("w", newline="") as file:
    csv.writer(file, lineterminator="\n").writerows([COLUMNS, *table(map(read_json, snakemake.input.accounts))])
