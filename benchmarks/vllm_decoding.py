"""vLLM's side of ``decoding.py``, in the environment that has vLLM: prints its version and seconds by batch size."""

import json
import os
import sys
import time
from pathlib import Path

os.environ.update(VLLM_ENABLE_V1_MULTIPROCESSING="0", VLLM_LOGGING_LEVEL="ERROR")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def main() -> None:
    """Reads the task that is named on the command line."""
    from vllm import LLM, SamplingParams, TokensPrompt, __version__

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
            began = time.process_time()
            llm.generate(prompts, parameters, use_tqdm=False)
            if turn:
                taken.append(time.process_time() - began)
        found[size] = min(taken)
    print(json.dumps({"version": __version__, "seconds": found}))


if __name__ == "__main__":
    main()
