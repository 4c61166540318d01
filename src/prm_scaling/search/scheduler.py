"""Advances the searches of all questions together and merges their requests into full batches."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from prm_scaling.engines.interface import Extend, Extension, Policy, Sampling, Score, Scorer
from prm_scaling.problems.record import Question
from prm_scaling.search.ledger import Ledger
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
        sizes: tuple[int, int],
        seed: int,
        classify: Callable[[Sequence[tuple[Question, Path]]], list[str | None]] | None = None,
    ):
        """
        Args:
            policy: extends paths.
            scorer: rates them; without one, paths come back without rewards.
            segment: the exclusive ends of the steps of a solution's tokens.
            limits: sampling parameters.
            sizes: non-embedding parameters of policy and PRM, for FLOPs.
            seed: of the run; randomness is a stream per (seed, question, path name).
            classify: names the class of each path's answer, ``None`` where there is none, from the question alone.
        """
        self._policy, self._scorer, self._segment = policy, scorer, segment
        self._limits, self._sizes, self._seed, self._classes = limits, sizes, seed, classify

    def run(
        self,
        questions: Sequence[tuple[Question, tuple[int, ...]]],
        strategy: Callable[[], Searching],
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> list[tuple[list[Path], Ledger]]:
        """The candidates and the cost of each question, in order.

        Args:
            questions: each with its prompt's tokens.
            strategy: starts one question's search.
            progress: called with (finished questions, all questions).
        """
        results: list[tuple[list[Path], Ledger] | None] = [None] * len(questions)
        live: dict[int, Search] = {}
        for index, (question, prompt) in enumerate(questions):
            generator = strategy()
            live[index] = Search(question, prompt, generator, next(generator), Ledger())
        while live:
            answers = self._answer(list(live.values()))
            for (index, search), answer in zip(list(live.items()), answers, strict=True):
                try:
                    search.request = search.generator.send(answer)
                except StopIteration as end:
                    results[index] = (end.value, search.ledger)
                    del live[index]
            progress(len(questions) - len(live), len(questions))
        return [r for r in results if r is not None]

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
            )
            for search, path, sample in asked
        ]
        began = time.perf_counter()
        extensions = self._policy.extend(requests)
        seconds = time.perf_counter() - began
        work = sum(e.computed + len(e.tokens) for e in extensions)
        grown: dict[int, list[Path]] = {id(s): [] for s in searches}
        for (search, path, sample), e in zip(asked, extensions, strict=True):
            ledger, tokens = search.ledger, e.computed + len(e.tokens)
            ledger.generated += len(e.tokens)
            ledger.prompt_computed += e.computed
            ledger.prompt_reused += e.reused
            ledger.policy_calls += 1
            ledger.policy_flops += 2 * self._sizes[0] * tokens
            ledger.generate_seconds += seconds * tokens / max(work, 1)
            grown[id(search)].append(self._extended(path, sample, e, isinstance(search.request, Solve)))
        return [[replace(path, spent=s.ledger.generated) for path in grown[id(s)]] for s in searches]

    def _sampling(self, request: Request, path: Path) -> Sampling:
        assert isinstance(request, Step | Solve)
        limits = self._limits
        temperature = limits.temperature if request.temperature is None else request.temperature
        if isinstance(request, Solve):
            left = max(1, limits.max_steps - path.depth)
            return Sampling(temperature, 1.0, limits.step_tokens * left)
        return Sampling(temperature, 1.0, limits.step_tokens, stop=(limits.separator,))

    def _extended(self, path: Path, sample: int, extension: Extension, to_the_end: bool) -> Path:
        start, tokens = len(path.tokens), extension.tokens
        if to_the_end:
            ends = tuple(start + end for end in self._segment(tokens))
        else:
            ends = (start + len(tokens),) if tokens else ()
        return replace(
            path,
            name=(*path.name, sample),
            tokens=path.tokens + tokens,
            ends=path.ends + ends,
            # A step that ran into its limit has no end to be rated at: the path is cut here.
            finished=to_the_end or extension.finish != "stop",
            whole=extension.finish == "end",
        )

    def _rate(self, searches: list[Search]) -> list[list[Path]]:
        """One engine call for all paths that any search wants rated."""
        if self._scorer is None:
            return [list(s.request.paths) for s in searches]
        asked = [(search, path) for search in searches for path in search.request.paths]
        requests = [Score(s.prompt + p.tokens, tuple(len(s.prompt) + end - 1 for end in p.ends)) for s, p in asked]
        began = time.perf_counter()
        results = self._scorer.score(requests)
        seconds = time.perf_counter() - began
        work = sum(r.computed for r in results)
        rated: dict[int, list[Path]] = {id(s): [] for s in searches}
        for (search, path), result in zip(asked, results, strict=True):
            ledger = search.ledger
            ledger.prm_computed += result.computed
            ledger.prm_reused += result.reused
            ledger.prm_calls += 1
            ledger.prm_flops += 2 * self._sizes[1] * result.computed
            ledger.score_seconds += seconds * result.computed / max(work, 1)
            rated[id(search)].append(path.rated(result.rewards))
        return [rated[id(s)] for s in searches]

    def _classify(self, searches: list[Search]) -> list[list[Path]]:
        """One call for the answers of all paths that any search wants to compare."""
        if self._classes is None:
            raise ValueError("this strategy asks which answers agree: give the scheduler `classify`")
        asked = [(search, path) for search in searches for path in search.request.paths]
        named: dict[int, list[Path]] = {id(s): [] for s in searches}
        classes = self._classes([(search.question, path) for search, path in asked])
        for (search, path), name in zip(asked, classes, strict=True):
            named[id(search)].append(replace(path, answer=name))
        return [named[id(s)] for s in searches]
