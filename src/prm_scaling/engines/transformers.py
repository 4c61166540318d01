"""The engine on transformers: any causal LM with full attention as a policy, and PRM scoring, on CPU or CUDA.

Both keep the keys and values of the trees that they read (:mod:`prm_scaling.engines.store`), so each token of a tree
is computed once. Paths are decoded together and leave and enter singly (continuous batching).
"""

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from prm_scaling.engines.decoding import draw
from prm_scaling.engines.faults import out_of_memory
from prm_scaling.engines.interface import Extend, Extension, Finish, Score, Scored
from prm_scaling.engines.radix import Node
from prm_scaling.engines.reading import Reader, Row, last_token
from prm_scaling.engines.seats import Ready, Seats
from prm_scaling.engines.stops import StopTexts
from prm_scaling.engines.store import Store
from prm_scaling.models.ladder import context_of
from prm_scaling.models.logits import right_logits

# Tokens that are read at once, padding included: enough to fill a pass, few enough for a processor's cache.
TOKENS = 4096


class _Keeper:
    """A model, what it has read, and how often its batch was halved."""

    def __init__(self, model: PreTrainedModel, megabytes: int, tokens: int):
        self._model = model.eval()
        self.context = context_of(model)
        self.store = Store(model, megabytes)
        self._reader = Reader(model, self.store, tokens)

    @property
    def halvings(self) -> int:
        """How often the batch was halved because memory ran out."""
        return self._reader.halvings

    def forget(self) -> None:
        """Give up what was kept of all trees."""
        self.store.forget()

    @contextmanager
    def _whole_or_nothing(self) -> Iterator[None]:
        """After an error nothing that is half computed is kept."""
        try:
            with torch.inference_mode():
                yield
        except BaseException:
            self.forget()
            raise


