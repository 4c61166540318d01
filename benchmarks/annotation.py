"""Labelled steps a second and rollouts a label of the modes of Monte Carlo, and how wrong their labels are.

    python benchmarks/annotation.py                      # the default run's chains, completer and truth
    python benchmarks/annotation.py --problems 400 --domains math

All modes label the same chains with the same completer and the same number of rollouts a probe: `full` after every
step, `binary` by binary search, `tree` with rollouts shared among a problem's chains, `tree + N` with N new chains a
problem besides. A label is a step of a chain that got a first error or none; a step of a seeded chain counts only from
where it leaves the chain that seeded it, and `probes` are prefixes whose soft value is stored. `rises` is the share of
chains with a hopeless prefix before a hopeful one, which only `full` can see: what the others assume not to happen, or
what too few rollouts from a right prefix, and a chain that takes an error back, look like. `wrong` is the share of
chains whose first error is not the true one, with its standard error over problems; `times full` the ratio of labels a
second, in the same run, of seconds of the processor.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from common import ROOT, record

from prm_scaling.analysis.label_noise import problem_of
from prm_scaling.annotate.counts import rises
from prm_scaling.annotate.monte_carlo import binary, full
from prm_scaling.annotate.record import Annotation
from prm_scaling.annotate.rollouts import Completer
from prm_scaling.annotate.tree import Priority, grown
from prm_scaling.chains.answers import extract_answer
from prm_scaling.chains.record import Chain
from prm_scaling.chains.steps import Steps
from prm_scaling.config import load_params
from prm_scaling.engines.interface import Sampling
from prm_scaling.engines.load import load_policy
from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.truth import truth_of
from prm_scaling.storage import read_records
from prm_scaling.verify.answers import grade
from prm_scaling.verify.sandbox import Sandbox


class Counting:
    """A policy that counts what it is asked."""

    def __init__(self, policy) -> None:
        self._policy, self.rollouts, self.tokens = policy, 0, 0

    def extend(self, requests):
        """See the engine's own."""
        made = self._policy.extend(requests)
        self.rollouts += len(made)
        self.tokens += sum(len(e.tokens) for e in made)
        return made


def main() -> None:
    """Measures and records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", default="results", help="of a finished default run")
    parser.add_argument("--domains", nargs="+", default=["math", "code", "logic"])
    parser.add_argument("--problems", type=int, default=120)
    parser.add_argument("--seeds", type=int, nargs="+", default=[4])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows = [row for domain in arguments.domains for row in _domain(domain, ROOT / arguments.results, arguments)]
    told = vars(arguments) | {"results": "results"}
    record("annotation", told, rows)


def _domain(domain: str, results: Path, arguments: argparse.Namespace) -> list[dict]:
    params = load_params(ROOT)
    engine, annotate = params.engine.model_dump(), params.annotate
    policy, tokenizer = load_policy(results / "models" / annotate.completer.model / "model.json", engine)
    sets = params.chains.sets[domain]
    problems = {p.id: p for s in sets for p in read_records(results / "problems" / f"{s}.parquet", Problem)}
    chains = read_records(results / "chains" / f"{domain}.parquet", Chain)
    chosen = set(list(dict.fromkeys(c.problem for c in chains))[: arguments.problems])
    chains = [c for c in chains if c.problem in chosen]
    steps = Steps(tokenizer, params.chains.separator, params.chains.segmentation[domain])
    sandbox = Sandbox(**params.sandbox.model_dump(), workers=1)

    def graded(asked) -> list[bool]:
        owners = [problems[chain.problem] for chain, _, _ in asked]
        texts = [tokenizer.decode(list(tokens)) for _, tokens, _ in asked]
        said = [extract_answer(p.question, t, done) for p, t, (_, _, done) in zip(owners, texts, asked, strict=True)]
        return grade(owners, said, sandbox, 1)

    def cut(tokens):
        return steps.ends(tokens), tokenizer.decode(list(tokens))

    def tree(seeds: int):
        priority = Priority(**annotate.tree.model_dump(exclude={"seeds"}))
        return lambda some, completer: grown(some, completer, priority, seeds, cut)

    modes = {"full": full, "binary": binary, "tree": tree(0)} | {f"tree + {n}": tree(n) for n in arguments.seeds}
    sampling = Sampling(annotate.completer.temperature, 1.0, params.chains.max_tokens)
    rows: list[dict] = []
    # The first run only warms up.
    for name, mode in [("binary", modes["binary"]), *modes.items()]:
        policy.forget()
        counting = Counting(policy)
        completer = Completer(counting, graded, annotate.rollouts, annotate.threshold, sampling, 0)
        began = time.process_time()
        made = mode(chains, completer)
        seconds = time.process_time() - began
        found = [one if isinstance(one, Annotation) else one.annotation(completer) for one in made]
        everything = chains if isinstance(made[0], Annotation) else [one.chain for one in made]
        row = {"domain": domain, "mode": name} | _row(everything, found, problems, steps, counting, seconds)
        rows.append(row)
    base = rows[1]
    return [row | {"times full": row["labels / s"] / base["labels / s"]} for row in rows[1:]]


def _row(
    chains: Sequence[Chain],
    found: Sequence[Annotation],
    problems: dict[str, Problem],
    steps: Steps,
    counting: Counting,
    seconds: float,
) -> dict:
    """What one mode took, and how wrong it is."""
    # A seeded chain's first probe is of the state that it comes from, whose steps are its parent's.
    seeded = [a.chain.rsplit("/", 1)[1].count(".") > 0 for a in found]
    own = [a.probed[0] + 1 if new else 0 for a, new in zip(found, seeded, strict=True)]
    labels = sum(len(a.labels) - first for a, first in zip(found, own, strict=True))
    wrong: dict[str, list[bool]] = {}
    for chain, a in zip(chains, found, strict=True):
        if a.first_error is not None:
            true = truth_of(problems[chain.problem], steps.of_chain(chain)).first_error
            wrong.setdefault(problem_of(a.chain), []).append(a.first_error != true)
    shares = np.array([(sum(some), len(some)) for some in wrong.values()], dtype=float)
    noise = shares[:, 0].sum() / shares[:, 1].sum()
    residual = shares[:, 0] - noise * shares[:, 1]
    return {
        "chains": len(found),
        "labels": labels,
        "rollouts": counting.rollouts,
        "rollouts / label": counting.rollouts / labels,
        "rollouts / chain": counting.rollouts / len(found),
        "probes": sum(len(a.probed) for a in found),
        "rises": float(np.mean([bool(rises(a, 0.0)) for a in found if a.first_error is not None])),
        "wrong": noise,
        "+-": float(np.sqrt((residual**2).sum()) / shares[:, 1].sum()),
        "seconds": seconds,
        "labels / s": labels / seconds,
    }


if __name__ == "__main__":
    main()
