"""Runs in an environment that has vLLM: what its engines answer to the requests in a JSON file, as JSON."""

import json
import os
import sys
from pathlib import Path

os.environ.update(VLLM_LOGGING_LEVEL="ERROR", OMP_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")


def main() -> None:
    """Reads the file that is named on the command line, writes ``answers.json`` beside it."""
    from transformers import AutoTokenizer

    from prm_scaling.engines.interface import Extend, Sampling, Score
    from prm_scaling.engines.vllm import VllmPolicy, VllmScorer

    path = Path(sys.argv[1])
    task = json.loads(path.read_text())
    tokenizer = AutoTokenizer.from_pretrained(task["policy"])
    prefixes = [tuple(p) for p in task["prefixes"]]

    def ask(requests) -> list:
        return [(e.tokens, e.finish, e.computed, e.reused) for e in policy.extend(requests)]

    asked = [Score(p, tuple(range(len(p)))) for p in prefixes]
    scorers = {head: VllmScorer(task[head], task["engine"]) for head in ("prm", "pair")}
    scores = {head: [s.rewards for s in scorer.score(asked)] for head, scorer in scorers.items()}
    policy = VllmPolicy(task["policy"], "", tokenizer, task["engine"])
    sampled = Sampling(1.0, 1.0, 24, tuple(task["stop"]))
    drawn = [Extend(p, sampled, 7 * i + j, str(i)) for i, p in enumerate(prefixes) for j in range(4)]
    long = tuple([7] * (task["engine"]["context"] + 1))
    answers = {
        "context": [policy.context, scorers["prm"].context],
        "scores": scores,
        "greedy": ask([Extend(p, Sampling(0.0, 1.0, 24), 0) for p in prefixes]),
        "together": ask(drawn),
        "backwards": ask(drawn[::-1])[::-1],
        "alone": [ask([r])[0] for r in drawn],
        "reused": ask([Extend(prefixes[-1] * 8, sampled, 1, "tree")] * 2),
        "again": ask([Extend(prefixes[-1] * 8, sampled, 1, "tree")]),
        "other": ask([Extend(prefixes[-1] * 8, sampled, 1, "other tree")]),
        "refused": ask([Extend(long, sampled, 1), Extend(long[:-3], sampled, 1)]),
    }
    path.with_name("answers.json").write_text(json.dumps(answers))


if __name__ == "__main__":
    main()
