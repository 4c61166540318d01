"""The pre-training corpus of the ladder: solutions, self-corrections and critiques of embedded problems."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
from transformers import PreTrainedTokenizerBase

from prm_scaling.models.example import Example
from prm_scaling.models.tokenizer import PIECES
from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.solutions import CHECK, RIGHT, WRONG, Judged, critique, drill, review, solution
from prm_scaling.seeds import stream

# A position at which nothing is to be predicted.
NOTHING = -1


class Piece(NamedTuple):
    """A piece of a document's text.

    Attributes:
        text: what is written.
        learnt: whether its tokens are to be predicted.
        verdict: what is to be predicted after its last token although it is not written; empty for what follows.
    """

    text: str
    learnt: bool
    verdict: str = ""


@dataclass(frozen=True)
class Document:
    """One document; ``targets[i]`` is what is to be predicted after token i, ``NOTHING`` where nothing is."""

    kind: str
    tokens: tuple[int, ...]
    targets: tuple[int, ...]


def write_document(
    problem: Problem,
    seed: int,
    critiques: float,
    reviews: float,
    drills: float,
    error_rate: float,
    broken_off: float,
    self_correction_rate: float,
    misconceptions: float,
) -> tuple[str, list[Piece]]:
    """(kind, pieces of text): a solution, a critique of one full of errors, a review of one, a drill.

    Of critiques and drills the verdicts and the right steps are learnt; errors are not for imitation. The
    right steps matter: from verdicts alone a small model learns nothing about modular arithmetic, while one
    that must also predict the right result soon tells when another stands there. Some wrong steps are broken off
    at the wrong word, which shows where to look; without that, comparing a step with its clause was not
    learnt in the time there is. A review has no verdicts between its steps, as the chains have none that a PRM
    rates: they are predicted at the end of each step and after its line break, where the PRM is read, and not written.

    Args:
        critiques: share of critiques.
        reviews: share of reviews.
        drills: share of drills, in domains that have them.
        error_rate: of the steps of critiques and drills, and half of it of those of reviews.
        broken_off: share of the wrong steps of critiques and drills that are shown only up to the word that is wrong.
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
    if kind < drills + critiques + reviews:
        return "review", _reviewed(problem.text + CHECK, review(problem, rng, error_rate / 2))
    lines = solution(problem, rng, self_correction_rate, misconceptions)
    return "solution", [Piece(problem.text, False), Piece("\n".join(lines), True)]


def _judged(given: str, judged: list[Judged], rng: np.random.Generator, broken_off: float) -> list[Piece]:
    pieces = [Piece(given, False)]
    for step, verdict, right in judged:
        shown = until_wrong(step, right) if rng.random() < broken_off else step
        pieces += [Piece(shown, verdict == RIGHT), Piece(verdict, True), Piece("\n", False)]
    return pieces[:-1]


def _reviewed(given: str, lines: list[tuple[str, bool]]) -> list[Piece]:
    pieces = [Piece(given, False)]
    for line, right in lines:
        verdict = RIGHT if right else WRONG
        # After the line's last word, where a critique has it written, and after its end, where a PRM is read.
        pieces += [Piece(line, right, verdict), Piece("\n", False, verdict)]
    return pieces[:-1]


def until_wrong(step: str, right: str) -> str:
    """``step`` up to the first word that is not that of ``right``, or whole if there is none.

    >>> until_wrong("a: 5 + 2 = 8", "a: 5 - 2 = 3")
    'a: 5 +'
    """
    words, others = re.findall(PIECES, step), re.findall(PIECES, right)
    same = next((i for i, (a, b) in enumerate(zip_longest(words, others)) if a != b), len(words))
    return "".join(words[: same + 1])


def tokenize(texts: Sequence[tuple[str, list[Piece]]], tokenizer: PreTrainedTokenizerBase) -> list[Document]:
    """The documents' ids; the pieces are tokenized apart, and that a solution ends is learnt too.

    Raises:
        ValueError: the verdicts begin with the same token, so that a single prediction cannot tell them apart.
    """
    right, wrong = (ids[0] for ids in tokenizer([RIGHT, WRONG], add_special_tokens=False).input_ids)
    if right == wrong:
        raise ValueError(f"`{RIGHT}` and `{WRONG}` begin with the same token; a larger tokenizer_vocabulary helps")
    flat = [text for _, pieces in texts for piece in pieces for text in (piece.text, piece.verdict)]
    ids = iter(tokenizer(flat, add_special_tokens=False).input_ids)
    documents = []
    for kind, pieces in texts:
        tokens: list[int] = []
        targets: list[int] = []
        for piece in pieces:
            written, verdict = next(ids), next(ids)
            wanted = [token if piece.learnt else NOTHING for token in written]
            # The first token of a piece is predicted after the last one before it, unless a verdict is.
            if targets and targets[-1] == NOTHING:
                targets[-1] = wanted[0]
            tokens += written
            targets += [*wanted[1:], verdict[0] if verdict else NOTHING]
        if kind == "solution":
            targets[-1] = tokenizer.eos_token_id
        documents.append(Document(kind, (*tokens, tokenizer.eos_token_id), (*targets, NOTHING)))
    return documents


def example(document: Document) -> Example:
    """A training example of the document."""
    return Example(document.tokens, tuple(math.nan if t == NOTHING else float(t) for t in document.targets))
