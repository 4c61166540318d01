"""problems: one set read from a public data set, without those that a held-out set has too."""

import json

from prm_scaling.job import begin

begin(snakemake.log[0], snakemake.threads)

from prm_scaling.problems.datasets.read import read_set
from prm_scaling.problems.datasets.settings import ProblemSet
from prm_scaling.problems.duplicates import HeldOut, Near
from prm_scaling.problems.record import Problem
from prm_scaling.storage import stream_records, write_json

held_out = HeldOut(Near(**snakemake.params.near))
for path in snakemake.input.held_out:
    for other in stream_records(path, Problem):
        held_out.add(other.dataset, other.id, other.text)
account = read_set(
    snakemake.wildcards.set,
    ProblemSet.model_validate_json(json.dumps(snakemake.params.set)),
    held_out,
    snakemake.params.malformed,
    snakemake.output.problems,
    snakemake.output.quarantine,
    snakemake.output.get("solutions"),
    progress=print,
)
write_json(snakemake.output.account, account.as_json())
print(account)
