"""evaluate: how alike PRM-selected and other responses are in the gradient metric (Table 2)."""

from pathlib import Path

import numpy as np
import pandas as pd

from prm_scaling.job import begin, read_json

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.analysis.estimators import bootstrap
from prm_scaling.analysis.gradients import permutation_test, similarities
from prm_scaling.chains.record import Chain
from prm_scaling.models.ladder import load_language_model
from prm_scaling.models.source import source_of
from prm_scaling.search.choose import aggregate
from prm_scaling.search.record import Rewards
from prm_scaling.seeds import stream
from prm_scaling.storage import read_records, whole, write_json

torch.set_num_threads(snakemake.threads)
p = snakemake.params
options = p.intervals
chosen = read_json(snakemake.input.aggregation)["chosen"]


def groups(chains_path, scores_path, pool):
    """(selected, any) token sequences, one of each a problem: the PRM's choice, and a random sample."""
    rewards = [r for r in read_records(scores_path, Rewards) if r.pool == pool]
    scores = {r.chain: aggregate(r.rewards, chosen[Path(scores_path).stem]) for r in rewards}
    by_problem: dict = {}
    for chain in read_records(chains_path, Chain):
        if chain.finished and chain.id in scores and int(chain.id.rsplit("/", 1)[1]) < p.n:
            by_problem.setdefault(chain.problem, []).append(chain)
    problems = list(by_problem)
    if not problems:
        raise ValueError(f"{chains_path}: no chain is finished, so none can be compared; train the policy for longer")
    drawn = stream(options["seed"], "gradients", pool).permutation(len(problems))[: p.pairs]
    selected, plain = [], []
    for i in drawn:
        own = by_problem[problems[i]]
        best = max(own, key=lambda c: scores[c.id])
        other = own[int(stream(options["seed"], "gradients", problems[i]).integers(len(own)))]
        selected.append(best.prompt + best.tokens)
        plain.append(other.prompt + other.tokens)
    return selected, plain


model, _ = load_language_model(*source_of(snakemake.input.model)[:1], p.engine["dtype"], p.engine["device"])
responses = {}
for name in ("math", "code"):
    chains = snakemake.input[f"{name}_chains"]
    pool = chains.rsplit("/", 1)[1].removesuffix(".parquet")
    responses[f"{name}_prm"], responses[name] = groups(chains, snakemake.input[f"{name}_scores"], pool)
pairs = [("math_prm", "code_prm"), ("math_prm", "code"), ("math", "code_prm"), ("math", "code")]
# The mean of each left response over all right ones: the unit that is resampled and permuted.
rows = {f"{a}-{b}": similarities(model, responses[a], responses[b]).mean(axis=1) for a, b in pairs}
table = []
for name, values in rows.items():
    interval = bootstrap(values, options["resamples"], options["confidence"], options["seed"])
    p_value = np.nan if name == "math-code" else permutation_test(values, rows["math-code"], 2000, options["seed"])
    table.append((name, interval.value, interval.low, interval.high, p_value))
with whole(snakemake.output.table) as temporary:
    columns = ["pair", "similarity", "low", "high", "p_value"]
    pd.DataFrame(table, columns=columns).to_csv(temporary, index=False, float_format="%.6g")
write_json(snakemake.output.effects, {"similarity": (rows["math_prm-code_prm"] - rows["math-code"]).tolist()})