class TransformersPolicy(_Keeper):
    """Extends prefixes; what the paths of a tree share is computed once."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: int, megabytes: int = 1024):
        """``rows`` paths are decoded together; ``megabytes`` bound the keys and values that are kept."""
        super().__init__(model, megabytes, TOKENS)
        self._head = model.get_output_embeddings()
        self._rows = self._room = rows
        self._stops = StopTexts(tokenizer)
        self._end = tokenizer.eos_token_id
        self._flags: dict[frozenset[str], np.ndarray] = {}

    def extend(self, requests: Sequence[Extend]) -> list[Extension]:
        """See :class:`prm_scaling.engines.interface.Policy`.

        Raises:
            CacheTooSmall: a path does not fit the memory for keys and values.
            FloatingPointError: the model's logits are not finite.
        """
        limits = [min(r.sampling.max_tokens, self.context - len(r.prefix)) for r in requests]
        results = {i: Extension((), "length", 0, 0) for i, limit in enumerate(limits) if limit < 1}
        able = [i for i in range(len(requests)) if i not in results]
        if able:
            widest = max(len(requests[i].prefix) + limits[i] for i in able)
            self.store.check(widest)
            # The seats' copies take as much memory again as the store may have, at most.
            seats = min(self._rows, len(able), self.store.most // widest)
            stopping = self._stopping(frozenset(stop for i in able for stop in requests[i].sampling.stop))
            batch = Seats(seats, max(limits[i] for i in able), stopping, self.store, self._model.device)
            # Equal prefixes, and such of like length, come together: little padding.
            order = sorted(able, key=lambda i: (-len(requests[i].prefix), requests[i].tree, requests[i].prefix))
            with self._whole_or_nothing():
                self._run(deque((i, requests[i], limits[i]) for i in order), batch, results)
        return [results[i] for i in range(len(requests))]

    def _run(self, waiting: deque[tuple[int, Extend, int]], seats: Seats, results: dict[int, Extension]) -> None:
        """Until nobody waits: read prefixes, seat paths, draw a token each, feed it where the path goes on."""
        ready: deque[tuple[Ready, torch.Tensor]] = deque()
        while waiting or ready or seats.ready:
            room, seated = min(self._room, len(seats.drawn)), len(seats.ready)
            fed = min(seated, room)
            try:
                logits = [self._head(self._reader.step(seats, fed)).float()] if fed else []
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error) or fed == 1:
                    raise
                self._room = fed // 2
                self._reader.halvings += 1
                continue
            if not ready and waiting and seated < room:
                ready = self._read(waiting)
            entering = [ready.popleft() for _ in range(min(len(ready), max(0, room - seated)))]
            drawing = np.arange(fed)
            if entering:
                seats.take([one for one, _ in entering])
                drawing = np.concatenate([drawing, np.arange(seated, len(seats.ready))])
                logits.append(torch.stack([row for _, row in entering]))
            rows = logits[0] if len(logits) == 1 else torch.cat(logits)
            drawn = draw(rows, *seats.sampling(drawing)).cpu().numpy()
            self._note(seats, drawing, drawn, results)

    def _read(self, waiting: deque[tuple[int, Extend, int]]) -> deque[tuple[Ready, torch.Tensor]]:
        """The next requests, as far as there is room for them, with the logits after their prefixes."""
        chunk: list[Ready] = []
        while waiting and len(chunk) < self._room:
            index, request, limit = waiting[0]
            planned = self.store.plan(request.tree, request.prefix, reserve=limit)
            if planned is None:
                break
            waiting.popleft()
            chunk.append(Ready(index, request, planned[0], limit, planned[1]))
        logits: dict[Node, torch.Tensor] = {}
        wanted = dict.fromkeys(one.node for one in chunk)

        def take(hidden: torch.Tensor, rows: list[Row]) -> None:
            found = [(node, i, row.last_of(node)) for i, row in enumerate(rows) for node, _, _ in row.nodes]
            found = [item for item in found if item[0] in wanted]
            if found:
                nodes, row, column = zip(*found, strict=True)
                logits.update(zip(nodes, self._head(hidden[list(row), list(column)]).float(), strict=True))

        self._reader.compute(wanted, take)
        again = [one for one in {one.node: one for one in chunk}.values() if one.node not in logits]
        for one in again:
            one.computed = 1
        self._reader.feed([last_token(one.node) for one in again], take)
        return deque((one, logits[one.node]) for one in chunk)

    def _note(self, seats: Seats, drawing: np.ndarray, drawn: np.ndarray, results: dict[int, Extension]) -> None:
        """Notes the drawn tokens and ends paths."""
        seats.note(drawing, drawn)
        ended = drawn == self._end
        full = seats.drawn[drawing] >= seats.limit[drawing]
        stopped = np.zeros_like(ended)
        for place in np.flatnonzero(seats.stopping[drawn] & ~ended).tolist():
            seat = int(drawing[place])
            count = int(seats.drawn[seat])
            tail = seats.tokens[seat, max(0, count - StopTexts.TAIL) : count].tolist()
            stopped[place] = self._stops.complete(tail, seats.ready[seat].request.sampling.stop)
        over = np.flatnonzero(ended | full | stopped).tolist()
        for place in over:
            seat = int(drawing[place])
            finish: Finish = "end" if ended[place] else "stop" if stopped[place] else "length"
            one, count = seats.ready[seat], int(seats.drawn[seat]) - bool(ended[place])
            tokens = tuple(seats.tokens[seat, :count].tolist())
            results[one.index] = Extension(tokens, finish, one.computed, len(one.request.prefix) - one.computed)
        if over:
            seats.keep(drawing[over].tolist())
            seats.leave(drawing[over].tolist())

    def _stopping(self, stops: frozenset[str]) -> np.ndarray:
        """(vocabulary,) whether a token may complete one of the stop texts."""
        if stops not in self._flags:
            flags = np.zeros(self._model.config.get_text_config().vocab_size, dtype=bool)
            for stop in stops:
                flags[list(self._stops.candidates(stop))] = True
            self._flags[stops] = flags
        return self._flags[stops]


class TransformersScorer(_Keeper):
    """Scores positions with a PRM, of one label or two, whose head is ``score``; each token of a tree is read once."""

    def __init__(self, model: PreTrainedModel, megabytes: int = 1024, tokens: int = TOKENS):
        """``megabytes`` bound the keys and values that are kept, ``tokens`` one batch with its padding."""
        super().__init__(model, megabytes, tokens)

    def score(self, requests: Sequence[Score]) -> list[Scored]:
        """See :class:`prm_scaling.engines.interface.Scorer`.

        Tokens after the last position are not read. A sequence that is longer than the PRM's context has no number at
        the positions beyond it.

        Raises:
            CacheTooSmall: a sequence does not fit the memory for keys and values.
        """
        read = [r.tokens[: min(r.positions[-1] + 1, self.context)] if r.positions else () for r in requests]
        self.store.check(max(map(len, read), default=0))
        results: list[Scored] = []
        with self._whole_or_nothing():
            while len(results) < len(requests):
                chunk: list[tuple[Node, int]] = []
                for i in range(len(results), len(requests)):
                    planned = self.store.plan(requests[i].tree, read[i])
                    if planned is None:
                        break
                    chunk.append(planned)
                self._reader.compute((node for node, _ in chunk), self._note)
                for node, computed in chunk:
                    request = requests[len(results)]
                    results.append(Scored(self._rewards(node, request.positions), computed, node.depth - computed))
                    node.pins -= 1
        return results

    def _note(self, hidden: torch.Tensor, rows: list[Row]) -> None:
        """Notes the probability after each token that was read."""
        probabilities = right_logits(self._model.score(hidden).float()).sigmoid().cpu().numpy()
        for row, values in zip(rows, probabilities, strict=True):
            self.store.values[np.concatenate(row.slots)] = values[: len(row.tokens)]

    def _rewards(self, node: Node, positions: tuple[int, ...]) -> tuple[float, ...]:
        values = self.store.values[node.path_slots()]
        # What follows a token without a number was computed from it.
        values = np.where(np.isnan(values).cumsum() > 0, np.nan, values)
        return tuple(float(values[p]) if p < len(values) else float("nan") for p in positions)
