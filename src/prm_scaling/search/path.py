"""A path of the search tree, and what a strategy may ask for while it searches."""

import math
from collections.abc import Generator
from dataclasses import dataclass


@dataclass(frozen=True)
class Path:
    """A partial or whole solution of one question.

    Attributes:
        name: place in the tree, the sample index at each branching; its randomness hangs on it.
        tokens: ids of the solution's tokens, without the prompt.
        ends: exclusive end of each step in ``tokens``.
        rewards: one PRM probability a step, as far as the steps were rated.
        finished: whether the path goes no further.
        whole: whether the policy itself ended the text here; a finished path that is not whole was cut.
        spent: tokens that this question's search had generated when the request that grew the path last was
            answered: for a finished path, when it was finished.
        answer: the class of its answer, once that was asked for; ``None`` where there is none.
        visits: what the search had spent at each visit of this finished leaf, for a strategy that visits.
    """

    name: tuple[int, ...] = ()
    tokens: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    rewards: tuple[float, ...] = ()
    finished: bool = False
    whole: bool = False
    spent: int = 0
    answer: str | None = None
    visits: tuple[int, ...] = ()

    @property
    def depth(self) -> int:
        """Number of steps."""
        return len(self.ends)

    @property
    def reward(self) -> float:
        """The newest step's reward; 0 for a path that ended before any step."""
        return self.rewards[-1] if self.rewards else 0.0

    @property
    def scored(self) -> bool:
        """Whether every step has a reward that is a number: a path that the PRM could not score is never chosen."""
        return len(self.rewards) == len(self.ends) and not any(map(math.isnan, self.rewards))

    def rated(self, rewards: tuple[float, ...]) -> "Path":
        """The path with one reward a step; ``ValueError`` if the counts differ."""
        if len(rewards) != len(self.ends):
            raise ValueError(f"{len(rewards)} rewards for {len(self.ends)} steps")
        # As `dataclasses.replace` does, in a quarter of its time: a search rates many paths.
        path = object.__new__(Path)
        vars(path).update(vars(self), rewards=rewards)
        return path


# Where a search starts: nothing is written yet.
ROOT = Path()


@dataclass(frozen=True)
class Step:
    """Ask for one more step of each path; a path may be asked for several times.

    ``temperature`` is that of the run if it is ``None``; 0 is greedy.
    """

    paths: tuple[Path, ...]
    samples: tuple[int, ...]
    temperature: float | None = None


@dataclass(frozen=True)
class Solve:
    """Ask for each path to be continued to its end; ``temperature`` as in :class:`Step`."""

    paths: tuple[Path, ...]
    samples: tuple[int, ...]
    temperature: float | None = None


@dataclass(frozen=True)
class Rate:
    """Ask the PRM for the reward of every step of each path."""

    paths: tuple[Path, ...]


@dataclass(frozen=True)
class Classify:
    """Ask for the class of each path's answer, as voting knows it; nothing of the reference is in it."""

    paths: tuple[Path, ...]


# A strategy yields a request and is sent the paths that answer it, in order; it returns candidates.
Request = Step | Solve | Rate | Classify
Searching = Generator[Request, list[Path], list[Path]]


def children(paths: list[Path], counts: list[int]) -> Step:
    """The request for ``counts[i]`` sampled next steps of ``paths[i]``."""
    chosen = [(p, j) for p, n in zip(paths, counts, strict=True) for j in range(n)]
    return Step(tuple(p for p, _ in chosen), tuple(j for _, j in chosen))


def distinct(paths: list[Path]) -> list[Path]:
    """The paths without repetitions of the same tokens: a clone must not count twice."""
    first: dict[tuple, Path] = {}
    for path in paths:
        first.setdefault((path.tokens, path.finished), path)
    return list(first.values())
