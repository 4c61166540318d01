"""What a search computes against what its tree holds, and what the scheduler itself takes.

    python benchmarks/search_waste.py                          # every tree strategy, the default scale's models
    python benchmarks/search_waste.py --size 100m --questions 4

A policy and a PRM with random weights; lengths are forced: a line break ends a step now and then, a path goes on to
the most steps that it may have. `policy` and `PRM` are tokens computed / distinct tokens of the tree (at most 1.1):
for the policy the question once and every token that was sampled, for the PRM each distinct prefix of rated paths.
`KV` is the bytes of all keys and values / what the tokens held need (at most 1.25), `own` the share of the time that
strategies and scheduler take themselves (below 0.05). Seconds are the processor's, of one thread: a search asks the
engines a few times only, so one wait for a busy processor in between would look like work of the scheduler's.
"""

import argparse
import time

import torch
from common import Letters, model, prompts, record
from transformers import Qwen2ForTokenClassification

from prm_scaling.config import load_params
from prm_scaling.engines.interface import Score
from prm_scaling.engines.transformers import TransformersPolicy, TransformersScorer
from prm_scaling.problems.record import Question
from prm_scaling.search import STRATEGIES
from prm_scaling.search.ledger import Size
from prm_scaling.search.scheduler import Limits, Scheduler
from prm_scaling.search.settings import parameters

PROMPT, SHARE = 64, 1 / 8


class Rated(TransformersScorer):
    """Notes the paths that it rates."""

    rated: list[Score]

    def score(self, requests):
        """See the engine's own."""
        self.rated += requests
        return super().score(requests)


def with_line_breaks(lm, share: float):
    """The policy, with line breaks as likely as ``share``: its head adds what makes them so."""

    def add(module, args, logits):
        others = logits[..., 1:].logsumexp(-1)
        logits[..., 0] = others + torch.log(torch.tensor(share / (1 - share)))
        return logits

    lm.lm_head.register_forward_hook(add)
    return lm


def main() -> None:
    """Measures and records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="default", choices=["default", "100m"])
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--budget", type=int, default=16)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--strategies", nargs="+", default=[n for n in STRATEGIES if n != "router"])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    small, large = ("47k", "124k") if arguments.size == "default" else ("100m", "100m")
    lm, prm = with_line_breaks(model(small), SHARE), model(large, Qwen2ForTokenClassification, 1)
    search = load_params().search
    asked = [(Question(f"q{i}", "math", ""), p) for i, p in enumerate(prompts(arguments.questions, PROMPT))]
    rows = []
    for name in arguments.strategies:
        # Fresh engines: what a search keeps is its own.
        policy, scorer = TransformersPolicy(lm, Letters(), 512, 4096), Rated(prm, 4096)
        scorer.rated = []
        sizes = tuple(_size(m) for m in (lm, prm))
        limits = Limits(1.0, 24, arguments.steps, "\n")
        scheduler = Scheduler(policy, scorer, _ends, limits, sizes, 0, clock=time.process_time)
        settings = parameters(search.sections(name))
        scheduler.run(asked[:1], lambda n=name, s=settings: STRATEGIES[n](arguments.budget, s, arguments.steps))
        scorer.rated = []
        began = time.process_time()
        results = scheduler.run(asked, lambda n=name, s=settings: STRATEGIES[n](arguments.budget, s, arguments.steps))
        seconds = time.process_time() - began
        ledgers = [ledger for _, ledger in results]
        generated, computed = (sum(getattr(x, f) for x in ledgers) for f in ("generated", "prompt_computed"))
        # A token that was drawn last is fed only if its path goes on; then it counts among the prefix's.
        fed = generated - sum(x.policy_calls for x in ledgers)
        read = sum(len(p) for _, p in asked)
        distinct = {(s.tree, s.tokens[: i + 1]) for s in scorer.rated for i in range(len(s.tokens))}
        stores = [engine.store for engine in (policy, scorer)]
        rows.append(
            {
                "strategy": name,
                "generated": generated,
                "policy": (computed + fed) / (read + generated),
                "PRM": sum(x.prm_computed for x in ledgers) / max(1, len(distinct)),
                **{
                    f"KV {which}": store.bytes / max(1, store.radix.size * store.bytes_per_token)
                    for which, store in zip(("policy", "PRM"), stores, strict=True)
                },
                "own": sum(x.scheduler_seconds for x in ledgers) / seconds,
                "seconds": seconds,
            }
        )
    record(f"search-waste-{arguments.size}", vars(arguments), rows)


def _ends(tokens: tuple[int, ...]) -> tuple[int, ...]:
    ends = [i + 1 for i, token in enumerate(tokens) if token == 0]
    return tuple(ends if ends and ends[-1] == len(tokens) else [*ends, len(tokens)]) if tokens else ()


def _size(lm) -> Size:
    embedded = sum(p.numel() for p in lm.get_input_embeddings().parameters())
    return Size(lm.num_parameters() - embedded, lm.config.num_hidden_layers, lm.config.hidden_size)


if __name__ == "__main__":
    main()
