"""Raw decoding: the engine on transformers against ``generate``, an earlier engine, and vLLM's CPU build.

    python benchmarks/decoding.py                      # the default scale's policy, batches of 1, 16, 64, 256
    python benchmarks/decoding.py --size 100m --batches 1 16
    python benchmarks/decoding.py --against HEAD~20    # and the engine of another commit
    python benchmarks/decoding.py --size 900k --vllm-python "$(python tools/vllm_environment.py)"

vLLM's CPU build refuses heads of 12 and 16, those of the default scale's models: it is compared at 900k and 100m.

Every contender decodes the same prompts, greedily, to the same forced length, and they take turns; what counts are
ratios within one run, of the least seconds of several calls. Seconds are the processor's: with one thread they are
those of the wall on a quiet machine, and what else runs there lengthens them little. ``pool`` is the search's sampling:
32 samples a question at temperature 1.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import torch
from common import SHAPES, Letters, earlier, model, prompts, record

from prm_scaling.engines.interface import Extend, Sampling
from prm_scaling.engines.transformers import TransformersPolicy
from prm_scaling.seeds import seed_of

PROMPT, NEW = 64, 32


def greedy(engine, interface, asked) -> Callable[[], None]:
    """One call of an engine, with nothing kept from the call before."""
    sampling = interface["Sampling"](0.0, 1.0, NEW)
    requests = [interface["Extend"](p, sampling, i) for i, p in enumerate(asked)]

    def call() -> None:
        engine.forget()
        extensions = engine.extend(requests)
        assert all(len(e.tokens) == NEW for e in extensions)

    return call


def generate(lm, asked) -> Callable[[], None]:
    """``transformers.generate`` on the same prompts."""
    ids = torch.tensor(asked)
    mask = torch.ones_like(ids)

    def call() -> None:
        with torch.inference_mode():
            made = lm.generate(
                ids, attention_mask=mask, max_new_tokens=NEW, min_new_tokens=NEW, do_sample=False, pad_token_id=1
            )
        assert made.shape[1] == PROMPT + NEW

    return call


def pool(engine, interface, questions: int) -> Callable[[], None]:
    """Samples as the search phase draws them."""
    sampling = interface["Sampling"](1.0, 1.0, NEW)
    extend = interface["Extend"]
    requests = [
        extend(p, sampling, seed_of(0, i, j), str(i))
        for i, p in enumerate(prompts(questions, PROMPT, 1))
        for j in range(32)
    ]

    def call() -> None:
        engine.forget()
        engine.extend(requests)

    return call


def seconds(contenders: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Least processor seconds of a call; the contenders take turns, after one turn that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(repeats + 1):
        for name, call in contenders.items():
            began = time.process_time()
            call()
            if turn:
                taken[name].append(time.process_time() - began)
    return {name: min(values) for name, values in taken.items()}


def of_vllm(python: str, lm, sizes: list[int], repeats: int) -> tuple[str, dict[int, float]]:
    """vLLM's version and its least processor seconds a call, in an environment of its own."""
    with tempfile.TemporaryDirectory() as folder:
        lm.save_pretrained(folder)
        task = {"model": folder, "prompts": prompts(max(sizes), PROMPT), "sizes": sizes, "new": NEW, "repeats": repeats}
        Path(folder, "task.json").write_text(json.dumps(task))
        command = [python, str(Path(__file__).with_name("vllm_decoding.py")), f"{folder}/task.json"]
        made = subprocess.run(command, capture_output=True, text=True)
        if made.returncode != 0:
            sys.exit(f"vLLM failed:\n{made.stderr[-3000:]}")
    found = json.loads(made.stdout.splitlines()[-1])
    return found["version"], {int(k): v for k, v in found["seconds"].items()}


def main() -> None:
    """Measures and records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="47k", choices=list(SHAPES))
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16, 64, 256])
    parser.add_argument("--questions", type=int, default=64, help="of the pool; 0 leaves it out")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--against", help="a commit whose engine is measured too")
    parser.add_argument("--vllm-python", help="the Python of an environment that has vLLM")
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    lm, now = model(arguments.size), {"Extend": Extend, "Sampling": Sampling}
    engine = TransformersPolicy(lm, Letters(), arguments.rows, 4096)
    vllm: dict[int, float] = {}
    release = None
    if arguments.vllm_python:
        release, vllm = of_vllm(arguments.vllm_python, lm, arguments.batches, arguments.repeats)
    rows = []
    with ExitStack() as stack:
        before, then = None, {}
        if arguments.against:
            then = stack.enter_context(earlier(arguments.against))
            before = then["TransformersPolicy"](lm, Letters(), arguments.rows)
        for size in arguments.batches:
            asked = prompts(size, PROMPT)
            contenders = {"engine": greedy(engine, now, asked), "generate": generate(lm, asked)}
            if before is not None:
                contenders["earlier"] = greedy(before, then, asked)
            rows.append((f"greedy {size}", size * NEW, seconds(contenders, arguments.repeats)))
            if vllm:
                rows[-1][2]["vllm"] = vllm[size]
        if arguments.questions:
            contenders = {"engine": pool(engine, now, arguments.questions)}
            if before is not None:
                contenders["earlier"] = pool(before, then, arguments.questions)
            rows.append(("pool", arguments.questions * 32 * NEW, seconds(contenders, arguments.repeats)))
    names = list(dict.fromkeys(name for _, _, taken in rows for name in taken))
    record(
        f"decoding-{arguments.size}",
        {**vars(arguments), "vllm_python": release and f"vllm {release}"},
        [
            {
                "batch": batch,
                "engine tok/s": tokens / taken["engine"],
                **{f"engine / {n}": taken[n] / taken["engine"] if n in taken else "" for n in names[1:]},
            }
            for batch, tokens, taken in rows
        ],
    )


if __name__ == "__main__":
    main()
