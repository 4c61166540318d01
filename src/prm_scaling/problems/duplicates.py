"""Which problems of a training source are duplicates of held-out ones: exact, or near by MinHash.

Near duplicates are found as in Lee et al., "Deduplicating Training Data Makes Language Models Better" (arXiv
2107.06499): candidates by locality-sensitive hashing of MinHash signatures of the n-grams of words, then the Jaccard
index of the n-grams themselves, so that no two texts are called near duplicates that are none. Time and memory are
linear in the texts.
"""

import hashlib
import re
import unicodedata
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

WORDS = re.compile(r"\w+|[^\w\s]")
# Missing a pair costs more than looking at one too many, as the Jaccard index decides: of (false positives, false
# negatives).
WEIGHTS = (0.1, 0.9)


@dataclass(frozen=True)
class Near:
    """When texts are near duplicates, see ``problems.duplicates`` in params.yaml."""

    ngram: int
    permutations: int
    threshold: float


@dataclass(frozen=True)
class Match:
    """The held-out problem that a text is a duplicate of: its set and id."""

    kind: Literal["exact", "near"]
    dataset: str
    id: str


def normalised(text: str) -> str:
    """A text without differences of case, white space and the forms of characters; signs stay, as they have meaning.

    >>> normalised(" What is\\n２ + X ?") == normalised("what is 2 + x ?")
    True
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def digest(text: str) -> str:
    """A short name of a normalised text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def shingles(text: str, ngram: int) -> set[str]:
    """The n-grams of words and signs of a normalised text; of a shorter one, the text itself."""
    words = WORDS.findall(text)
    return {" ".join(words[i : i + ngram]) for i in range(max(1, len(words) - ngram + 1))}


def jaccard(a: set[str], b: set[str]) -> float:
    """The share of n-grams that two texts have in common."""
    return len(a & b) / len(a | b)


class HeldOut:
    """An index of held-out problems."""

    def __init__(self, near: Near | None = None):
        """``near`` is ``None`` where only exact duplicates count."""
        self._near = near
        self._exact: dict[str, tuple[str, str]] = {}
        if near is not None:
            # Imported here: it brings scipy, which sets that are only looked through for exact duplicates do without.
            from datasketch import MinHash, MinHashLSH

            self._blank = MinHash(near.permutations, hashfunc=zlib.crc32)
            self._index = MinHashLSH(near.threshold, near.permutations, weights=WEIGHTS)

    def add(self, dataset: str, id: str, text: str) -> None:
        """Adds one held-out problem; of several with the same text the first stands for all."""
        text = normalised(text)
        if text in self._exact:
            return
        self._exact[text] = (dataset, id)
        if self._near is not None:
            self._index.insert(text, self._signature(shingles(text, self._near.ngram)), check_duplication=False)

    def match(self, text: str) -> Match | None:
        """The held-out problem that ``text`` is a duplicate of, the nearest if there are several."""
        text = normalised(text)
        if text in self._exact:
            return Match("exact", *self._exact[text])
        if self._near is None or not self._exact:
            return None
        own = shingles(text, self._near.ngram)
        candidates = sorted(self._index.query(self._signature(own)))
        shares = [jaccard(own, shingles(other, self._near.ngram)) for other in candidates]
        best = max(shares, default=0.0)
        if best < self._near.threshold:
            return None
        return Match("near", *self._exact[candidates[shares.index(best)]])

    def _signature(self, grams: Iterable[str]) -> Any:
        signature = self._blank.copy()
        signature.update_batch([gram.encode() for gram in grams])
        return signature
