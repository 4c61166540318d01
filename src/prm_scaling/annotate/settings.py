"""The parameters of the annotate phase."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from prm_scaling.annotate.formats import VERDICTS, formats
from prm_scaling.strict import Count, Share, Strict, known

Positive = Annotated[float, Field(gt=0)]
# Names of other files beside a judge's.
RESERVED = {"human", "ratings", "monte_carlo", "seeded", "seeded_chains", "consensus"}


class Completer(Strict):
    """Who rolls out for Monte Carlo labels (Math-Shepherd's completer), and at which temperature."""

    model: str
    temperature: Annotated[float, Field(ge=0)]


class TreeParams(Strict):
    """OmegaPRM's tree, see :class:`prm_scaling.annotate.tree.Priority`; ``seeds`` new chains a problem at most."""

    seeds: Annotated[int, Field(ge=0)]
    alpha: Annotated[float, Field(gt=0, le=1)]
    beta: Annotated[float, Field(gt=0, le=1)]
    length: Positive
    exploration: Annotated[float, Field(ge=0)]


class Judge(Strict):
    """An LM that judges: how it is asked (a name in ``annotate/formats.py``), and how often.

    Attributes:
        votes: critiques of a chain.
        tokens: of a critique at most.
    """

    model: str
    prompt: str = VERDICTS
    votes: Count = 1
    temperature: Annotated[float, Field(ge=0)] = 0.0
    tokens: Count = 1024

    @model_validator(mode="after")
    def _asked(self) -> "Judge":
        known("prompt", [self.prompt], formats(), "annotate/prompts/")
        if self.votes > 1 and not self.temperature:
            raise ValueError(
                f"{self.votes} votes at temperature 0 are {self.votes} times the same critique; raise `temperature`, "
                "or ask for one vote"
            )
        return self


class Annotate(Strict):
    """The annotate phase; a judge is a model's name (one greedy critique, verdicts between the steps) or in full."""

    completer: Completer
    mode: Literal["binary", "full", "tree"]
    rollouts: Count
    threshold: Share
    tree: TreeParams
    chains_a_shard: Count
    neutral_right: bool
    judges: dict[str, str | Judge]
    audit: list[str] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_free(self) -> "Annotate":
        for name in self.judges:
            if name in RESERVED or not name.isidentifier():
                raise ValueError(
                    f"judges.{name}: a judge's name is made of letters, digits and _, and none of {sorted(RESERVED)}"
                )
        return self

    def judging(self) -> dict[str, Judge]:
        """All judges in full, by name."""
        return {name: Judge(model=j) if isinstance(j, str) else j for name, j in self.judges.items()}

    def voting(self) -> list[str]:
        """The judges whose votes are kept: those that are given in full."""
        return [name for name, judge in self.judges.items() if isinstance(judge, Judge)]
