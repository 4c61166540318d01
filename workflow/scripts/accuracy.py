"""evaluate: the accuracy of every way to choose an answer, per problem."""

from pathlib import Path

from prm_scaling.analysis.accuracy import Accuracy, pools_of, with_prm, without_prm
from prm_scaling.analysis.graded import Graded
from prm_scaling.job import begin, progress, read_json
from prm_scaling.search.record import Rewards
from prm_scaling.storage import read_records, write_records

begin(snakemake.log[0], snakemake.threads)

pools = pools_of([g for path in snakemake.input.graded for g in read_records(path, Graded)])
rows = [a for path in snakemake.input.trees for a in read_records(path, Accuracy)]
rows += without_prm(pools)
scored = [(path, False) for path in snakemake.input.scores] + [(path, True) for path in snakemake.input.emergence]
chosen = read_json(snakemake.input.aggregation)["chosen"]
report = progress("PRMs")
for done, (path, checkpoints) in enumerate(scored, 1):
    rewards = read_records(path, Rewards)
    rows += with_prm(pools, Path(path).stem, rewards, chosen[Path(path).stem], checkpoints)
    report(done, len(scored))
write_records(snakemake.output[0], rows, Accuracy)
