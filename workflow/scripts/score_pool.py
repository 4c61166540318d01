"""search: the rewards that PRMs give every step of the chains that they are tried on."""

import math
import time
from pathlib import Path

from prm_scaling.job import begin, engine_of, progress, read_json

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.chains.record import Chain
from prm_scaling.engines.interface import Score
from prm_scaling.models.source import source_of
from prm_scaling.models.tokenizer import load_tokenizer
from prm_scaling.prm.model import positions
from prm_scaling.prm.scorer import load_scorer
from prm_scaling.problems.record import Problem
from prm_scaling.search.record import Rewards, ScoringCost
from prm_scaling.search.size import size_of
from prm_scaling.storage import read_records, write_records

torch.set_num_threads(snakemake.threads)
engine = engine_of(snakemake.params.engine, snakemake.resources)
tokenizer = load_tokenizer(*source_of(snakemake.input.tokenizer))
pools = {Path(path).stem: read_records(path, Chain) for path in snakemake.input.pools}
# Samples are numbered from 0 in a chain's id.
pools = {k: [c for c in v if int(c.id.rsplit("/", 1)[1]) < snakemake.params.samples] for k, v in pools.items()}
# A published PRM reads the questions' text.
questions = [p.question for path in snakemake.input.get("problems", []) for p in read_records(path, Problem)]
report, done = progress("PRMs and pools"), 0
# One file for each PRM; the checkpoints of a PRM share one.
each = len(snakemake.input.prms) // len(snakemake.output.rewards)
for place, (rewards_path, costs_path) in enumerate(zip(snakemake.output.rewards, snakemake.output.costs, strict=True)):
    rewards, costs = [], []
    for path in snakemake.input.prms[place * each : (place + 1) * each]:
        scorer, size, step = load_scorer(path, tokenizer, engine, questions), size_of(path), read_json(path)["step"]
        for pool, chains in pools.items():
            # What one pool costs does not depend on the one before.
            scorer.forget()
            began = time.perf_counter()
            asked = [Score(c.prompt + c.tokens, positions(c), len(c.prompt), c.problem) for c in chains]
            scored = scorer.score(asked)
            seconds = time.perf_counter() - began
            rewards += [Rewards(step, pool, c.id, s.rewards) for c, s in zip(chains, scored, strict=True)]
            computed, reused = sum(s.computed for s in scored), sum(s.reused for s in scored)
            flops = float(sum(size.flops(s.reused, s.reused + s.computed) for s in scored))
            unscored = sum(any(map(math.isnan, s.rewards)) for s in scored)
            costs.append(ScoringCost(step, pool, len(chains), computed, reused, flops, seconds, unscored))
            report(done := done + 1, len(pools) * len(snakemake.input.prms))
    write_records(rewards_path, rewards, Rewards)
    write_records(costs_path, costs, ScoringCost)
