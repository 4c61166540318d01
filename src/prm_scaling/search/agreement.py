"""Which answers of a search under way agree: by the rules of voting, without any reference."""

from collections.abc import Callable, Sequence

from transformers import PreTrainedTokenizerBase

from prm_scaling.chains.answers import extract_answer
from prm_scaling.problems.record import Question
from prm_scaling.search.path import Path
from prm_scaling.verify.answers import classes
from prm_scaling.verify.sandbox import Limits


def classifier(
    tokenizer: PreTrainedTokenizerBase, limits: Limits
) -> Callable[[Sequence[tuple[Question, Path]]], list[str | None]]:
    """What the scheduler names answer classes with: programs by their outputs on public inputs, others by value."""

    def classify(asked: Sequence[tuple[Question, Path]]) -> list[str | None]:
        answers = [extract_answer(q, tokenizer.decode(list(p.tokens)), p.whole) for q, p in asked]
        return classes([q for q, _ in asked], answers, limits)

    return classify
