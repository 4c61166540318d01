"""The pre-training corpus of the ladder: solutions, self-corrections and critiques of embedded problems."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from prm_scaling.models.training import Example
from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.solutions import CHECK, RIGHT, critique, drill, solution
from prm_scaling.seeds import stream

DRILL_LINES = 12


@dataclass(frozen=True)
class Document:
    """One document; ``learnt[i]`` says whether token i is to be predicted."""

    kind: str
    tokens: tuple[int, ...]
    learnt: tuple[bool, ...]


def write_document(
    problem: Problem, seed: int, critiques: float, drills: float, error_rate: float, self_correction_rate: float
) -> tuple[str, list[tuple[str, bool]]]:
    """(kind, pieces of text, each with whether it is learnt): a solution, a critique of one full of errors, a drill.

    Of critiques and drills the verdicts and the right steps are learnt; errors are not for imitation. The
    right steps matter: from verdicts alone a small model learns nothing about modular arithmetic, while one
    that must also predict the right result soon tells when another stands there.

    Args:
        critiques: share of critiques.
        drills: share of drills, in domains that have them.
        error_rate: of the steps of critiques and drills.
        self_correction_rate: of the steps of solutions.
    """
    rng = stream(seed, "document", problem.id)
    kind = rng.random()
    if kind < drills and (judged := drill(problem, rng, DRILL_LINES, error_rate)):
        return "drill", _judged(CHECK, judged, learn_steps=False)
    if kind < drills + critiques:
        judged = critique(problem, solution(problem, rng, error_rate))
        return "critique", _judged(problem.text + CHECK, judged, learn_steps=True)
    return "solution", [(problem.text, False), ("\n".join(solution(problem, rng, self_correction_rate)), True)]


def _judged(given: str, judged: list[tuple[str, str]], learn_steps: bool) -> list[tuple[str, bool]]:
    pieces = [(given, False)]
    for step, verdict in judged:
        pieces += [*_step(step, verdict == RIGHT, learn_steps), (verdict, True), ("\n", False)]
    return pieces[:-1]


def _step(step: str, right: bool, whole: bool) -> list[tuple[str, bool]]:
    """A step's pieces; of a drill's right step, which nothing announces, only its last word can be learnt."""
    if whole or not right:
        return [(step, right)]
    start, space, last = step.rpartition(" ")
    return [(start, False), (space + last, True)]


def tokenize(texts: Sequence[tuple[str, list[tuple[str, bool]]]], tokenizer: PreTrainedTokenizerBase) -> list[Document]:
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
