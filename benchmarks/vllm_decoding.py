"""vLLM's side of ``decoding.py``; runs in the environment that has vLLM and prints seconds by batch size."""

import json
import os
import statistics
import sys
import time
from pathlib import Path

os.environ.update(VLLM_ENABLE_V1_MULTIPROCESSING="0", VLLM_LOGGING_LEVEL="ERROR")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def main() -> None:
    """Reads the task that is named on the command line."""
    from vllm import LLM, SamplingParams, TokensPrompt

    task = json.loads(Path(sys.argv[1]).read_text())
    llm = LLM(
        model=task["model"],
        skip_tokenizer_init=True,
        dtype="float32",
        max_model_len=512,
        enforce_eager=True,
        block_size=32,
        kv_cache_memory_bytes=(2 << 30),
        max_num_seqs=256,
        enable_chunked_prefill=False,
        max_num_batched_tokens=32768,
        enable_prefix_caching=False,
    )
    parameters = SamplingParams(temperature=0.0, max_tokens=task["new"], ignore_eos=True, detokenize=False)
    found = {}
    for size in task["sizes"]:
        prompts = [TokensPrompt(prompt_token_ids=p) for p in task["prompts"][:size]]
        taken = []
        for turn in range(task["repeats"] + 1):
            began = time.perf_counter()
            llm.generate(prompts, parameters, use_tqdm=False)
            if turn:
                taken.append(time.perf_counter() - began)
        found[size] = statistics.median(taken)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
