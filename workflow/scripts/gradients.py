"""evaluate: how alike PRM-selected and other responses are in the gradient metric (Table 2)."""

from pathlib import Path

import numpy as np
import pandas as pd

from prm_scaling.job import begin, read_json

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.analysis.estimators import percentiles, weights
from prm_scaling.analysis.gradients import contrast, permutation_test, similarities
from prm_scaling.chains.record import Chain
from prm_scaling.models.ladder import load_language_model
from prm_scaling.models.source import source_of
from prm_scaling.search.choose import aggregate
from prm_scaling.search.record import Rewards
from prm_scaling.seeds import stream
from prm_scaling.storage import read_records, whole, write_json

PERMUTATIONS = 2000

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
matrix = similarities(model, responses["math_prm"] + responses["math"], responses["code_prm"] + responses["code"])
maths, codes = (size // 2 for size in matrix.shape)
drawn = [weights(size, options["resamples"], options["seed"] + i) for i, size in enumerate((maths, codes))]
# Both sides are resampled: a response is in as many pairs as the other side has problems.
blocks = {
    "math_prm-code_prm": matrix[:maths, :codes],
    "math_prm-code": matrix[:maths, codes:],
    "math-code_prm": matrix[maths:, :codes],
    "math-code": matrix[maths:, codes:],
}
table = []
for name, block in blocks.items():
    again = np.einsum("rp,pq,rq->r", drawn[0], block, drawn[1], optimize=True) / block.size
    interval = percentiles(block.mean(), again, options["confidence"])
    sides = ["math_prm" in name, "code_prm" in name]
    # What is not exchanged stands on both sides of the comparison as the unselected responses.
    both = np.vstack([matrix[:maths] if sides[0] else matrix[maths:], matrix[maths:]])
    both = np.hstack([both[:, :codes] if sides[1] else both[:, codes:], both[:, codes:]])
    p_value = permutation_test(both, PERMUTATIONS, options["seed"], *sides) if any(sides) else np.nan
    table.append((name, interval.value, interval.low, interval.high, p_value))
with whole(snakemake.output.table) as temporary:
    columns = ["pair", "similarity", "low", "high", "p_value"]
    pd.DataFrame(table, columns=columns).to_csv(temporary, index=False, float_format="%.6g")
found = contrast(matrix, np.ones((1, maths)), np.ones((1, codes)))[0]
effect = percentiles(found, contrast(matrix, *drawn), options["confidence"])
write_json(snakemake.output.effects, {"similarity": vars(effect)})
