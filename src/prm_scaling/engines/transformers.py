"""The engine on transformers: a batched decoding loop over any causal LM, and PRM scoring."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from prm_scaling.engines.decoding import draw, uniforms
from prm_scaling.engines.interface import Extend, Extension, Finish, Score, Scored
from prm_scaling.engines.stops import StopTexts


def padded(sequences: Sequence[Sequence[int]], pad: int, left: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """(batch, longest) token ids and attention mask."""
    longest = max(len(s) for s in sequences)
    ids = torch.full((len(sequences), longest), pad)
    mask = torch.zeros((len(sequences), longest), dtype=torch.long)
    for row, sequence in enumerate(sequences):
        place = slice(longest - len(sequence), longest) if left else slice(0, len(sequence))
        ids[row, place] = torch.tensor(sequence)
        mask[row, place] = 1
    return ids, mask


def batches(lengths: Sequence[int], most_rows: int, most_tokens: int) -> Iterator[list[int]]:
    """Indices in batches of like length, longest first, each within both limits."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        longest = lengths[batch[0]] if batch else lengths[index]
        if batch and (len(batch) >= most_rows or (len(batch) + 1) * longest > most_tokens):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


class TransformersPolicy:
    """Extends prefixes; equal prefixes of a call are computed once and shared."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: int):
        """``rows`` is the number of sequences that are decoded together."""
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._rows = rows
        self._stops = StopTexts(tokenizer)
        self._end = tokenizer.eos_token_id
        self._pad = self._end if tokenizer.pad_token_id is None else tokenizer.pad_token_id

    @torch.inference_mode()
    def extend(self, requests: Sequence[Extend]) -> list[Extension]:
        """See :class:`prm_scaling.engines.interface.Policy`."""
        results: dict[int, Extension] = {}
        # Sorting by prefix as well as by length brings equal prefixes into one batch.
        order = sorted(range(len(requests)), key=lambda i: (-len(requests[i].prefix), requests[i].prefix))
        for start in range(0, len(order), self._rows):
            chunk = order[start : start + self._rows]
            for index, extension in zip(chunk, self._extend_batch([requests[i] for i in chunk]), strict=True):
                results[index] = extension
        return [results[i] for i in range(len(requests))]

    def _extend_batch(self, requests: list[Extend]) -> list[Extension]:
        first: dict[tuple[int, ...], int] = {}
        for i, request in enumerate(requests):
            first.setdefault(request.prefix, i)
        prefixes = list(first)
        place = {prefix: i for i, prefix in enumerate(prefixes)}
        rows = torch.tensor([place[r.prefix] for r in requests])
        ids, mask = padded(prefixes, self._pad, left=True)
        cache = DynamicCache(config=self._model.config)
        logits = self._forward(ids, mask, cache)[rows]
        cache.batch_select_indices(rows)
        tokens, finishes = self._decode(requests, logits, mask[rows], cache)
        return [
            Extension(
                tuple(tokens[i]),
                finishes[i],
                computed=len(r.prefix) if first[r.prefix] == i else 0,
                reused=0 if first[r.prefix] == i else len(r.prefix),
            )
            for i, r in enumerate(requests)
        ]

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor, cache: DynamicCache) -> torch.Tensor:
        """The logits of the last position; ``mask`` covers the cached tokens too."""
        positions = (mask.cumsum(dim=1) - 1).clamp_min(0)[:, -ids.shape[1] :]
        device = self._model.device
        output = self._model(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=positions.to(device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return output.logits[:, -1].float().cpu()

    def _decode(
        self, requests: list[Extend], logits: torch.Tensor, mask: torch.Tensor, cache: DynamicCache
    ) -> tuple[list[list[int]], list[Finish]]:
        longest = max(r.sampling.max_tokens for r in requests)
        noise = torch.from_numpy(np.stack([uniforms(r.seed, longest) for r in requests]))
        temperature = torch.tensor([r.sampling.temperature for r in requests])
        top_p = torch.tensor([r.sampling.top_p for r in requests])
        tokens: list[list[int]] = [[] for _ in requests]
        finishes: list[Finish] = ["length"] * len(requests)
        live = torch.arange(len(requests))
        for step in range(longest):
            drawn = draw(logits, temperature[live], top_p[live], noise[live, step])
            going = [
                position
                for position, (row, token) in enumerate(zip(live.tolist(), drawn.tolist(), strict=True))
                if self._goes_on(requests[row], tokens[row], token, finishes, row)
            ]
            if not going or step + 1 == longest:
                break
            if len(going) < len(live):
                keep = torch.tensor(going)
                cache.batch_select_indices(keep)
                live, drawn, mask = live[keep], drawn[keep], mask[keep]
            mask = torch.cat([mask, torch.ones((len(live), 1), dtype=mask.dtype)], dim=1)
            logits = self._forward(drawn.unsqueeze(1), mask, cache)
        return tokens, finishes

    def _goes_on(self, request: Extend, tokens: list[int], token: int, finishes: list[Finish], row: int) -> bool:
        if token == self._end:
            finishes[row] = "end"
            return False
        tokens.append(token)
        if self._stops.complete(tokens, request.sampling.stop):
            finishes[row] = "stop"
            return False
        return len(tokens) < request.sampling.max_tokens


class TransformersScorer:
    """Scores positions with a token-classification PRM (one logit a token)."""

    def __init__(self, model: PreTrainedModel, rows: int, tokens: int = 65536):
        """``rows`` and ``tokens`` bound one batch."""
        self._model = model.eval()
        self._rows, self._tokens = rows, tokens

    @torch.inference_mode()
    def score(self, requests: Sequence[Score]) -> list[Scored]:
        """See :class:`prm_scaling.engines.interface.Scorer`; equal sequences are computed once."""
        unique = list(dict.fromkeys(r.tokens for r in requests))
        place = {tokens: i for i, tokens in enumerate(unique)}
        probabilities: dict[int, torch.Tensor] = {}
        for batch in batches([len(t) for t in unique], self._rows, self._tokens):
            ids, mask = padded([unique[i] for i in batch], 0, left=False)
            device = self._model.device
            logits = self._model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
            for row, index in enumerate(batch):
                probabilities[index] = logits[row, : len(unique[index]), 0].float().sigmoid().cpu()
        seen: set[int] = set()
        results = []
        for request in requests:
            index = place[request.tokens]
            rewards = tuple(probabilities[index][list(request.positions)].tolist())
            if not all(np.isfinite(rewards)):
                raise FloatingPointError("the PRM returned a reward that is not finite: its weights have diverged")
            new = index not in seen
            seen.add(index)
            size = len(request.tokens)
            results.append(Scored(rewards, computed=size if new else 0, reused=0 if new else size))
        return results
