"""The records with which everything starts: a problem, and the part of it that a solver may see."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """What a policy, a PRM or a search strategy sees of a problem: never its reference.

    ``public_inputs`` are arguments that a program may be run on, without the outputs that are expected.
    """

    id: str
    domain: str
    text: str
    public_inputs: str = "[]"


@dataclass(frozen=True)
class Problem:
    """A problem with a reference that a grader can check.

    Attributes:
        id: unique over all data sets and splits.
        domain: ``math``, ``code`` or ``logic``.
        dataset: the named set it belongs to (``math_unseen``, ``gsm8k``, ...).
        split: ``pretrain``, ``train``, ``validation`` or ``test``.
        template: the surface template's name (one of the studied variables); of a public set its own kind of problem.
        text: the prompt; for code it ends with the function's signature.
        reference: the answer (math, logic), or the JSON of hidden tests, a ``code_tests.Suite`` (code).
        public_inputs: JSON list of argument lists or standard inputs that may be run while voting (code), else ``[]``.
        difficulty: number of steps of the reference derivation; of a public set its own level, 0 if it has none.
        derivation: JSON of the generator's own derivation; empty where the truth is not known.
    """

    id: str
    domain: str
    dataset: str
    split: str
    template: str
    text: str
    reference: str
    public_inputs: str
    difficulty: int
    derivation: str

    @property
    def question(self) -> Question:
        """The problem without its reference."""
        return Question(self.id, self.domain, self.text, self.public_inputs)
