"""Advances the searches of all questions together and merges their requests into full batches."""

import gc
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from prm_scaling.engines.interface import Extend, Extension, Policy, Sampling, Score, Scorer
from prm_scaling.problems.record import Question
from prm_scaling.search.ledger import Ledger, Size, shares
from prm_scaling.search.path import Classify, Path, Rate, Request, Searching, Solve, Step
from prm_scaling.seeds import seed_of


@dataclass(frozen=True)
class Limits:
    """How paths are sampled: per step, and from a path to its end."""

    temperature: float
    step_tokens: int
    max_steps: int
    separator: str


@dataclass
class Search:
    """One question's search under way."""

    question: Question
    prompt: tuple[int, ...]
    generator: Searching
    request: Request
    ledger: Ledger


class Scheduler:
    """Runs one strategy over many questions on one policy and one PRM."""

    def __init__(
        self,
        policy: Policy,
        scorer: Scorer | None,
        segment: Callable[[tuple[int, ...]], tuple[int, ...]],
        limits: Limits,
        sizes: tuple[Size, Size],
        seed: int,
        classify: Callable[[Sequence[tuple[Question, Path]]], list[str | None]] | None = None,
        decode: Callable[[Sequence[int]], str] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ):
        """
        Args:
            policy: extends paths.
            scorer: rates them; without one, paths come back without rewards.
            segment: the exclusive ends of the steps of a solution's tokens.
            limits: sampling parameters.
            sizes: of policy and PRM, for FLOPs.
            seed: of the run; randomness is a stream per (seed, question, path name).
            classify: names the class of each path's answer, ``None`` where there is none, from the question alone.
            decode: the text of tokens; without it, empty and garbled steps are not counted.
            clock: seconds, of which the ledger gets differences.
        """
        self._policy, self._scorer, self._segment = policy, scorer, segment
        self._limits, self._sizes, self._seed = limits, sizes, seed
        self._classes, self._decode, self._clock = classify, decode, clock
        self._elsewhere = 0.0

    def run(
        self,
        questions: Sequence[tuple[Question, tuple[int, ...]]],
        strategy: Callable[[], Searching],
        progress: Callable[[int, int], None] = lambda done, total: None,
        found: Callable[[int, list[Path], Ledger], None] = lambda index, paths, ledger: None,
    ) -> list[tuple[list[Path], Ledger]]:
        """The candidates and the cost of each question, in order.

        Engines forget what they held before: a search costs the same whatever was searched before it. A question
        whose prompt leaves no room in the policy's context has no candidates, and says so in its ledger.

        Args:
            questions: each with its prompt's tokens.
            strategy: starts one question's search.
            progress: called with (finished questions, all questions).
            found: called with each question's place and result as soon as its search is over.
        """
        for engine in (self._policy, self._scorer):
            if engine is not None:
                engine.forget()
        results: list[tuple[list[Path], Ledger] | None] = [None] * len(questions)
        live: dict[int, Search] = {}
        for index, (question, prompt) in enumerate(questions):
            if len(prompt) >= self._policy.context:
                results[index] = ([], Ledger(refused=1))
                found(index, [], Ledger(refused=1))
                continue
            generator = strategy()
            live[index] = Search(question, prompt, generator, next(generator), Ledger())
        with _spared_collector():
            self._advance(live, results, progress, found)
        return [r for r in results if r is not None]

    def _advance(self, live: dict[int, Search], results: list, progress: Callable, found: Callable) -> None:
        """Rounds, each with one call of every engine that is asked, until no search is under way."""
        while live:
            began, self._elsewhere, halved = self._clock(), 0.0, self._halvings()
            searches = dict(live)
            answers = self._answer(list(searches.values()))
            for (index, search), answer in zip(searches.items(), answers, strict=True):
                try:
                    search.request = search.generator.send(answer)
                except StopIteration as end:
                    search.ledger.unfinished += sum(not path.whole for path in end.value)
                    results[index] = (end.value, search.ledger)
                    del live[index]
            own = (self._clock() - began - self._elsewhere) / len(searches)
            for search in searches.values():
                search.ledger.scheduler_seconds += own
                search.ledger.halvings += self._halvings() - halved
            for index in [i for i in searches if i not in live]:
                paths, ledger = results[index] or ([], Ledger())
                found(index, paths, ledger)
            progress(len(results) - len(live), len(results))

    def _halvings(self) -> int:
        return self._policy.halvings + (self._scorer.halvings if self._scorer else 0)

    def _timed(self, call: Callable, requests: Sequence) -> tuple[list, float]:
        """What an engine answers, and the seconds that it took."""
        began = self._clock()
        answers = call(requests)
        seconds = self._clock() - began
        self._elsewhere += seconds
        return answers, seconds

    def _answer(self, searches: list[Search]) -> list[list[Path]]:
        answers: dict[int, list[Path]] = {}
        growing = [i for i, s in enumerate(searches) if isinstance(s.request, Step | Solve)]
        rating = [i for i, s in enumerate(searches) if isinstance(s.request, Rate)]
        classing = [i for i, s in enumerate(searches) if isinstance(s.request, Classify)]
        for indices, answer in ((growing, self._grow), (rating, self._rate), (classing, self._classify)):
            if indices:
                answers.update(zip(indices, answer([searches[i] for i in indices]), strict=True))
        return [answers[i] for i in range(len(searches))]

    def _grow(self, searches: list[Search]) -> list[list[Path]]:
        """One engine call for all paths that any search wants to grow."""
        asked = [
            (search, path, sample)
            for search in searches
            if isinstance(search.request, Step | Solve)
            for path, sample in zip(search.request.paths, search.request.samples, strict=True)
        ]
        requests = [
            Extend(
                search.prompt + path.tokens,
                self._sampling(search.request, path),
                seed_of(self._seed, search.question.id, *path.name, sample),
                search.question.id,
            )
            for search, path, sample in asked
        ]
        extensions, seconds = self._timed(self._policy.extend, requests)
        parts = shares(seconds, [e.computed + e.fed for e in extensions])
        for (search, path, _), e, part in zip(asked, extensions, parts, strict=True):
            ledger, prefix = search.ledger, len(search.prompt) + len(path.tokens)
            ledger.generated += len(e.tokens)
            ledger.prompt_computed += e.computed
            ledger.prompt_reused += e.reused
            ledger.policy_calls += 1
            ledger.policy_flops += self._sizes[0].flops(prefix - e.computed, prefix + e.fed)
            ledger.generate_seconds += part
        grown: dict[int, list[Path]] = {id(s): [] for s in searches}
        for (search, path, sample), e in zip(asked, extensions, strict=True):
            new = self._extended(search, path, sample, e)
            self._count_faults(search.ledger, path, new)
            grown[id(search)].append(new)
        return [grown[id(s)] for s in searches]

    def _sampling(self, request: Request, path: Path) -> Sampling:
        assert isinstance(request, Step | Solve)
        limits = self._limits
        temperature = limits.temperature if request.temperature is None else request.temperature
        if isinstance(request, Solve):
            left = max(1, limits.max_steps - path.depth)
            return Sampling(temperature, 1.0, limits.step_tokens * left)
        return Sampling(temperature, 1.0, limits.step_tokens, stop=(limits.separator,))

    def _extended(self, search: Search, path: Path, sample: int, extension: Extension) -> Path:
        start, tokens = len(path.tokens), extension.tokens
        to_the_end = isinstance(search.request, Solve)
        if to_the_end:
            ends = tuple(start + end for end in self._segment(tokens))
        else:
            ends = (start + len(tokens),) if tokens else ()
        return Path(
            name=(*path.name, sample),
            tokens=path.tokens + tokens,
            ends=path.ends + ends,
            rewards=path.rewards,
            # A step that ran into its limit has no end to be rated at: the path is cut here.
            finished=to_the_end or extension.finish != "stop",
            whole=extension.finish == "end",
            spent=search.ledger.generated,
        )

    def _count_faults(self, ledger: Ledger, old: Path, new: Path) -> None:
        ledger.cut += new.finished and not new.whole
        ledger.stepless += new.whole and not new.ends
        if self._decode is not None:
            starts = (len(old.tokens), *new.ends[old.depth :])
            for start, end in zip(starts, new.ends[old.depth :], strict=False):
                text = self._decode(new.tokens[start:end])
                ledger.empty_steps += not text.strip()
                ledger.garbled += "\ufffd" in text

    def _rate(self, searches: list[Search]) -> list[list[Path]]:
        """One engine call for all paths that any search wants rated."""
        if self._scorer is None:
            return [list(s.request.paths) for s in searches]
        asked = [(search, path) for search in searches for path in search.request.paths]
        requests = [
            Score(s.prompt + p.tokens, tuple(len(s.prompt) + end - 1 for end in p.ends), len(s.prompt), s.question.id)
            for s, p in asked
        ]
        results, seconds = self._timed(self._scorer.score, requests)
        parts = shares(seconds, [r.computed for r in results])
        rated: dict[int, list[Path]] = {id(s): [] for s in searches}
        for (search, path), result, part in zip(asked, results, parts, strict=True):
            ledger, read = search.ledger, result.computed + result.reused
            ledger.prm_computed += result.computed
            ledger.prm_reused += result.reused
            ledger.prm_calls += 1
            ledger.prm_flops += self._sizes[1].flops(read - result.computed, read)
            ledger.score_seconds += part
            ledger.translated += result.translated
            ledger.unscored += any(map(math.isnan, result.rewards))
            rated[id(search)].append(path.rated(result.rewards))
        return [rated[id(s)] for s in searches]

    def _classify(self, searches: list[Search]) -> list[list[Path]]:
        """One call for the answers of all paths that any search wants to compare."""
        if self._classes is None:
            raise ValueError("this strategy asks which answers agree: give the scheduler `classify`")
        asked = [(search, path) for search in searches for path in search.request.paths]
        named: dict[int, list[Path]] = {id(s): [] for s in searches}
        classes, seconds = self._timed(self._classes, [(search.question, path) for search, path in asked])
        for (search, path), name in zip(asked, classes, strict=True):
            search.ledger.verify_seconds += seconds / len(asked)
            named[id(search)].append(replace(path, answer=name))
        return [named[id(s)] for s in searches]


@contextmanager
def _spared_collector() -> Iterator[None]:
    """Python's collector of garbage leaves alone what was there before.

    A search makes many small objects, so the collector runs often; to walk through libraries and models each time took
    more than strategies and scheduler do.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
