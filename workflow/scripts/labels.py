"""evaluate: soft against hard labels at each threshold, before and after filtering by consensus."""

import numpy as np
import pandas as pd

from prm_scaling.analysis.accuracy import Accuracy, frame, matrix
from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.labels import effects
from prm_scaling.job import begin
from prm_scaling.storage import read_records, whole, write_json

begin(snakemake.log[0], snakemake.threads)

p = snakemake.params
intervals = Intervals(**p.intervals)
accuracy = frame(read_records(snakemake.input.accuracy, Accuracy))
accuracy = accuracy[(accuracy.method == "best_of_n") & (accuracy.step == 0) & (accuracy.n == p.n)]
accuracy = accuracy[accuracy.pool == p.pool]
verifier = pd.read_csv(snakemake.input.verifier).set_index("prm")
values, rows = {}, []
for name, told in p.sets.items():
    values[name] = matrix(accuracy[accuracy.prm == f"{name}-{told['size']}"])
    found = intervals.of(values[name])
    steps = verifier[verifier.model == told["size"]].loc[name]
    told = {"training": name, **told, "threshold": np.nan if told["threshold"] is None else told["threshold"]}
    rows.append({**told, "metric": "best_of_n", "value": found["accuracy"], "low": found["low"], "high": found["high"]})
    rows.append({**told, "metric": "f1", "value": steps.f1, "low": steps.f1_low, "high": steps.f1_high})
    rows.append({**told, "metric": "auc", "value": steps.auc, "low": steps.low, "high": steps.high})
columns = ["training", "size", "labels", "threshold", "filtered", "metric", "value", "low", "high"]
with whole(snakemake.output.table) as temporary:
    pd.DataFrame(rows, columns=columns).to_csv(temporary, index=False, float_format="%.6g")
write_json(snakemake.output.effects, {k: v.tolist() for k, v in effects(p.sets, values).items()})
