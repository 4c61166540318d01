"""evaluate: response level against step level, and how the majority vote converges."""

from pathlib import Path

import numpy as np
import pandas as pd

from prm_scaling.analysis.accuracy import Accuracy, frame, matrix, pools_of
from prm_scaling.analysis.convergence import BUDGETS, convergence, convergence_table
from prm_scaling.analysis.estimators import bootstrap
from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.graded import Graded
from prm_scaling.analysis.levels import by_aggregation, lowest_last, process_gap, stacked, wrong_process
from prm_scaling.job import begin
from prm_scaling.problems.record import Problem
from prm_scaling.search.record import Rewards
from prm_scaling.storage import read_records, whole, write_json

begin(snakemake.log[0], snakemake.threads)

p = snakemake.params
intervals = Intervals(**p.intervals)
difficulty = {q.id: q.difficulty for path in snakemake.input.problems for q in read_records(path, Problem)}
graded = {Path(path).stem: read_records(path, Graded) for path in snakemake.input.graded}
pools = {name: pools_of(rows) for name, rows in graded.items()}
chains = {name: {g.chain: g for g in rows} for name, rows in graded.items()}
effects: dict = {}

parts = []
for domain, name in p.domains.items():
    parts.append(wrong_process(domain, graded[name], difficulty, intervals))
    effects[f"process_{domain}"] = vars(process_gap(graded[name], difficulty, intervals))
process = pd.concat(parts)

votes = {domain: convergence(pools[name], intervals.seed) for domain, name in p.domains.items()}
converging = pd.concat([convergence_table(domain, found, intervals) for domain, found in votes.items()])
for domain, found in votes.items():
    at = BUDGETS.index(max(n for n in BUDGETS if n <= p.most))
    effects[f"bound_{domain}"] = (found.bound[at] - found.error[at]).tolist()

# Per PRM, (seeds, problems): the share of chains whose lowest step is the last, and accuracy by aggregation.
last: dict = {}
chosen: dict = {}
for path in snakemake.input.scores:
    prm, pool = Path(path).stem.rsplit("-s", 1)[0], p.pools[Path(path).stem]
    rewards = [r for r in read_records(path, Rewards) if r.pool == pool]
    last.setdefault(prm, []).append(lowest_last(rewards, chains[pool]))
    if prm in p.kinds:
        for how, values in by_aggregation(pools[pool], rewards, p.n).items():
            chosen.setdefault(prm, {}).setdefault(how, []).append(values)
aggregations = pd.DataFrame(
    [
        {"prm": p.kinds[prm], "aggregation": how, **intervals.of(np.array(values))}
        for prm, found in chosen.items()
        for how, values in found.items()
    ]
)
for prm, found in chosen.items():
    effects[f"last_{p.kinds[prm]}"] = (np.array(found["last"]) - np.array(found["product"])).tolist()

accuracy = frame(read_records(snakemake.input.accuracy, Accuracy))
accuracy = accuracy[(accuracy.method == "best_of_n") & (accuracy.step == 0) & (accuracy.n == p.n)]
levels = pd.read_csv(snakemake.input.verifier)[["prm", "model", "parameters", "domain", "f1", "f1_low", "f1_high"]]
LAST = ["lowest_last", "lowest_last_low", "lowest_last_high"]
rows = []
for prm, model, domain in levels[["prm", "model", "domain"]].itertuples(index=False):
    name = f"{prm}-{model}"
    own = accuracy[(accuracy.prm == name) & (accuracy.pool == p.domains[domain])]
    lowest = bootstrap(stacked(last[name]), intervals.resamples, intervals.confidence, intervals.seed)
    rows.append({**intervals.of(matrix(own)), **dict(zip(LAST, vars(lowest).values(), strict=True))})
levels = levels.join(pd.DataFrame(rows))
for name, table in {
    "process": process,
    "convergence": converging,
    "aggregations": aggregations,
    "levels": levels,
}.items():
    with whole(snakemake.output[name]) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
write_json(snakemake.output.effects, effects)
