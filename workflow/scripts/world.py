"""evaluate: is the world calibrated: sampled, majority, best-of-n and pass accuracy by domain and policy."""

import pandas as pd

from prm_scaling.analysis.accuracy import Accuracy, frame, matrix
from prm_scaling.analysis.estimators import bootstrap
from prm_scaling.analysis.graded import Graded
from prm_scaling.job import begin
from prm_scaling.storage import read_records, whole

begin(snakemake.log[0], snakemake.threads)

options = snakemake.params.intervals
table = frame(read_records(snakemake.input.accuracy, Accuracy))
rows = []
for path in snakemake.input.graded:
    graded = read_records(path, Graded)
    pool = graded[0].pool
    # The mode in which programs ran, as recorded beside their verdicts; empty where answers are no programs.
    sandbox = ", ".join(sorted({g.sandbox for g in graded if g.sandbox}))
    own = table[(table.pool == pool) & (table.step == 0)]
    n = min(snakemake.params.n, own[own.method == "pass"].n.max())
    measures = {
        "sampled": own[(own.method == "pass") & (own.n == 1)],
        f"majority@{n}": own[(own.method == "majority") & (own.n == n)],
        f"pass@{n}": own[(own.method == "pass") & (own.n == n)],
    }
    if (prm := snakemake.params.prms.get(pool)) is not None:
        measures[f"best-of-{n} by {prm}"] = own[(own.method == "best_of_n") & (own.prm == prm) & (own.n == n)]
    for measure, chosen in measures.items():
        interval = bootstrap(matrix(chosen), options["resamples"], options["confidence"], options["seed"])
        rows.append((pool, measure, chosen.problem.nunique(), interval.value, interval.low, interval.high, sandbox))
    shares = {
        "unfinished": [not g.finished for g in graded],
        "no answer": [g.answer is None for g in graded],
        "right answer, wrong process": [g.right and g.first_error not in (None, -1) for g in graded],
    }
    for measure, values in shares.items():
        by_problem = pd.Series(values, dtype=float).groupby([g.problem for g in graded]).mean().to_numpy()
        interval = bootstrap(by_problem, options["resamples"], options["confidence"], options["seed"])
        rows.append((pool, measure, len(by_problem), interval.value, interval.low, interval.high, sandbox))
with whole(snakemake.output[0]) as temporary:
    columns = ["pool", "measure", "problems", "value", "low", "high", "sandbox"]
    pd.DataFrame(rows, columns=columns).to_csv(temporary, index=False, float_format="%.6g")
