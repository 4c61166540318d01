"""What a data set's module states of its set, and what it makes of one of the set's records."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Record = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What of a set is read.

    Attributes:
        since: first day of the window, ``YYYY-MM-DD``, empty for none; of sets whose problems have dates.
        until: first day after it.
        hidden: whether a problem without hidden tests is malformed; else its public ones stand in for them.
        alternatives: whether the steps that annotators rated and did not go on from make solutions too.
    """

    since: str = ""
    until: str = ""
    hidden: bool = True
    alternatives: bool = True


@dataclass(frozen=True)
class RatedSteps:
    """A solution whose steps are rated.

    Attributes:
        steps: their texts.
        ratings: a step: 1 right, 0 neutral, -1 wrong, ``None`` not rated.
        category: the set's own: a phase, a source, a subset, a class of errors.
        finished: whether it ends with an answer.
        right: whether that answer is right, if the set says so.
    """

    steps: tuple[str, ...]
    ratings: tuple[int | None, ...]
    category: str = ""
    finished: bool = True
    right: bool | None = None


@dataclass(frozen=True)
class Entry:
    """What one record says.

    Attributes:
        text: the prompt.
        reference: the answer (math) or the JSON of the hidden tests (code); empty where the set states none.
        public_inputs: JSON list of inputs that a program may be run on, see ``Problem``.
        template: the set's own kind of problem: a subject, a platform.
        difficulty: the set's own, from 1 up; 0 where it states none.
        solutions: of sets with rated steps.
    """

    text: str
    reference: str = ""
    public_inputs: str = "[]"
    template: str = ""
    difficulty: int = 0
    solutions: tuple[RatedSteps, ...] = ()


@dataclass(frozen=True)
class DataSet:
    """A public data set.

    Attributes:
        domain: of all its problems.
        licence: SPDX name, or the words of its authors.
        citation: the paper.
        hub: its name on the Hugging Face hub.
        revision: the commit there that is read if the parameters name no other.
        read: makes an entry of a record; ``None`` where the options leave it out. Raises :class:`Malformed`.
        names: its configurations on the hub, all of which are read if the parameters name none.
        files: patterns of its files on the hub, with ``{split}``; empty where the hub's own layout says it.
        labelled: whether its entries have solutions with rated steps.
        dated: whether its problems have dates.
        unittests: whether its hidden tests are classes of ``unittest``, which run in ``bubblewrap`` only.
        folder: makes a record of a problem's folder, where the set is also spread as folders.
    """

    domain: Literal["math", "code", "logic"]
    licence: str
    citation: str
    hub: str
    revision: str
    read: Callable[[Record, Options], Entry | None]
    names: tuple[str, ...] = ("",)
    files: tuple[str, ...] = ()
    labelled: bool = False
    dated: bool = False
    unittests: bool = False
    folder: Callable[[Path], Record] | None = None


class Malformed(ValueError):
    """A record that cannot be used: the field to blame, and why."""

    def __init__(self, field: str, reason: str):
        super().__init__(f"{field}: {reason}")
        self.field, self.reason = field, reason
