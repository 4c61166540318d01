"""Where steps end, decided on token ids, and how a problem becomes a prompt."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate

from transformers import PreTrainedTokenizerBase

from prm_scaling.chains.record import Chain
from prm_scaling.chains.segmentation import SEGMENTERS, SEPARATOR
from prm_scaling.engines.stops import StopTexts
from prm_scaling.problems.record import Question


class Steps:
    """Segmentation by a separator text or by a named segmenter, without tokenizing anything again.

    Only a separator can be seen while a chain is still being made; searches stop at it. A segmenter needs the text.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, separator: str, segmentation: str = SEPARATOR):
        """
        Args:
            tokenizer: of the tokens.
            separator: ends each step, if the segmentation is ``separator``.
            segmentation: ``separator``, or a name in ``chains.segmentation.SEGMENTERS``.
        """
        self._tokenizer, self._separator = tokenizer, separator
        self._stops = StopTexts(tokenizer)
        self._segmenter = None if segmentation == SEPARATOR else SEGMENTERS[segmentation]

    def ends(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """The exclusive end of each step.

        A step ends with the token that completes a separator; what follows the last separator is a
        step too. A separator at the very end does not make another step. A segmenter's steps end by the
        rule of ``token_ends``.
        """
        if self._segmenter is not None:
            return token_ends(tokens, self._segmenter(_text(self._tokenizer, tokens)), self._tokenizer)
        ends, candidates = [0], self._stops.candidates(self._separator)
        for i in [i for i, token in enumerate(tokens) if token in candidates]:
            # From the last end on, as the engine sees it: two separators do not overlap.
            if self._stops.complete(tokens[max(ends[-1], i + 1 - StopTexts.TAIL) : i + 1], (self._separator,)):
                ends.append(i + 1)
        if ends[-1] != len(tokens):
            ends.append(len(tokens))
        return tuple(ends[1:])

    def texts(self, tokens: Sequence[int], ends: Sequence[int]) -> list[str]:
        """The text of each step without its separator, or without white space at its end."""
        starts = (0, *ends)[: len(ends)]
        pieces = [self._tokenizer.decode(list(tokens[a:b])) for a, b in zip(starts, ends, strict=True)]
        return [p.removesuffix(self._separator) if self._segmenter is None else p.rstrip() for p in pieces]

    def of_chain(self, chain: Chain) -> list[str]:
        """The step texts of ``chain``."""
        return self.texts(chain.tokens, chain.ends)


def token_ends(tokens: Sequence[int], steps: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """The exclusive end, in tokens, of each step of a text that is known by its steps.

    A step ends with the token that holds its last character. So a token across a boundary belongs to the step before
    it, and a step that lies within such a token is none of its own: there may be fewer ends than steps.

    Args:
        tokens: of the whole text.
        steps: texts which, joined, are the text of the tokens.
        tokenizer: of the tokens.

    Raises:
        ValueError: the steps are not the text of the tokens.
    """
    pieces = _pieces(tokenizer, tokens)
    if "".join(pieces) != "".join(steps):
        raise ValueError("the steps, joined, are not the text of the tokens: was it tokenized from another text?")
    after = list(accumulate(map(len, pieces)))
    ends = (bisect_left(after, place) + 1 for place in accumulate(map(len, steps)) if place)
    # What has no characters at the very end, such as a part of one that was broken off, belongs to the last step.
    return (*dict.fromkeys(end for end in ends if end < len(tokens)), len(tokens)) if tokens else ()


def _text(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int]) -> str:
    return "".join(_pieces(tokenizer, tokens))


def _pieces(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int]) -> list[str]:
    """What each token adds to the text; a character that is spread over several tokens comes with the last of them."""
    pieces, start, read, known = [""] * len(tokens), 0, 0, ""
    for i in range(len(tokens)):
        # Decoded after the piece before it, by which some tokenizers decide about a space.
        text = tokenizer.decode(list(tokens[start : i + 1]))
        if i + 1 == len(tokens) or (len(text) > len(known) and not text.endswith("\ufffd")):
            pieces[i] = text[len(known) :]
            start, read = read, i + 1
            known = tokenizer.decode(list(tokens[start:read]))
    return pieces


def prompt_tokens(question: Question, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """The prompt's ids: through the chat template of a tokenizer that has one, else the plain text.

    The template's control tokens are control tokens; the same names within the question are text.
    """
    asked = tokenizer(question.text, add_special_tokens=False, split_special_tokens=True).input_ids
    if tokenizer.chat_template is None:
        return tuple(asked)
    place = "\x00"
    message = [{"role": "user", "content": place}]
    frame = tokenizer.apply_chat_template(message, add_generation_prompt=True, tokenize=False)
    before, after = tokenizer(frame.split(place), add_special_tokens=False, split_special_tokens=False).input_ids
    return tuple(before + asked + after)
