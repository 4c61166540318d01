"""The two things that an engine does: extend token prefixes, score token prefixes.

Token ids cross this border, never text that would have to be tokenized again. A seed belongs to a
request, so what is sampled does not depend on the batch in which it is sampled.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Finish = Literal["stop", "end", "length"]


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn.

    Attributes:
        temperature: 0 is greedy.
        top_p: nucleus mass, 1 keeps all tokens.
        max_tokens: new tokens at most.
        stop: texts that end an extension; the token that completes one is kept.
    """

    temperature: float
    top_p: float
    max_tokens: int
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Extend:
    """A prefix to extend with a seed of its own."""

    prefix: tuple[int, ...]
    sampling: Sampling
    seed: int


@dataclass(frozen=True)
class Extension:
    """New tokens and why they ended: a stop text, the end-of-text token (not among them), the limit.

    Attributes:
        computed: prompt tokens that were computed for this request.
        reused: prompt tokens whose keys and values another request had already computed.
    """

    tokens: tuple[int, ...]
    finish: Finish
    computed: int
    reused: int


@dataclass(frozen=True)
class Score:
    """A token sequence and the positions (0-based, ascending) whose reward is wanted."""

    tokens: tuple[int, ...]
    positions: tuple[int, ...]


@dataclass(frozen=True)
class Scored:
    """One probability per asked position, and how many tokens were computed and reused for it."""

    rewards: tuple[float, ...]
    computed: int
    reused: int


class Policy(Protocol):
    """An engine that extends."""

    def extend(self, requests: Sequence[Extend]) -> list[Extension]:
        """One extension a request, in order."""
        ...


class Scorer(Protocol):
    """An engine that scores."""

    def score(self, requests: Sequence[Score]) -> list[Scored]:
        """One result a request, in order, each with as many rewards as it has positions."""
        ...
