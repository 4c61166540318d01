"""The pre-training corpus of the ladder: solutions, self-corrections and critiques of embedded problems."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from prm_scaling.models.training import Example
from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.solutions import CHECK, RIGHT, critique, flawed, solution
from prm_scaling.seeds import stream


@dataclass(frozen=True)
class Document:
    """One document; ``learnt[i]`` says whether token i is to be predicted."""

    kind: str
    tokens: tuple[int, ...]
    learnt: tuple[bool, ...]


def write_document(
    problem: Problem, seed: int, critiques: float, error_rate: float, self_correction_rate: float
) -> tuple[str, list[tuple[str, bool]]]:
    """(kind, pieces of text, each with whether it is learnt): a solution, or a critique of a flawed chain.

    Of a critique the verdicts and the right steps are learnt; errors are not for imitation. The right
    steps matter: from verdicts alone a small model learns nothing about modular arithmetic, while one that
    must also predict the right result soon tells when another stands there.
    """
    rng = stream(seed, "document", problem.id)
    if rng.random() >= critiques:
        return "solution", [(problem.text, False), ("\n".join(solution(problem, rng, self_correction_rate)), True)]
    chain = flawed(problem, rng, error_rate, self_correction_rate)
    pieces = [(problem.text + CHECK, False)]
    for step, verdict in critique(problem, chain):
        pieces += [(step, verdict == RIGHT), (verdict, True), ("\n", False)]
    return "critique", pieces[:-1]


def tokenize(
    texts: Sequence[tuple[str, list[tuple[str, bool]]]], tokenizer: PreTrainedTokenizerBase
) -> list[Document]:
    """The documents' ids; the pieces are tokenized apart, and the end-of-text token is learnt too."""
    flat = [piece for _, pieces in texts for piece, _ in pieces]
    ids = iter(tokenizer(flat, add_special_tokens=False).input_ids)
    documents = []
    for kind, pieces in texts:
        tokens: list[int] = []
        learnt: list[bool] = []
        for _, wanted in pieces:
            piece = next(ids)
            tokens += piece
            learnt += [wanted] * len(piece)
        documents.append(Document(kind, (*tokens, tokenizer.eos_token_id), (*learnt, kind == "solution")))
    return documents


def example(document: Document) -> Example:
    """A training example: the target of a position is the next token, where that is to be learnt."""
    following = zip(document.tokens[1:], document.learnt[1:], strict=True)
    return Example(document.tokens, (*(float(t) if wanted else math.nan for t, wanted in following), math.nan))
