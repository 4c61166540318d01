"""evaluate: step AUC and first-error F1 of every PRM, and both along the training of those with checkpoints."""

from pathlib import Path

import numpy as np
import pandas as pd

from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.graded import Graded
from prm_scaling.job import begin, read_json
from prm_scaling.prm.metrics import log_loss, predicted_first_error, process_f1, step_auc, tuned_threshold
from prm_scaling.search.record import Rewards
from prm_scaling.storage import read_records, whole

begin(snakemake.log[0], snakemake.threads)

# Each recomputes a rank statistic over all steps: fewer than elsewhere.
RESAMPLES = 100

intervals = Intervals(**snakemake.params.intervals)
graded = {g.pool: {} for path in snakemake.input.graded for g in read_records(path, Graded)[:1]}
for path in snakemake.input.graded:
    for g in read_records(path, Graded):
        if g.first_error is not None and g.on_track:
            graded[g.pool][g.chain] = g


def rated(rewards, pool, step=None):
    """(rewards, truth of the steps, first errors, problems) of the chains of a pool."""
    rows = [r for r in rewards if r.pool == pool and r.chain in graded[pool] and step in (None, r.step) and r.scored]
    known = [graded[pool][r.chain] for r in rows]
    return (
        [r.rewards for r in rows],
        [g.on_track for g in known],
        [g.first_error for g in known],
        [g.problem for g in known],
    )


def interval(seeds, metric):
    """The mean over seeds of a metric, with an interval over resampled problems and seeds.

    ``seeds`` holds (values, truth, problems) a seed.
    """
    rng = np.random.default_rng(intervals.seed)
    groups = []
    for _, _, problems in seeds:
        names, owners = np.unique(problems, return_inverse=True)
        groups.append([np.flatnonzero(owners == i) for i in range(len(names))])
    found = []
    for _ in range(RESAMPLES):
        drawn = []
        for s in rng.integers(len(seeds), size=len(seeds)):
            values, truth, _ = seeds[s]
            chosen = np.concatenate([groups[s][i] for i in rng.integers(len(groups[s]), size=len(groups[s]))])
            drawn.append(metric([values[i] for i in chosen], [truth[i] for i in chosen]))
        found.append(np.mean(drawn))
    tail = (1 - intervals.confidence) / 2
    low, high = np.nanquantile(found, [tail, 1 - tail])
    return float(np.mean([metric(values, truth) for values, truth, _ in seeds])), low, high


steps_of: dict = {}
errors_of: dict = {}
held_out: dict = {}
for path in snakemake.input.scores:
    name = Path(path).stem
    prm, pool = name.rsplit("-s", 1)[0], snakemake.params.pools[name]
    rewards = read_records(path, Rewards)
    validation = rated(rewards, snakemake.params.validation[pool.rsplit("-", 1)[1]])
    # The threshold is tuned on the validation split, never on what is reported.
    threshold = tuned_threshold(validation[0], validation[2])
    values, truth, errors, problems = rated(rewards, pool)
    predicted = [predicted_first_error(r, threshold) for r in values]
    steps_of.setdefault(prm, []).append((values, truth, problems))
    errors_of.setdefault(prm, []).append((predicted, errors, problems))
    held_out.setdefault(prm, []).append(step_auc(validation[0], validation[1]))
rows = []
for prm in steps_of:
    training, size = prm.split("-", 1)
    name = next(Path(path).stem for path in snakemake.input.scores if Path(path).stem.startswith(f"{prm}-s"))
    parameters = read_json(next(p for p in snakemake.input.prms if Path(p).parent.name == name))["parameters"]
    domain = snakemake.params.pools[name].rsplit("-", 1)[1]
    measured = (*interval(steps_of[prm], step_auc), *interval(errors_of[prm], process_f1))
    rows.append((training, size, parameters, domain, *measured, np.mean(held_out[prm])))
columns = ["prm", "model", "parameters", "domain", "auc", "low", "high", "f1", "f1_low", "f1_high", "validation_auc"]
with whole(snakemake.output.verifier) as temporary:
    pd.DataFrame(rows, columns=columns).to_csv(temporary, index=False, float_format="%.6g")

rows = []
for path in snakemake.input.emergence:
    rewards = read_records(path, Rewards)
    pool = next(r.pool for r in rewards if r.pool in snakemake.params.validation.values())
    for step in sorted({r.step for r in rewards}):
        values, truth, _, _ = rated(rewards, pool, step)
        seed = Path(path).stem.rsplit("-s", 1)[1]
        rows.append((step, seed, "auc", step_auc(values, truth)))
        rows.append((step, seed, "loss", log_loss(values, truth)))
with whole(snakemake.output.emergence) as temporary:
    pd.DataFrame(rows, columns=["step", "seed", "metric", "value"]).to_csv(temporary, index=False, float_format="%.6g")
