"""evaluate: the tables behind figures 1-5 and Table 1."""

from pathlib import Path

import pandas as pd

from prm_scaling.analysis.accuracy import Accuracy, frame
from prm_scaling.analysis.costs import fault_counts, pool_costs, seconds, tree_costs
from prm_scaling.analysis.figures import Intervals, curve, figure1, figure2, figure3, figure4, table1
from prm_scaling.analysis.graded import Graded
from prm_scaling.analysis.routing import COLUMNS, at_equal_cost
from prm_scaling.job import begin, read_json
from prm_scaling.search.record import Cost, Timing
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
    sampled := read_records(snakemake.input.pool_costs, Cost),
    dataset_of,
    p.budgets,
)
searched = [c for path in snakemake.input.tree_costs for c in read_records(path, Cost)]
trees = tree_costs(searched, dataset_of)
strategies = final[
    final.n.isin(p.budgets)
    & ((final.method == "majority") | ((final.prm == main) & ~final.method.isin(["pass", "majority"])))
]
spent = pd.concat([pool, trees])
by_cost = figure4(strategies, spent, seconds(read_records(snakemake.input.times, Timing)), intervals)
later = frame([a for path in snakemake.input.anytime for a in read_records(path, Accuracy)])

# Also without a router the table has its columns.
EMPTY = pd.DataFrame(columns=["router", "dataset", *COLUMNS])
tables = {
    "figure1": figure1(final, sizes, p.training, p.n, intervals),
    "figure2": figure2(
        checkpoints, pd.read_csv(snakemake.input.emergence), min(p.n, p.emergence_n), p.batch, intervals
    ),
    "figure3": figure3(final, p.prms, intervals),
    "figure4": by_cost.drop(columns=["seconds", "seconds_low", "seconds_high"]),
    "figure5": by_cost.drop(columns="tokens"),
    "anytime": curve(later, ["method", "dataset", "n"], intervals).rename(
        columns={"method": "strategy", "n": "tokens"}
    ),
    "router": pd.concat(
        [EMPTY]
        + [
            at_equal_cost(
                strategies[strategies.dataset == dataset],
                spent[spent.dataset == dataset].rename(columns={"tokens": "cost"}),
                router,
                intervals,
            ).assign(router=router, dataset=dataset)
            for router in p.routers
            for dataset in sorted(set(strategies.dataset))
        ]
    ),
    "faults": fault_counts([*sampled, *searched]),
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
