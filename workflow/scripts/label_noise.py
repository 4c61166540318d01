"""evaluate: how wrong each annotator and each filter is, against the truth."""

from pathlib import Path

import pandas as pd

from prm_scaling.analysis.label_noise import filters, monotonicity_failures, noise_table, wrongness
from prm_scaling.annotate.record import Annotation
from prm_scaling.job import begin
from prm_scaling.storage import read_records, whole, write_json

begin(snakemake.log[0], snakemake.threads)

paths = {(Path(path).parent.name, Path(path).stem): path for path in snakemake.input.annotations}
options = snakemake.params.intervals
tables, effects = [], {"noise_reduction": [], "monotonicity_failures": {}}
for domain, chain_set in snakemake.params.domains.items():
    exact = read_records(paths[chain_set, snakemake.params.truth[chain_set]], Annotation)
    truth = {a.chain: a.first_error for a in exact}
    named = {n: read_records(paths[chain_set, n], Annotation) for n in snakemake.params.agreeing}
    kept = filters(named)
    tables.append(noise_table(domain, kept, truth, options["resamples"], options["confidence"], options["seed"]))
    effects["monotonicity_failures"][domain] = monotonicity_failures([a.labels for a in exact])
    # One model alone: the mean noise of the judges, resampled by problem with that of the consensus.
    chains_of: dict[str, dict[str, list[float]]] = {}
    for name, annotations in kept.items():
        for annotation, wrong in zip(annotations, wrongness(annotations, truth), strict=True):
            chains_of.setdefault(annotation.chain.rsplit("/", 1)[0], {}).setdefault(name, []).append(float(wrong))
    judges = snakemake.params.agreeing[1:]
    effects["noise_reduction"].append(
        {
            "domain": domain,
            # Sums and counts a problem, so that a ratio can be resampled over problems.
            "single": [
                [sum(sum(found.get(j, [])) for j in judges), sum(len(found.get(j, [])) for j in judges)]
                for found in chains_of.values()
            ],
            "consensus": [
                [sum(found.get("consensus", [])), len(found.get("consensus", []))] for found in chains_of.values()
            ],
        }
    )
with whole(snakemake.output.noise) as temporary:
    pd.concat(tables).to_csv(temporary, index=False, float_format="%.6g")
write_json(snakemake.output.effects, effects)
