"""evaluate: laws of a PRM's size and training, and where its abilities jump."""

from pathlib import Path

import numpy as np
import pandas as pd

from prm_scaling.analysis import scaling
from prm_scaling.analysis.accuracy import Accuracy, frame, matrix
from prm_scaling.analysis.estimators import detectable, weights
from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.graded import Graded
from prm_scaling.analysis.step_metrics import RatedSteps
from prm_scaling.job import begin, read_json
from prm_scaling.search.record import Rewards
from prm_scaling.storage import read_records, whole, write_json

begin(snakemake.log[0], snakemake.threads)

p = snakemake.params
intervals = Intervals(**p.intervals)
accuracy = frame(read_records(snakemake.input.accuracy, Accuracy))
accuracy = accuracy[accuracy.pool == p.pool]
passed = accuracy[accuracy.method == "pass"].groupby("n")["value"].mean()
accuracy = accuracy[accuracy.method == "best_of_n"]
graded = {(g.pool, g.chain): g for path in snakemake.input.graded for g in read_records(path, Graded) if g.on_track}
described = {Path(path).parent.name: read_json(path) for path in snakemake.input.prms}
seed_weights = weights(len(p.seeds), scaling.RESAMPLES, intervals.seed + 1)


def accuracy_curve(x, tables):
    """Best-of-n accuracy over x, from one table of accuracies a point; pass@n is the most that it can reach."""
    values = np.stack([matrix(table) for table in tables])
    drawn = weights(values.shape[2], scaling.RESAMPLES, intervals.seed)
    resampled = np.einsum("ksp,rp->ksr", values, drawn / values.shape[2])
    return scaling.Curve.over_seeds(x, values.mean(axis=2), resampled, seed_weights, passed[tables[0].n.iloc[0]])


def step_curves(x, rewards, pool):
    """AUC and loss over x, from the rewards of each point and seed; none where the truth of steps is not known."""
    chains = {chain: g for (name, chain), g in graded.items() if name == pool}
    if not chains:
        return {}
    problems = sorted({g.problem for g in chains.values()})
    every = np.ones((1, len(problems)))
    drawn = weights(len(problems), scaling.RESAMPLES, intervals.seed)
    found = {"auc": ([], []), "loss": ([], [])}
    for seeds in rewards:
        rated = [
            RatedSteps.of([r for r in rows if r.pool == pool and r.chain in chains and r.scored], chains, problems)
            for rows in seeds
        ]
        for metric, (points, resampled) in found.items():
            sign = -1.0 if metric == "loss" else 1.0
            points.append([sign * getattr(steps, metric)(every)[0] for steps in rated])
            resampled.append([sign * getattr(steps, metric)(drawn) for steps in rated])
    tops = {"auc": 1.0, "loss": 0.0}
    return {
        metric: scaling.Curve.over_seeds(x, np.array(points), np.array(resampled), seed_weights, tops[metric])
        for metric, (points, resampled) in found.items()
    }


of_size = {size: [f"{p.training}-{size}-s{seed}" for seed in p.seeds] for size in p.sizes}
rewards = {Path(path).stem: read_records(path, Rewards) for path in snakemake.input.scores}
sizes = [described[names[0]]["parameters"] for names in of_size.values()]
size_flops = dict(zip(sizes, (described[names[0]]["training_flops"] for names in of_size.values()), strict=True))
last = accuracy[(accuracy.step == 0) & (accuracy.n == p.n)]
curves = {
    ("parameters", "accuracy"): accuracy_curve(sizes, [last[last.prm == f"{p.training}-{size}"] for size in p.sizes])
}
by_size = step_curves(sizes, [[rewards[name] for name in names] for names in of_size.values()], p.pool)
curves |= {("parameters", metric): curve for metric, curve in by_size.items()}

trees = frame(a for path in snakemake.input.trees for a in read_records(path, Accuracy) if a.n == p.most)
for strategy in p.guided:
    tables = [trees[(trees.method == strategy) & (trees.prm == f"{p.training}-{size}")] for size in p.sizes]
    curves["parameters", strategy] = accuracy_curve(sizes, tables)

