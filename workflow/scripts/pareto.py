"""evaluate: accuracy over FLOPs for policies of several sizes, and which points are on the Pareto front."""

from prm_scaling.analysis.accuracy import Accuracy, frame
from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.pareto import pareto, policy_of_pool
from prm_scaling.job import begin, read_json
from prm_scaling.search.record import Cost, ScoringCost
from prm_scaling.storage import read_records, whole

begin(snakemake.log[0], snakemake.threads)

p = snakemake.params
scoring = [c for path in snakemake.input.scoring_costs for c in read_records(path, ScoringCost)]
policies = [
    policy_of_pool(name, read_json(model)["parameters"], pool, read_records(costs, Cost), scoring)
    for name, pool, model, costs in zip(
        p.policies, p.pools, snakemake.input.models, snakemake.input.pool_costs, strict=True
    )
]
table = frame(read_records(snakemake.input.accuracy, Accuracy))
with whole(snakemake.output[0]) as temporary:
    pareto(table, policies, p.prm, Intervals(**p.intervals)).to_csv(temporary, index=False, float_format="%.6g")
