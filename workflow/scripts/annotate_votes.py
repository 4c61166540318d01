"""annotate: several critiques of each chain by a judge, each kept as a vote."""

import shutil

from prm_scaling.job import begin, engine_of, origin, progress

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.annotate import critic, judge
from prm_scaling.annotate.formats import VERDICTS, read_prompt
from prm_scaling.annotate.shards import by_problem, part, problems_a_slice
from prm_scaling.annotate.votes import Vote
from prm_scaling.chains.record import Chain
from prm_scaling.chains.slices import in_slices
from prm_scaling.chains.steps import Steps
from prm_scaling.engines.interface import Sampling
from prm_scaling.engines.load import load_policy
from prm_scaling.models.source import source_of
from prm_scaling.models.tokenizer import load_tokenizer
from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.truth import is_correction
from prm_scaling.seeds import seed_of
from prm_scaling.storage import read_records, write_records

torch.set_num_threads(snakemake.threads)
spec, separator = snakemake.params.judge, snakemake.params.steps["separator"]
model, tokenizer = load_policy(snakemake.input.model, engine_of(snakemake.params.engine, snakemake.resources))
problems = {p.id: p for path in snakemake.input.problems for p in read_records(path, Problem)}
steps = Steps(load_tokenizer(*source_of(snakemake.input.tokenizer)), **snakemake.params.steps)
sampling = Sampling(spec["temperature"], 1.0, spec["tokens"])
seed = seed_of(snakemake.params.seed, "judge", snakemake.wildcards.judge) % 2**31


def votes_on(groups):
    """The votes on the chains of these problems."""
    chains, report = [chain for group in groups for chain in group], progress("critiques")
    if spec["prompt"] == VERDICTS:
        takes_back = lambda chain, step: is_correction(chain.domain, step)  # noqa: E731
        asked = (chains, model, tokenizer, steps, takes_back, separator)
        return judge.votes(judge.critiques(*asked, spec["votes"], spec["temperature"], seed, report))
    prompt = read_prompt(snakemake.input.prompt[0])
    texts = [(chain, steps.of_chain(chain)) for chain in chains]
    return critic.ask(texts, problems, model, tokenizer, prompt, spec["votes"], sampling, seed, report)


groups = part(by_problem(read_records(snakemake.input.chains, Chain)), snakemake.wildcards.get("shard", "1-of-1"))
votes = in_slices(
    groups,
    votes_on,
    Vote,
    snakemake.params.work,
    origin(snakemake.input, snakemake.params, seed),
    problems_a_slice(groups),
)
write_records(snakemake.output[0], votes, Vote)
print(f"{sum(v.outcome == 'verdict' for v in votes)} of {len(votes)} critiques gave a verdict")
# Only a finished job clears what it kept: a killed one goes on from there.
shutil.rmtree(snakemake.params.work)
