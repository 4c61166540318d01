"""The engine on vLLM: continuous batching and prefix caching on a GPU, or on its CPU build."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from prm_scaling.engines.interface import Extend, Extension
from prm_scaling.engines.stops import StopTexts


class VllmPolicy:
    """Extends token prefixes through ``LLM.generate``; seeds are per request."""

    def __init__(self, source: str, revision: str, tokenizer: PreTrainedTokenizerBase, dtype: str):
        # Imported here: vLLM is an optional dependency.
        from vllm import LLM

        self._engine = LLM(model=source, revision=revision or None, dtype=dtype, enable_prefix_caching=True)
        self._tokenizer = tokenizer
        self._stops = StopTexts(tokenizer)

    def extend(self, requests: Sequence[Extend]) -> list[Extension]:
        """See :class:`prm_scaling.engines.interface.Policy`."""
        from vllm import SamplingParams, TokensPrompt

        parameters = [
            SamplingParams(
                temperature=r.sampling.temperature,
                top_p=r.sampling.top_p,
                max_tokens=r.sampling.max_tokens,
                stop=list(r.sampling.stop) or None,
                include_stop_str_in_output=True,
                # vLLM takes signed 64-bit seeds.
                seed=r.seed % 2**63,
            )
            for r in requests
        ]
        prompts = [TokensPrompt(prompt_token_ids=list(r.prefix)) for r in requests]
        return [
            self._extension(r, o) for r, o in zip(requests, self._engine.generate(prompts, parameters), strict=True)
        ]

    def _extension(self, request: Extend, output) -> Extension:
        sample = output.outputs[0]
        tokens = list(sample.token_ids)
        ended = bool(tokens) and tokens[-1] == self._tokenizer.eos_token_id
        if ended:
            tokens.pop()
        stopped = bool(tokens) and self._stops.complete(tokens, request.sampling.stop)
        reused = output.num_cached_tokens or 0
        return Extension(
            tuple(tokens),
            "end" if ended else "stop" if stopped else "length",
            computed=len(request.prefix) - reused,
            reused=reused,
        )
