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


class ScriptedPolicy:
    """Follows a tree: the text of a prefix, prompt included -> its continuations.

    The n-th request of a call for the same prefix takes the n-th continuation, round and round. From
    there on an extension that no stop text ends goes along first continuations. Neither seed nor
    temperature matters. As in every engine, an equal prefix is computed once a call.

    Attributes:
        calls: the number of requests of each call so far.
    """

    def __init__(self, tree: Mapping[str, Sequence[str]]):
        self._tree = tree
        self.calls: list[int] = []

    def extend(self, requests: Sequence[Extend]) -> list[Extension]:
        """See :class:`prm_scaling.engines.interface.Policy`; ``KeyError`` for a prefix that has no script."""
        self.calls.append(len(requests))
        asked: Counter[tuple[int, ...]] = Counter()
        results = []
        for request in requests:
            nth, size = asked[request.prefix], len(request.prefix)
            asked[request.prefix] += 1
            tokens, finish = self._follow(text_of(request.prefix), nth, request.sampling)
            results.append(Extension(tokens, finish, *((0, size) if nth else (size, 0))))
        return results

    def _follow(self, prefix: str, nth: int, sampling: Sampling) -> tuple[tuple[int, ...], Finish]:
        text = ""
        while len(text) < sampling.max_tokens:
            branches = self._tree[prefix + text]
            for character in branches[nth % len(branches)][: sampling.max_tokens - len(text)]:
                if character == END:
                    return tokens_of(text), "end"
                text += character
                if text.endswith(sampling.stop):
                    return tokens_of(text), "stop"
            nth = 0
        return tokens_of(text), "length"


class ScriptedScorer:
    """Rewards by the text up to and including the scored position; equal sequences are computed once a call.

    Attributes:
        calls: the number of requests of each call so far.
    """

    def __init__(self, rewards: Mapping[str, float]):
        self._rewards = rewards
        self.calls: list[int] = []

    def score(self, requests: Sequence[Score]) -> list[Scored]:
        """See :class:`prm_scaling.engines.interface.Scorer`; ``KeyError`` for a position that has no script."""
        self.calls.append(len(requests))
        seen: set[tuple[int, ...]] = set()
        results = []
        for request in requests:
            size, known = len(request.tokens), request.tokens in seen
            seen.add(request.tokens)
            rewards = tuple(self._rewards[text_of(request.tokens[: p + 1])] for p in request.positions)
            results.append(Scored(rewards, *((0, size) if known else (size, 0))))
        return results
