"""evaluate: PRMs of each domain in every domain, on the samples of several policies."""

from pathlib import Path

import pandas as pd

from prm_scaling.analysis.accuracy import Accuracy, frame, matrix
from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.graded import Graded
from prm_scaling.analysis.transfer import accuracy_in, gaps, step_auc
from prm_scaling.job import begin
from prm_scaling.search.record import Rewards
from prm_scaling.storage import read_records, whole, write_json

begin(snakemake.log[0], snakemake.threads)

p = snakemake.params
intervals = Intervals(**p.intervals)
accuracy = frame(read_records(snakemake.input.accuracy, Accuracy))
graded = {Path(path).stem: read_records(path, Graded) for path in snakemake.input.graded}
known = {pool: {g.chain: g for g in rows if g.on_track} for pool, rows in graded.items()}
rewards = {Path(path).stem: read_records(path, Rewards) for path in snakemake.input.scores}
of_seeds = {
    name: [rows for file, rows in rewards.items() if file.startswith(f"{prm}-s")] for name, prm in p.prms.items()
}
rows = []
for domain in dict.fromkeys(filter(None, p.domains.values())):
    for policy in p.policies:
        pool = f"{policy}-{domain}"
        place = {"domain": domain, "policy": policy, "parameters": p.parameters[policy], "n": p.n}
        voted = accuracy[(accuracy.method == "majority") & (accuracy.pool == pool) & (accuracy.n == p.n)]
        rows.append({"prm": "majority", **place, **intervals.of(matrix(voted))})
        for name, prm in p.prms.items():
            seeds = [[r for r in own if r.pool == pool] for own in of_seeds[name]]
            chosen = intervals.of(accuracy_in(accuracy, prm, pool, p.n))
            rows.append({"prm": name, **place, **chosen, **step_auc(seeds, known[pool], intervals)})
with whole(snakemake.output.table) as temporary:
    pd.DataFrame(rows).to_csv(temporary, index=False, float_format="%.6g")
found = gaps(accuracy, p.prms, p.domains, p.policies, p.n)
write_json(snakemake.output.effects, {f"transfer_{name}": values.tolist() for name, values in found.items()})
