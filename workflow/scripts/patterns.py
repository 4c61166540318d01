"""evaluate: self-corrections in all, PRM-selected and right chains, and the case study of figure 6."""

import numpy as np
import pandas as pd

from prm_scaling.analysis.figures import Intervals
from prm_scaling.analysis.graded import Graded
from prm_scaling.analysis.patterns import (
    cases,
    correction_preference,
    correctness_effect,
    pattern_table,
    rewards_by_kind,
    selection_effect,
)
from prm_scaling.chains.record import Chain
from prm_scaling.job import begin, read_json
from prm_scaling.search.choose import aggregate
from prm_scaling.search.record import Rewards
from prm_scaling.storage import read_records, whole, write_json

begin(snakemake.log[0], snakemake.threads)

p = snakemake.params
intervals = Intervals(**p.intervals)
graded: dict = {}
for path in snakemake.input.graded:
    for g in read_records(path, Graded):
        graded.setdefault(g.pool, []).append(g)
chosen = read_json(snakemake.input.aggregation)["chosen"]
tables, effects = [], {}
for domain, prm in p.prms.items():
    pool = f"{p.policy}-{domain}"
    path = next(path for path in snakemake.input.scores if path.endswith(f"/{prm}.parquet"))
    rewards = {r.chain: r.rewards for r in read_records(path, Rewards) if r.pool == pool and r.scored}
    chains = [g for g in graded[pool] if g.finished and rewards.get(g.chain)]
    values = [rewards[g.chain] for g in chains]
    scores = np.array([aggregate(v, chosen[prm]) for v in values])
    tables.append(pattern_table(chains, scores, p.n, intervals).assign(domain=domain))
    if domain == p.main:
        effects = {
            "selection": selection_effect(chains, scores, p.n).tolist(),
            "correctness": correctness_effect(chains).tolist(),
            "preference": correction_preference(chains, values).tolist(),
        }
        text_of = {c.id: c.text for c in read_records(snakemake.input.chains, Chain)}
        rows = []
        for number, index in enumerate(cases(chains, 4), 1):
            g = chains[index]
            lines = text_of[g.chain].split(p.separator)
            for step, (text, reward, right, corrects) in enumerate(
                zip(lines, values[index], g.on_track, g.corrections, strict=False), 1
            ):
                rows.append((f"{number}: {g.problem}", step, text, reward, right, corrects, "", np.nan, np.nan))
        for row in rewards_by_kind(chains, values, intervals).to_dict("records"):
            rows.append(("mean", "", "", row["reward"], "", "", row["group"], row["low"], row["high"]))
        columns = ["case", "step", "text", "reward", "on_track", "correction", "group", "low", "high"]
        with whole(snakemake.output.figure6) as temporary:
            pd.DataFrame(rows, columns=columns).to_csv(temporary, index=False, float_format="%.6g")
with whole(snakemake.output.patterns) as temporary:
    pd.concat(tables)[["domain", "group", "rate", "low", "high"]].to_csv(temporary, index=False, float_format="%.6g")
write_json(snakemake.output.effects, effects)
