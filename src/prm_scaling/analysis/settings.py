"""The ``studies`` section of params.yaml: what is trained, searched and rated for a study of its own."""

from pydantic import Field

from prm_scaling.strict import Strict


class Transfer(Strict):
    """PRMs of these training sets choose among the samples of these policies, in every domain.

    The first training set of a domain stands for it: the others are held against it there.
    """

    trainings: list[str] = Field(min_length=1)
    policies: list[str] = Field(min_length=1)


class Studies(Strict):
    """What goes beyond the paper's figures.

    Attributes:
        transfer: across domains and policies.
        guided: strategies that are searched with the PRMs of every size, and not only of the common one.
        pretraining: sizes of the ladder of whose pre-training PRMs start from every kept checkpoint too.
    """

    transfer: Transfer
    guided: list[str]
    pretraining: list[str]
