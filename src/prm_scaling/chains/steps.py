"""Where steps end, decided on token ids, and how a problem becomes a prompt."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from prm_scaling.chains.record import Chain
from prm_scaling.engines.stops import StopTexts
from prm_scaling.problems.record import Question


class Steps:
    """Segmentation by a separator text, without tokenizing anything again."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, separator: str):
        self._tokenizer, self._separator = tokenizer, separator
        self._stops = StopTexts(tokenizer)

    def ends(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """The exclusive end of each step.

        A step ends with the token that completes a separator; what follows the last separator is a
        step too. A separator at the very end does not make another step.
        """
        ends = [0]
        for i in range(len(tokens)):
            # From the last end on, as the engine sees it: two separators do not overlap.
            if self._stops.complete(tokens[max(ends[-1], i + 1 - StopTexts.TAIL) : i + 1], (self._separator,)):
                ends.append(i + 1)
        if ends[-1] != len(tokens):
            ends.append(len(tokens))
        return tuple(ends[1:])

    def texts(self, tokens: Sequence[int], ends: Sequence[int]) -> list[str]:
        """The text of each step without its separator."""
        starts = (0, *ends)[: len(ends)]
        pieces = [self._tokenizer.decode(list(tokens[a:b])) for a, b in zip(starts, ends, strict=True)]
        return [p.removesuffix(self._separator) for p in pieces]

    def of_chain(self, chain: Chain) -> list[str]:
        """The step texts of ``chain``."""
        return self.texts(chain.tokens, chain.ends)


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
