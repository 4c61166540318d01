"""problems: one set made by the embedded generator or by reasoning-gym, without those that a held-out set has too."""

from prm_scaling.job import begin
from prm_scaling.problems.account import Account
from prm_scaling.problems.duplicates import HeldOut
from prm_scaling.problems.record import Problem
from prm_scaling.problems.tasks import SOURCE, tasks
from prm_scaling.problems.world.domain import Surface
from prm_scaling.problems.world.generate import generate
from prm_scaling.storage import read_records, write_json, write_records

begin(snakemake.log[0], snakemake.threads)

name, spec = snakemake.wildcards.set, snakemake.params.set
if spec["source"] == SOURCE:
    task = spec["task"]
    problems = tasks(
        name,
        spec["domain"],
        spec["split"],
        task["name"],
        task["options"],
        task["instruction"],
        spec["count"],
        snakemake.params.seed,
    )
else:
    surface = snakemake.params.surfaces[spec["surface"]]
    problems = generate(
        name,
        spec["domain"],
        spec["split"],
        Surface(spec["surface"], surface["verbs"], tuple(surface["frames"]), surface["distractors"]),
        tuple(spec["steps"]),
        spec["count"],
        snakemake.params.modulus,
        snakemake.params.seed,
    )
# Templates make near duplicates by design, and splits share no derivation: only exact ones count here.
held_out = HeldOut()
for path in snakemake.input.held_out:
    for other in read_records(path, Problem):
        held_out.add(other.dataset, other.id, other.text)
account = Account(name, spec["split"], spec["source"], records=len(problems))
kept = []
for problem in problems:
    match = held_out.match(problem.text)
    if match is None:
        kept.append(problem)
    else:
        account.removed(match)
account.problems = len(kept)
write_records(snakemake.output.problems, kept, Problem)
write_json(snakemake.output.account, account.as_json())
print(account)