kept = [read_records(path, Rewards) for path in snakemake.input.emergence]
steps = sorted({r.step for r in kept[0]})
main = described[of_size[p.size][0]]
step_flops = [main["training_flops"] * step / main["step"] for step in steps]
early = accuracy[accuracy.step > 0]
early = early[early.n == min(p.n, early.n.max())]
curves["training", "accuracy"] = accuracy_curve(step_flops, [early[early.step == step] for step in steps])
by_step = step_curves(
    step_flops, [[[r for r in rows if r.step == step] for rows in kept] for step in steps], p.validation
)
curves |= {("training", metric): curve for metric, curve in by_step.items()}

points, laws, jumps, effects = [], [], [], {}
for strategy in p.guided:
    # What the largest PRM gains over the smallest in a tree search, less what it gains in best-of-n of as many samples.
    at_most = accuracy[(accuracy.step == 0) & (accuracy.n == p.most)]
    ends = [(trees[trees.method == strategy], 1.0), (at_most, -1.0)]
    effects[f"guided_{strategy}"] = sum(
        sign
        * (
            matrix(rows[rows.prm == f"{p.training}-{p.sizes[-1]}"])
            - matrix(rows[rows.prm == f"{p.training}-{p.sizes[0]}"])
        )
        for rows, sign in ends
    ).tolist()
for (axis, metric), curve in curves.items():
    # A loss is drawn as it is, and fitted with its sign turned.
    sign = -1.0 if metric == "loss" else 1.0
    fitted = scaling.fit_curve(curve, p.margin, intervals.confidence)
    law = (sign * fitted.law.ceiling, sign * fitted.law.scale, fitted.law.exponent, fitted.law.unit) if fitted else ()
    for x, y in zip(curve.x, curve.intervals(intervals.confidence), strict=True):
        flops = size_flops[x] if axis == "parameters" else x
        low, high = sorted((sign * y.low, sign * y.high))
        points.append((axis, metric, x, flops, sign * y.value, low, high, *(law or (np.nan,) * 4)))
    if fitted:
        ceiling = sorted((sign * fitted.ceiling.low, sign * fitted.ceiling.high))
        least = detectable(fitted.left.low, fitted.left.high, intervals.confidence)
        rest = [end for part in (fitted.exponent, fitted.beyond, fitted.left) for end in vars(part).values()]
        laws.append((axis, metric, len(curve.x), law[0], *ceiling, *rest, least, fitted.misfit, fitted.failed))
        effects[f"{axis}_{metric}_left"] = vars(fitted.left)
    if axis == "training" and (found := scaling.jump(curve, intervals.confidence)):
        before, after = (round(x / main["training_flops"] * main["step"]) for x in (found.before, found.after))
        least = detectable(found.excess.low, found.excess.high, intervals.confidence)
        jumps.append((metric, before, after, *vars(found.share).values(), *vars(found.excess).values(), least))
        effects[f"{metric}_jump"] = vars(found.excess)

LAW = ["ceiling", "scale", "exponent", "unit"]
BOUNDS = [f"{name}{end}" for name in ("ceiling", "exponent", "beyond", "left") for end in ("", "_low", "_high")]
tables = {
    "scaling": (points, ["axis", "metric", "x", "training_flops", "value", "low", "high", *LAW]),
    "laws": (laws, ["axis", "metric", "points", *BOUNDS, "detectable", "misfit", "failed"]),
    "jumps": (
        jumps,
        ["metric", "before", "after", "share", "low", "high", "excess", "excess_low", "excess_high", "detectable"],
    ),
}
for name, (rows, columns) in tables.items():
    with whole(snakemake.output[name]) as temporary:
        pd.DataFrame(rows, columns=columns).to_csv(temporary, index=False, float_format="%.6g")
write_json(snakemake.output.effects, effects)
