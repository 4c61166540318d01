"""Scoring of chains: chains a second by the project's scorer, against a plain padded forward pass.

    PYTHONPATH=src OMP_NUM_THREADS=1 python benchmarks/scoring.py

Chains of mixed length, as many solutions a problem as `--samples` says, in the order of problems. The plain way pads
`--rows` of them, as they come, with an attention mask. Both give the same rewards (checked); they take turns. With one
solution a problem there is no prefix to share, so what is left is the padding. Seconds are the processor's.
"""

import argparse
import statistics
import time

import torch
from common import model, record
from lengths import Mixed, mixed
from transformers import PreTrainedModel, Qwen2ForTokenClassification

from prm_scaling.engines.interface import Score
from prm_scaling.engines.transformers import TransformersScorer

TOLERANCE = 1e-3


@torch.no_grad()
def padded(prm: PreTrainedModel, chains: list[Mixed], rows: int) -> list[tuple[float, ...]]:
    """Rewards by one forward pass a batch."""
    found = []
    for start in range(0, len(chains), rows):
        batch = chains[start : start + rows]
        ids = torch.zeros((len(batch), max(len(c.tokens) for c in batch)), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, chain in enumerate(batch):
            ids[i, : len(chain.tokens)] = torch.tensor(chain.tokens)
            mask[i, : len(chain.tokens)] = 1
        chances = prm(input_ids=ids, attention_mask=mask, use_cache=False).logits[..., 0].float().sigmoid()
        found += [tuple(chances[i, list(c.ends)].tolist()) for i, c in enumerate(batch)]
    return found


def measured(size: str, chains: list[Mixed], samples: int, rows: int, repeats: int) -> dict:
    """A row: chains a second of both, and their ratio."""
    prm = model(size, Qwen2ForTokenClassification)
    asked = [Score(c.tokens, c.ends, tree=c.problem) for c in chains]
    seconds: dict[str, list[float]] = {"scorer": [], "padded": []}
    for _ in range(repeats):
        began = time.process_time()
        # A new one each time, which has kept nothing.
        scores = [s.rewards for s in TransformersScorer(prm, 1024).score(asked)]
        between = time.process_time()
        plain = padded(prm, chains, rows)
        seconds["scorer"].append(between - began)
        seconds["padded"].append(time.process_time() - between)
        furthest = max(abs(a - b) for s, p in zip(scores, plain, strict=True) for a, b in zip(s, p, strict=True))
        if furthest > TOLERANCE:
            raise AssertionError(f"{size}: rewards differ by {furthest}")
    took = {way: statistics.median(times) for way, times in seconds.items()}
    return {
        "model": size,
        "solutions a problem": samples,
        "chains": len(chains),
        "scorer chains a second": len(chains) / took["scorer"],
        "padded chains a second": len(chains) / took["padded"],
        "times faster": took["padded"] / took["scorer"],
    }


def main() -> None:
    """Measures and records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", default=["124k", "900k", "100m"])
    parser.add_argument("--chains", type=int, nargs="+", default=[256, 256, 32], help="for each size")
    parser.add_argument("--samples", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--prompt", type=int, default=48)
    parser.add_argument("--lengths", type=int, nargs=2, default=[32, 512], help="of the solutions, spread in their log")
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    found = []
    for size, count in zip(arguments.sizes, arguments.chains, strict=True):
        for samples in arguments.samples:
            chains = mixed(count // samples, samples, arguments.prompt, *arguments.lengths, step=16)
            found.append(measured(size, chains, samples, arguments.rows, arguments.repeats))
    record("scoring", vars(arguments), found)


if __name__ == "__main__":
    main()
