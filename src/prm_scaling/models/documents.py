"""The pre-training corpus of the ladder: solutions, self-corrections and critiques of embedded problems."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
from transformers import PreTrainedTokenizerBase

from prm_scaling.models.example import Example
from prm_scaling.models.tokenizer import PIECES
from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.solutions import CHECK, RIGHT, Judged, critique, drill, solution
from prm_scaling.seeds import stream


@dataclass(frozen=True)
class Document:
    """One document; ``learnt[i]`` says whether token i is to be predicted."""

    kind: str
    tokens: tuple[int, ...]
    learnt: tuple[bool, ...]


def write_document(
    problem: Problem,
    seed: int,
    critiques: float,
    drills: float,
    error_rate: float,
    broken_off: float,
    self_correction_rate: float,
    misconceptions: float,
) -> tuple[str, list[tuple[str, bool]]]:
    """(kind, pieces of text, each with whether it is learnt): a solution, a critique of one full of errors, a drill.

    Of critiques and drills the verdicts and the right steps are learnt; errors are not for imitation. The
    right steps matter: from verdicts alone a small model learns nothing about modular arithmetic, while one
    that must also predict the right result soon tells when another stands there. Some wrong steps are broken off
    at the wrong word, which shows where to look; without that, comparing a step with its clause was not
    learnt in the time there is.

    Args:
        critiques: share of critiques.
        drills: share of drills, in domains that have them.
        error_rate: of the steps of critiques and drills.
        broken_off: share of their wrong steps that are shown only up to the word that is wrong.
        self_correction_rate: of the steps of solutions.
        misconceptions: share of the topics on which the writer of solutions is mistaken.
    """
    rng = stream(seed, "document", problem.id)
    kind = rng.random()
    if kind < drills:
        start, judged = drill(problem, rng, error_rate)
        if judged:
            return "drill", _judged(start + CHECK, judged, rng, broken_off)
    if kind < drills + critiques:
        return "critique", _judged(problem.text + CHECK, critique(problem, rng, error_rate), rng, broken_off)
    lines = solution(problem, rng, self_correction_rate, misconceptions)
    return "solution", [(problem.text, False), ("\n".join(lines), True)]


def _judged(given: str, judged: list[Judged], rng: np.random.Generator, broken_off: float) -> list[tuple[str, bool]]:
    pieces = [(given, False)]
    for step, verdict, right in judged:
        shown = until_wrong(step, right) if rng.random() < broken_off else step
        pieces += [(shown, verdict == RIGHT), (verdict, True), ("\n", False)]
    return pieces[:-1]


def until_wrong(step: str, right: str) -> str:
    """``step`` up to the first word that is not that of ``right``, or whole if there is none.

    >>> until_wrong("a: 5 + 2 = 8", "a: 5 - 2 = 3")
    'a: 5 +'
    """
    words, others = re.findall(PIECES, step), re.findall(PIECES, right)
    same = next((i for i, (a, b) in enumerate(zip_longest(words, others)) if a != b), len(words))
    return "".join(words[: same + 1])


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
