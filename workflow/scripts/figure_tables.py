"""evaluate: the tables behind figures 1-5 and Table 1."""

from pathlib import Path

import pandas as pd

from prm_scaling.analysis.accuracy import Accuracy, frame
from prm_scaling.analysis.costs import pool_costs, tree_costs
from prm_scaling.analysis.figures import Intervals, figure1, figure2, figure3, figure4, table1
from prm_scaling.analysis.graded import Graded
from prm_scaling.job import begin, read_json
from prm_scaling.search.record import Cost, ScoringCost
from prm_scaling.storage import read_records, whole

begin(snakemake.log[0], snakemake.threads)

p = snakemake.params
intervals = Intervals(**p.intervals)
everything = frame(read_records(snakemake.input.accuracy, Accuracy))
table = everything[everything.pool == p.pool]
final, checkpoints = table[table.step == 0], table[table.step > 0]
described = {Path(path).parent.name: read_json(path) for path in snakemake.input.prms}
sizes = {s: next(d["parameters"] for n, d in described.items() if n.startswith(f"{p.training}-{s}-s")) for s in p.sizes}
main = f"{p.training}-{p.size}"

dataset_of = {g.problem: g.dataset for g in read_records(snakemake.input.graded, Graded)}
pool = pool_costs(
    read_records(snakemake.input.pool_costs, Cost),
    [c for path in snakemake.input.scoring_costs for c in read_records(path, ScoringCost) if c.pool == p.pool],
    dataset_of,
    p.budgets,
)
trees = tree_costs([c for path in snakemake.input.tree_costs for c in read_records(path, Cost)], dataset_of)
strategies = final[
    final.n.isin(p.budgets)
    & ((final.method == "majority") | ((final.prm == main) & ~final.method.isin(["pass", "majority"])))
]
by_cost = figure4(strategies, pd.concat([pool, trees]), intervals)
tables = {
    "figure1": figure1(final, sizes, p.training, p.n, intervals),
    "figure2": figure2(
        checkpoints, pd.read_csv(snakemake.input.emergence), min(p.n, p.emergence_n), p.batch, intervals
    ),
    "figure3": figure3(final, p.prms, intervals),
    "figure4": by_cost.drop(columns="seconds"),
    "figure5": by_cost.drop(columns="tokens"),
    "table1": table1(
        everything[everything.step == 0],
        p.generators,
        {"prm_math": f"{p.table1['math_prm']}-{p.size}", "prm_code": f"{p.table1['code_prm']}-{p.size}"},
        p.n,
        intervals,
    ),
}
for name, rows in tables.items():
    with whole(snakemake.output[name]) as temporary:
        rows.to_csv(temporary, index=False, float_format="%.6g")
