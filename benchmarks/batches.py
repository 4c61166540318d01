"""How often the batch matters: solutions that differ when the same seeds are sampled in other company.

    python benchmarks/batches.py        # after `dvc pull`

A seed belongs to a path, so what is sampled depends on the batch only where floating point does: masks, padding and the
order of a batch move logits by about 1e-6 in fp32, and a draw flips where the path's number lies that near to a
boundary. The default scale's policy samples its test problems, all together and in smaller batches, in reverse order.
"""

import argparse

import torch
from common import record
from peers_own import test_questions

from prm_scaling.chains.steps import prompt_tokens
from prm_scaling.engines.interface import Extend, Sampling
from prm_scaling.engines.transformers import TransformersPolicy
from prm_scaling.models.ladder import load_language_model
from prm_scaling.seeds import seed_of


def main() -> None:
    """Counts and records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", default="results/models/policy")
    parser.add_argument("--problem-sets", default="results/problems", help="folder; those of split `test` are taken")
    parser.add_argument("--problems", type=int, default=128)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--rows", type=int, nargs="+", default=[512, 64, 7])
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    lm, tokenizer = load_language_model(arguments.policy, "float32", "cpu")
    sampling = Sampling(1.0, 1.0, 288)
    asked = [
        Extend(prompt_tokens(question, tokenizer), sampling, seed_of(question.id, j), question.id)
        for question in test_questions(arguments.problem_sets)[: arguments.problems]
        for j in range(arguments.samples)
    ]
    rows = []
    for dtype in arguments.dtypes:
        lm = lm.to(getattr(torch, dtype))
        whole = TransformersPolicy(lm, tokenizer, len(asked)).extend(asked)
        for size in arguments.rows:
            other = TransformersPolicy(lm, tokenizer, size).extend(asked[::-1])[::-1]
            differ = sum(a.tokens != b.tokens for a, b in zip(whole, other, strict=True))
            rows.append({"dtype": dtype, "rows": size, "solutions": len(asked), "differ": differ})
    record("batches", vars(arguments), rows)


if __name__ == "__main__":
    main()
