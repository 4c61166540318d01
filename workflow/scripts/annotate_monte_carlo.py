"""annotate: the first error of each chain by rollouts: binary search, after every step, or OmegaPRM's tree."""

import shutil

from prm_scaling.job import begin, engine_of, origin, progress

begin(snakemake.log[0], snakemake.threads)

import torch

from prm_scaling.annotate.monte_carlo import binary, full
from prm_scaling.annotate.record import Annotation
from prm_scaling.annotate.rollouts import Completer
from prm_scaling.annotate.shards import by_problem, in_order, part, problems_a_slice
from prm_scaling.annotate.tree import Located, Priority, grown
from prm_scaling.chains.answers import extract_answer
from prm_scaling.chains.record import Chain
from prm_scaling.chains.slices import in_slices
from prm_scaling.chains.steps import Steps
from prm_scaling.engines.interface import Sampling
from prm_scaling.engines.load import load_policy
from prm_scaling.problems.record import Problem
from prm_scaling.seeds import seed_of
from prm_scaling.storage import read_records, write_records
from prm_scaling.verify.answers import grade
from prm_scaling.verify.sandbox import Sandbox

torch.set_num_threads(snakemake.threads)
spec = snakemake.params.annotate
policy, tokenizer = load_policy(snakemake.input.model, engine_of(snakemake.params.engine, snakemake.resources))
problems = {p.id: p for path in snakemake.input.problems for p in read_records(path, Problem)}
sandbox = Sandbox(**snakemake.params.sandbox, workers=snakemake.threads)


def graded(asked):
    """The grader of all phases, on token sequences."""
    owners = [problems[chain.problem] for chain, _, _ in asked]
    texts = [tokenizer.decode(list(tokens)) for _, tokens, _ in asked]
    answers = [extract_answer(p.question, t, done) for p, t, (_, _, done) in zip(owners, texts, asked, strict=True)]
    return grade(owners, answers, sandbox, snakemake.threads)


def cut(tokens):
    """The ends of a solution's steps, and its text."""
    return steps.ends(tokens), tokenizer.decode(list(tokens))


def located(groups):
    """What is found of the chains of these problems."""
    some = [chain for group in groups for chain in group]
    if mode != "tree":
        return {"binary": binary, "full": full}[mode](some, completer, progress("chains located"))
    tree = dict(spec["tree"])
    seeds = tree.pop("seeds")
    return grown(some, completer, Priority(**tree), seeds, cut, progress("problems done"))


mode, seed = spec["mode"], seed_of(snakemake.params.seed, "monte_carlo") % 2**31
sampling = Sampling(spec["completer"]["temperature"], 1.0, snakemake.params.max_tokens)
completer = Completer(policy, graded, spec["rollouts"], spec["threshold"], sampling, seed)
steps = Steps(tokenizer, **snakemake.params.steps)
chains = read_records(snakemake.input.chains, Chain)
groups = part(by_problem(chains), snakemake.wildcards.get("shard", "1-of-1"))
made = in_slices(
    groups,
    located,
    Located if mode == "tree" else Annotation,
    snakemake.params.work,
    origin(snakemake.input, snakemake.params, seed),
    problems_a_slice(groups),
)
if mode == "tree":
    seeded = [one for one in made if not one.given]
    write_records(snakemake.output.seeded, [one.annotation(completer) for one in seeded], Annotation)
    write_records(snakemake.output.seeded_chains, [one.chain for one in seeded], Chain)
    print(f"{len(seeded)} chains seeded by rollouts")
    made = [one.annotation(completer) for one in made if one.given]
mine = {chain.id for group in groups for chain in group}
annotations = in_order(made, [chain.id for chain in chains if chain.id in mine])
write_records(snakemake.output[0], annotations, Annotation)
probes = sum(len(a.probed) for a in annotations)
print(f"{probes} probes of {len(annotations)} chains, with {spec['rollouts']} rollouts each")
# Only a finished job clears what it kept: a killed one goes on from there.
shutil.rmtree(snakemake.params.work)
