"""Which answers of a search under way agree: by the rules of voting, without any reference."""

from collections.abc import Callable, Sequence

from transformers import PreTrainedTokenizerBase

from prm_scaling.chains.answers import extract_answer
from prm_scaling.problems.record import Problem, Question
from prm_scaling.search.path import Path
from prm_scaling.verify.answers import classes
from prm_scaling.verify.sandbox import Sandbox


def classifier(
    problems: Sequence[Problem], tokenizer: PreTrainedTokenizerBase, sandbox: Sandbox
) -> Callable[[Sequence[tuple[Question, Path]]], list[str | None]]:
    """What the scheduler names answer classes with: programs by their outputs on public inputs, others by value.

    A strategy sees the names alone. Of the problems, how a program is called is used, never what is expected.
    """
    by_id = {p.id: p for p in problems}

    def classify(asked: Sequence[tuple[Question, Path]]) -> list[str | None]:
        answers = [extract_answer(q, tokenizer.decode(list(p.tokens)), p.whole) for q, p in asked]
        return classes([by_id[q.id] for q, _ in asked], answers, sandbox, sandbox.workers)

    return classify
