"""Stop texts, found on token ids."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase


class StopTexts:
    """Whether new tokens end with a token that completes a stop text.

    Only a token whose own text holds the last character of a stop text, or a part of a character, can
    complete it, and one that holds all of it does, whatever comes before: the tail is decoded for the others alone.
    """

    TAIL = 8

    def __init__(self, tokenizer: PreTrainedTokenizerBase):
        self._tokenizer = tokenizer
        self._candidates: dict[str, frozenset[int]] = {}
        self._whole: dict[str, frozenset[int]] = {}

    def complete(self, tokens: Sequence[int], stops: tuple[str, ...]) -> bool:
        """Whether the last of ``tokens`` completes one of ``stops``."""
        return any(self._completes(tokens, stop) for stop in stops)

    def candidates(self, stop: str) -> frozenset[int]:
        """The tokens that may complete ``stop``."""
        if stop not in self._candidates:
            texts = [(i, self._tokenizer.decode([i])) for i in range(len(self._tokenizer))]
            self._candidates[stop] = frozenset(i for i, text in texts if stop[-1] in text or "\ufffd" in text)
            self._whole[stop] = frozenset(i for i, text in texts if stop in text)
        return self._candidates[stop]

    def _completes(self, tokens: Sequence[int], stop: str) -> bool:
        if tokens[-1] not in self.candidates(stop):
            return False
        if tokens[-1] in self._whole[stop]:
            return True
        tail = list(tokens[-self.TAIL :])
        return self._tokenizer.decode(tail).count(stop) > self._tokenizer.decode(tail[:-1]).count(stop)
