"""The engine on vLLM: continuous batching and prefix caching on a GPU, or on its CPU build."""

import os
from collections.abc import Sequence
from typing import Any

from transformers import PreTrainedTokenizerBase

from prm_scaling.engines.interface import Extend, Extension, Finish, Score, Scored
from prm_scaling.models.logits import right_logits


def options(engine: dict) -> dict[str, Any]:
    """What both engines tell vLLM, from the ``engine`` section of the parameters."""
    # In this process: nothing is left running when a job is killed.
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    chosen: dict[str, Any] = {
        "dtype": engine["dtype"],
        "max_num_seqs": engine["rows"],
        "kv_cache_memory_bytes": engine["cache_megabytes"] << 20,
        # The weights of large models are split over the job's GPUs.
        "tensor_parallel_size": max(1, engine.get("gpus", 1)),
        "disable_log_stats": True,
    }
    if engine["context"]:
        chosen["max_model_len"] = engine["context"]
    if engine["device"] == "cpu":
        # Compiling does not pay for what a CPU can run. The CPU build takes blocks of 32 tokens, and a request with a
        # seed must not meet it in chunks.
        chosen |= {"enforce_eager": True, "block_size": 32, "enable_chunked_prefill": False}
        chosen["max_num_batched_tokens"] = max(8192, engine["context"])
    return chosen


class VllmPolicy:
    """Extends token prefixes through ``LLM.generate``; seeds are per request.

    Attributes:
        context: see :class:`prm_scaling.engines.interface.Engine`.
        halvings: 0; when memory runs out vLLM itself sets requests back.
    """

    def __init__(self, source: str, revision: str, tokenizer: PreTrainedTokenizerBase, engine: dict):
        """``engine`` is the section of the parameters; the tokenizer is only asked which token ends a text."""
        chosen = options(engine)
        # Imported here: vLLM is an optional dependency, and reads its settings when it is.
        from vllm import LLM

        self._engine = LLM(model=source, revision=revision or None, enable_prefix_caching=True, **chosen)
        self._end = tokenizer.eos_token_id
        self.context: int = self._engine.llm_engine.model_config.max_model_len
        self.halvings = 0

    def forget(self) -> None:
        """See :class:`prm_scaling.engines.interface.Policy`."""
        self._engine.reset_prefix_cache()

    def extend(self, requests: Sequence[Extend]) -> list[Extension]:
        """See :class:`prm_scaling.engines.interface.Policy`."""
        from vllm import SamplingParams, TokensPrompt

        able = [r for r in requests if len(r.prefix) < self.context]
        parameters = [
            SamplingParams(
                temperature=r.sampling.temperature,
                top_p=r.sampling.top_p,
                max_tokens=min(r.sampling.max_tokens, self.context - len(r.prefix)),
                stop=list(r.sampling.stop) or None,
                include_stop_str_in_output=True,
                # vLLM takes signed 64-bit seeds.
                seed=r.seed % 2**63,
            )
            for r in able
        ]
        # The name of the tree keeps trees apart in the cache, as the interface wants it.
        prompts = [TokensPrompt(prompt_token_ids=list(r.prefix), cache_salt=r.tree or "none") for r in able]
        made = self._engine.generate(prompts, parameters, use_tqdm=False) if able else []
        results = iter([self._extension(r, output) for r, output in zip(able, made, strict=True)])
        refused = Extension((), "length", 0, 0)
        return [next(results) if len(r.prefix) < self.context else refused for r in requests]

    def _extension(self, request: Extend, output) -> Extension:
        sample = output.outputs[0]
        tokens = list(sample.token_ids)
        finish: Finish = "length"
        if tokens and tokens[-1] == self._end:
            tokens.pop()
            finish = "end"
        elif sample.finish_reason == "stop":
            finish = "stop"
        reused = output.num_cached_tokens or 0
        return Extension(tuple(tokens), finish, computed=len(request.prefix) - reused, reused=reused)


class VllmScorer:
    """Scores positions with a PRM, of one label or two, through vLLM's pooling; every sequence is read whole.

    Attributes:
        context, halvings: see :class:`VllmPolicy`.
    """

    def __init__(self, source: str, engine: dict, revision: str | None = None):
        """``source`` is the PRM's folder, or its name on the hub."""
        chosen = options(engine)
        from vllm import LLM
        from vllm.config import PoolerConfig

        pooler = PoolerConfig(pooling_type="ALL", use_activation=False)
        told = {"runner": "pooling", "pooler_config": pooler, "skip_tokenizer_init": True, **chosen}
        self._engine = LLM(model=source, revision=revision, **told)
        self.context: int = self._engine.llm_engine.model_config.max_model_len
        self.halvings = 0

    def forget(self) -> None:
        """Nothing is kept."""

    def score(self, requests: Sequence[Score]) -> list[Scored]:
        """See :class:`prm_scaling.engines.interface.Scorer`."""
        from vllm import TokensPrompt

        read = [r.tokens[: min(r.positions[-1] + 1, self.context)] if r.positions else () for r in requests]
        unique = list(dict.fromkeys(tokens for tokens in read if tokens))
        prompts = [TokensPrompt(prompt_token_ids=list(tokens)) for tokens in unique]
        made = self._engine.encode(prompts, pooling_task="token_classify", use_tqdm=False) if unique else []
        values = {
            tokens: right_logits(output.outputs.data.float().reshape(len(tokens), -1)).sigmoid().tolist()
            for tokens, output in zip(unique, made, strict=True)
        }
        values[()] = []
        seen: set[tuple[int, ...]] = set()
        results = []
        for request, tokens in zip(requests, read, strict=True):
            rewards = tuple(values[tokens][p] if p < len(tokens) else float("nan") for p in request.positions)
            new = 0 if tokens in seen else len(tokens)
            seen.add(tokens)
            results.append(Scored(rewards, computed=new, reused=len(tokens) - new))
        return results
