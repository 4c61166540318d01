"""evaluate: the papers' claims, each with its effect here, its interval and its verdict."""

import pandas as pd

from prm_scaling.analysis import claims as measured
from prm_scaling.analysis.accuracy import Accuracy, frame
from prm_scaling.analysis.study_claims import study_claims
from prm_scaling.job import begin, read_json
from prm_scaling.storage import read_records, whole

begin(snakemake.log[0], snakemake.threads)

p = snakemake.params
effects = {key: value for path in snakemake.input.effects for key, value in read_json(path).items()}
accuracy = frame(read_records(snakemake.input.accuracy, Accuracy))
evidence = measured.Evidence(accuracy, p.pool, p.sizes, p.training, p.size, p.n, p.margin)
costs = pd.read_csv(snakemake.input.figure5)
seconds = costs.groupby(["strategy", "budget"], as_index=False)["seconds"].mean()
prms = (f"{p.table1['math_prm']}-{p.size}", f"{p.table1['code_prm']}-{p.size}")
found = [
    *measured.size_claims(evidence),
    *measured.emergence_claim(evidence),
    *measured.data_claims(evidence, p.others),
    *measured.strategy_claims(evidence, p.budgets),
    *measured.time_claim(evidence, seconds),
    *measured.transfer_claim(evidence, p.generators, *prms, p.n, p.margin),
    *measured.response_claims(effects),
    *measured.noise_claims(effects["noise_reduction"], **p.intervals),
    *study_claims(effects, p.domains, p.annotators, p.n, max(p.budgets), p.margin),
]
with whole(snakemake.output[0]) as temporary:
    measured.measure(found, **p.intervals).to_csv(temporary, index=False, float_format="%.6g")
