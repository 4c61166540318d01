"""evaluate: the aggregation of step rewards, of each PRM, that chooses best among validation chains."""

from pathlib import Path

from prm_scaling.job import begin

begin(snakemake.log[0], snakemake.threads)

from prm_scaling.analysis.aggregation import Sampled, choose_aggregation
from prm_scaling.analysis.graded import Graded
from prm_scaling.search.record import Rewards
from prm_scaling.storage import read_records, write_json

p = snakemake.params
verdicts = {Path(path).stem: read_records(path, Graded) for path in snakemake.input.graded}
chosen, accuracy = {}, {}
for path in snakemake.input.scores:
    name = Path(path).stem
    held_out = p.validation.get(name, "")
    rewards = {r.chain: r.rewards for r in read_records(path, Rewards) if r.pool == held_out}
    by_problem: dict = {}
    for g in verdicts.get(held_out, []):
        by_problem.setdefault(g.problem, []).append(g)
    problems = [
        Sampled(
            tuple(g.right for g in rows),
            tuple(g.answer is not None for g in rows),
            tuple(rewards[g.chain] for g in rows),
        )
        for rows in by_problem.values()
    ]
    if problems:
        found = choose_aggregation(problems, p.n)
        accuracy[name] = found.accuracy
    if p.aggregation == "validation" and not problems:
        raise ValueError(f"search.aggregation `validation`: {name} has no scored validation chains; name one instead")
    chosen[name] = found.chosen if p.aggregation == "validation" else p.aggregation
write_json(snakemake.output[0], {"chosen": chosen, "accuracy": accuracy})
