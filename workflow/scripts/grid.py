"""evaluate: the grid of pre-training checkpoints, sizes and steps of reward training, and the best share of each."""

from pathlib import Path

import numpy as np

from prm_scaling.analysis.accuracy import frame, matrix, pools_of, with_prm
from prm_scaling.analysis.estimators import weights
from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.graded import Graded
from prm_scaling.analysis.grid import Point, shares, table
from prm_scaling.analysis.step_metrics import RatedSteps
from prm_scaling.job import begin, progress, read_json
from prm_scaling.search.record import Rewards
from prm_scaling.storage import read_records, whole, write_json

begin(snakemake.log[0], snakemake.threads)

# Each recomputes a rank statistic over all steps: fewer than elsewhere.
RESAMPLES = 200

p = snakemake.params
intervals = Intervals(**p.intervals)
seed_weights = weights(len(p.seeds), RESAMPLES, intervals.seed + 1)
chosen = read_json(snakemake.input.aggregation)["chosen"]
graded = {Path(path).stem: read_records(path, Graded) for path in snakemake.input.graded}
pools = pools_of(graded[p.pool])
known = {g.chain: g for g in graded[p.validation] if g.on_track}
problems = sorted({g.problem for g in known.values()})
described = {Path(path).parent.name: read_json(path) for path in snakemake.input.prms}
models = {Path(path).parent.name: read_json(path) for path in snakemake.input.models}


def measured(name: str, rows: list[Rewards]) -> dict[str, tuple]:
    """(value, its resamples over problems) of each metric, by the rewards of one PRM at one step."""
    right = frame(with_prm(pools, name, rows, chosen[p.whole[name]], True))
    values = matrix(right[right.n == right.n.max()])[0]
    drawn = weights(len(values), RESAMPLES, intervals.seed) / len(values)
    found = {"accuracy": (values.mean(), drawn @ values)}
    if problems:
        rated = [r for r in rows if r.pool == p.validation and r.chain in known and r.scored]
        steps = RatedSteps.of(rated, known, problems)
        every, drawn = np.ones((1, len(problems))), weights(len(problems), RESAMPLES, intervals.seed)
        found |= {m: (getattr(steps, m)(every)[0], getattr(steps, m)(drawn)) for m in ("auc", "loss")}
    return found


points, report = [], progress("PRMs")
for done, (base, names) in enumerate(p.prms.items(), 1):
    rewards = {
        name: read_records(path, Rewards)
        for name in names
        for path in snakemake.input.scores
        if Path(path).stem == name
    }
    size, _, pretrained = base.partition("@")
    last = described[names[0]]
    for step in sorted({r.step for r in rewards[names[0]]}):
        seeds = [measured(name, [r for r in rows if r.step == step]) for name, rows in rewards.items()]
        for metric in seeds[0]:
            points.append(
                Point(
                    size,
                    last["parameters"],
                    int(pretrained or p.steps[size]),
                    step,
                    models[base]["pretraining_flops"],
                    last["training_flops"] * step / last["step"],
                    metric,
                    np.array([found[metric][0] for found in seeds]),
                    np.array([found[metric][1] for found in seeds]),
                )
            )
    report(done, len(p.prms))
best, found = shares(points, seed_weights, intervals)
for output, rows in ((snakemake.output.table, table(points, seed_weights, intervals)), (snakemake.output.shares, best)):
    with whole(output) as temporary:
        rows.to_csv(temporary, index=False, float_format="%.6g")
write_json(snakemake.output.effects, {f"share_{metric}": vars(interval) for metric, interval in found.items()})
