"""evaluate: how wrong each annotator and each filter is, against the truth, and where binary search may err."""

from pathlib import Path

import pandas as pd

from prm_scaling.analysis import monotonicity
from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.label_noise import at_equal_retention, by_steps, counts, filters, noise_table
from prm_scaling.annotate.record import Annotation
from prm_scaling.job import begin
from prm_scaling.storage import read_records, whole, write_json

begin(snakemake.log[0], snakemake.threads)

paths = {(Path(path).parent.name, Path(path).stem): path for path in snakemake.input.annotations}
intervals = Intervals(**snakemake.params.intervals)
judges = snakemake.params.agreeing[1:]
tables: dict = {"noise": [], "noise_by_steps": [], "consensus": [], "monotonicity": []}
reductions, effects = [], {}
for domain, chain_set in snakemake.params.domains.items():
    exact = read_records(paths[chain_set, snakemake.params.truth[chain_set]], Annotation)
    truth = {a.chain: a.first_error for a in exact}
    steps = {a.chain: len(a.labels) for a in exact}
    named = {n: read_records(paths[chain_set, n], Annotation) for n in snakemake.params.agreeing}
    kept = filters(named)
    compared, cut = at_equal_retention(domain, named, kept, truth, steps, intervals)
    shown = {**kept, "dawid_skene": cut["consensus"]}
    tables["noise"].append(noise_table(domain, shown, truth, intervals))
    few = {name: rows for name, rows in shown.items() if name not in judges[1:]}
    tables["noise_by_steps"].append(by_steps(domain, few, truth, steps, intervals))
    tables["consensus"].append(compared)
    tables["monotonicity"].append(monotonicity.table(domain, exact, named["monte_carlo"], intervals))
    gap = compared.set_index("filter").loc["consensus"]
    effects[f"dawid_skene_{domain}"] = {"value": gap.difference, "low": gap.low, "high": gap.high}
    missed = tables["monotonicity"][-1].set_index("measure").loc[monotonicity.MISSED]
    effects[f"monotone_{domain}"] = {"value": missed.share, "low": missed.low, "high": missed.high}
    # One model alone: the mean noise of the judges, as sums and counts a problem, so that a ratio can be resampled.
    single = sum(counts(kept[judge], truth) for judge in judges)
    agreed = counts(kept["consensus"], truth)
    reductions.append({"domain": domain, "single": single.tolist(), "consensus": agreed.tolist()})
for name, parts in tables.items():
    with whole(snakemake.output[name]) as temporary:
        pd.concat(parts).to_csv(temporary, index=False, float_format="%.6g")
write_json(snakemake.output.effects, {"noise_reduction": reductions, **effects})
