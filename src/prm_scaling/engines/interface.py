"""The two things that an engine does: extend token prefixes, score token prefixes.

Token ids cross this border, never text that would have to be tokenized again. A seed belongs to a
request, so what is sampled does not depend on the batch in which it is sampled.

Engines keep what they computed of a tree, so that a prefix that many paths share is computed once.
Trees share nothing with each other: what a question costs does not depend on the other questions.
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
    """A prefix to extend with a seed of its own; ``tree`` names what it shares prefixes with (a question, say)."""

    prefix: tuple[int, ...]
    sampling: Sampling
    seed: int
    tree: str = ""


@dataclass(frozen=True)
class Extension:
    """New tokens and why they ended: a stop text, the end-of-text token (not among them), the limit.

    The model's context is a limit too: an extension that meets it ends with ``length``, an extension of a
    prefix that fills it is empty.

    Attributes:
        computed: prefix tokens that were computed for this request.
        reused: prefix tokens whose keys and values were there already.
    """

    tokens: tuple[int, ...]
    finish: Finish
    computed: int
    reused: int

    @property
    def fed(self) -> int:
        """How many of the new tokens went through the model: the last one drawn does not."""
        return len(self.tokens) if self.finish == "end" else max(0, len(self.tokens) - 1)


@dataclass(frozen=True)
class Score:
    """A token sequence and the positions (0-based, ascending) whose reward is wanted.

    Attributes:
        prompt: how many of the tokens are the question's; the rest are steps.
        tree: names what it shares prefixes with.
    """

    tokens: tuple[int, ...]
    positions: tuple[int, ...]
    prompt: int = 0
    tree: str = ""


@dataclass(frozen=True)
class Scored:
    """One probability per asked position, and how many tokens were computed and reused for it.

    A reward is NaN where the PRM gave no number, there and from there on.

    Attributes:
        translated: whether the PRM has tokens of its own, and read the text of each step in them.
    """

    rewards: tuple[float, ...]
    computed: int
    reused: int
    translated: bool = False


class Engine(Protocol):
    """What holds for both kinds of engine."""

    @property
    def context(self) -> int:
        """Tokens that a sequence may have, prefix and extension together."""
        ...

    @property
    def halvings(self) -> int:
        """How often the batch was halved because memory ran out."""
        ...

    def forget(self) -> None:
        """Give up what was kept of all trees: what comes next costs what it costs a fresh engine."""
        ...


class Policy(Engine, Protocol):
    """An engine that extends."""

    def extend(self, requests: Sequence[Extend]) -> list[Extension]:
        """One extension a request, in order."""
        ...


class Scorer(Engine, Protocol):
    """An engine that scores."""

    def score(self, requests: Sequence[Score]) -> list[Scored]:
        """One result a request, in order, each with as many rewards as it has positions."""
        ...
