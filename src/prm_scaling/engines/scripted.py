"""A scripted engine: continuations and rewards are given, so that what uses an engine is tested by hand.

A token is the code point of a character, so a script reads as text::

    policy = ScriptedPolicy({"Q ": ["a\\n", "b\\n"], "Q a\\n": ["1" + END], "Q b\\n": ["2" + END]})
    scorer = ScriptedScorer({"Q a\\n": 0.9, "Q a\\n1": 0.4, "Q b\\n": 0.1, "Q b\\n2": 0.8})
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from prm_scaling.engines.interface import Extend, Extension, Finish, Sampling, Score, Scored

# At the end of a continuation: the policy ends the text there.
END = "$"


def tokens_of(text: str) -> tuple[int, ...]:
    """One token a character."""
    return tuple(map(ord, text))


def text_of(tokens: Sequence[int]) -> str:
    """The inverse of :func:`tokens_of`."""
    return "".join(map(chr, tokens))


class _Reader:
    """What an engine that computes each token of a tree once has read.

    Attributes:
        calls: the number of requests of each call so far.
        context, halvings: see :class:`prm_scaling.engines.interface.Engine`.
    """

    def __init__(self, context: int):
        self.calls: list[int] = []
        self.context, self.halvings = context, 0
        self._read: set[tuple[str, tuple[int, ...]]] = set()

    def forget(self) -> None:
        """Nothing has been read."""
        self._read.clear()

    def _compute(self, tree: str, tokens: tuple[int, ...]) -> int:
        """Reads ``tokens``; how many of them are new."""
        prefixes = {(tree, tokens[: i + 1]) for i in range(len(tokens))}
        new = len(prefixes - self._read)
        self._read |= prefixes
        return new


class ScriptedPolicy(_Reader):
    """Follows a tree: the text of a prefix, prompt included -> its continuations.

    The n-th request of a call for the same prefix takes the n-th continuation, round and round. From
    there on an extension that no stop text ends goes along first continuations. Neither seed nor
    temperature matters.
    """

    def __init__(self, tree: Mapping[str, Sequence[str]], context: int = 1 << 20):
        super().__init__(context)
        self._tree = tree

    def extend(self, requests: Sequence[Extend]) -> list[Extension]:
        """See :class:`prm_scaling.engines.interface.Policy`; ``KeyError`` for a prefix that has no script."""
        self.calls.append(len(requests))
        asked: Counter[tuple[str, tuple[int, ...]]] = Counter()
        results = []
        for request in requests:
            key = (request.tree, request.prefix)
            nth, size = asked[key], len(request.prefix)
            asked[key] += 1
            # A prefix that is held is entered by computing its last token, once a call.
            computed = self._compute(*key) or (0 if nth else min(1, size))
            tokens, finish = self._follow(text_of(request.prefix), nth, request.sampling)
            results.append(Extension(tokens, finish, computed, size - computed))
            self._compute(request.tree, request.prefix + tokens[: results[-1].fed])
        return results

    def _follow(self, prefix: str, nth: int, sampling: Sampling) -> tuple[tuple[int, ...], Finish]:
        text, most = "", min(sampling.max_tokens, self.context - len(prefix))
        while len(text) < most:
            branches = self._tree[prefix + text]
            for character in branches[nth % len(branches)][: most - len(text)]:
                if character == END:
                    return tokens_of(text), "end"
                text += character
                if text.endswith(sampling.stop):
                    return tokens_of(text), "stop"
            nth = 0
        return tokens_of(text), "length"


class ScriptedScorer(_Reader):
    """Rewards by the text up to and including the scored position."""

    def __init__(self, rewards: Mapping[str, float], context: int = 1 << 20):
        super().__init__(context)
        self._rewards = rewards

    def score(self, requests: Sequence[Score]) -> list[Scored]:
        """See :class:`prm_scaling.engines.interface.Scorer`; ``KeyError`` for a position that has no script."""
        self.calls.append(len(requests))
        results = []
        for request in requests:
            read = request.tokens[: request.positions[-1] + 1] if request.positions else ()
            computed = self._compute(request.tree, read)
            rewards = tuple(self._rewards[text_of(request.tokens[: p + 1])] for p in request.positions)
            results.append(Scored(rewards, computed, len(read) - computed))
        return results
