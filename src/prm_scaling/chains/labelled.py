"""The chains and labels that solutions with rated steps become."""

from collections.abc import Iterable, Iterator, Mapping

from transformers import PreTrainedTokenizerBase

from prm_scaling.annotate.record import Annotation
from prm_scaling.chains.record import Chain
from prm_scaling.chains.steps import prompt_tokens
from prm_scaling.problems.labelled import LabelledSolution
from prm_scaling.problems.record import Question


def labelled_chain(
    solution: LabelledSolution,
    question: Question,
    prompt: tuple[int, ...],
    tokenizer: PreTrainedTokenizerBase,
    separator: str,
    annotator: str = "human",
    neutral_right: bool = True,
) -> tuple[Chain, Annotation]:
    """The chain that a solution is, and its labels.

    Each step is tokenized by itself, with the separator behind all but the last, so that steps end where tokens end
    whatever the tokenizer merges and whatever separators a step has within. Names of special tokens are text.

    Args:
        solution: with steps.
        question: the problem's.
        prompt: the token ids of the question, see ``prompt_tokens``.
        tokenizer: that of the PRM that is trained on the chain.
        separator: what ends a step.
        annotator: the name under which the labels stand.
        neutral_right: whether a neutral step counts as right.
    """
    *first, last = solution.steps
    texts = [f"{step}{separator}" for step in first] + [last]
    pieces = tokenizer(texts, add_special_tokens=False, split_special_tokens=True).input_ids
    tokens: list[int] = []
    ends = []
    for piece in pieces:
        tokens += piece
        ends.append(len(tokens))
    chain = Chain(
        id=solution.id,
        problem=solution.problem,
        domain=question.domain,
        prompt=prompt,
        tokens=tuple(tokens),
        ends=tuple(ends),
        text="".join(texts),
        finished=solution.finished,
    )
    error, labels = solution.first_error(neutral_right), solution.labels(neutral_right)
    return chain, Annotation(solution.id, annotator, error, labels)


def labelled_chains(
    solutions: Iterable[LabelledSolution],
    questions: Mapping[str, Question],
    tokenizer: PreTrainedTokenizerBase,
    separator: str,
    annotator: str = "human",
    neutral_right: bool = True,
) -> Iterator[tuple[Chain, Annotation]]:
    """The chains and labels of many solutions, one after another; ``questions`` are by id of the problem."""
    last = ""
    prompt: tuple[int, ...] = ()
    for solution in solutions:
        question = questions[solution.problem]
        if solution.problem != last:  # solutions of a problem mostly stand together
            last, prompt = solution.problem, prompt_tokens(question, tokenizer)
        yield labelled_chain(solution, question, prompt, tokenizer, separator, annotator, neutral_right)
