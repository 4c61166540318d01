"""The chains that solutions with rated steps become."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from transformers import PreTrainedTokenizerBase

from prm_scaling.chains.record import Chain
from prm_scaling.chains.steps import prompt_tokens
from prm_scaling.problems.labelled import LabelledSolution
from prm_scaling.problems.record import Question

# Solutions whose steps are tokenized in one call, which costs as much as some steps.
BATCH = 256


def rated_chains(
    solutions: Iterable[LabelledSolution],
    questions: Mapping[str, Question],
    tokenizer: PreTrainedTokenizerBase,
    separator: str,
) -> Iterator[Chain]:
    """The chain that each solution is; in order, and in the memory of some solutions.

    Each step is tokenized by itself, with the separator behind all but the last, so that steps end where tokens end
    whatever the tokenizer merges and whatever separators a step has within. Names of special tokens are text.

    Args:
        solutions: with steps.
        questions: by the problem's id.
        tokenizer: that of the PRM that is trained on the chains.
        separator: what ends a step.
    """
    solutions = iter(solutions)
    last = ""
    prompt: tuple[int, ...] = ()
    while batch := list(islice(solutions, BATCH)):
        texts = [[f"{step}{separator}" for step in s.steps[:-1]] + [s.steps[-1]] for s in batch]
        flat = [text for of_solution in texts for text in of_solution]
        pieces = iter(tokenizer(flat, add_special_tokens=False, split_special_tokens=True).input_ids)
        for solution, of_solution in zip(batch, texts, strict=True):
            question = questions[solution.problem]
            if solution.problem != last:  # solutions of a problem mostly stand together
                last, prompt = solution.problem, prompt_tokens(question, tokenizer)
            tokens: list[int] = []
            ends: list[int] = []
            for piece in islice(pieces, len(of_solution)):
                tokens += piece
                ends.append(len(tokens))
            yield Chain(
                id=solution.id,
                problem=solution.problem,
                domain=question.domain,
                prompt=prompt,
                tokens=tuple(tokens),
                ends=tuple(ends),
                text="".join(of_solution),
                finished=solution.finished,
            )
