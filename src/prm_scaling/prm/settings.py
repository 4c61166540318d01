"""The parameters that describe PRMs: what they are trained on and with which head, and those that come from the hub."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from prm_scaling.problems.datasets.settings import DomainName
from prm_scaling.strict import Count, Strict

# What stands for the size of a PRM that is not trained here.
PUBLISHED = "published"


ANNOTATORS = ("human", "ratings", "monte_carlo", "seeded", "consensus")


class TrainingSet(Strict):
    """A PRM's training data: chains of these sets, labelled by this annotator; and its head.

    Attributes:
        annotator: one of :data:`ANNOTATORS`, or a judge.
            ``consensus``: Monte Carlo's labels, of the chains on which all judges agree with it.
        judges: of a consensus, those who must agree; all where none is named.
        labels, threshold, loss: see :class:`prm_scaling.annotate.labels.Labelling`.
        class_weight: ``balanced`` gives right and wrong steps the same total weight in the loss.
        head: ``value`` (a scalar), ``pair`` (the released Qwen form), or ``outcome``: a scalar that is trained on one
            label a chain, whether its answer is right.
        size: of its PRMs, where they are for a study alone; without it they are of the common size, in every figure.
    """

    chains: list[str] = Field(min_length=1)
    annotator: str
    judges: list[str] = Field(default_factory=list)
    labels: Literal["hard", "soft"] = "hard"
    threshold: Annotated[float, Field(ge=0, lt=1)] | None = None
    loss: Literal["all", "first_error"] = "all"
    class_weight: Literal["balanced"] | None = None
    head: Literal["value", "pair", "outcome"] = "value"
    size: str | None = None

    @model_validator(mode="after")
    def _labels_fit(self) -> "TrainingSet":
        if self.judges and self.annotator != "consensus":
            raise ValueError(f"judges {self.judges} agree with Monte Carlo in a consensus: set `annotator: consensus`")
        if self.labels == "soft" and self.threshold is not None and self.loss == "all":
            raise ValueError(
                f"threshold {self.threshold:g}: soft labels have none, but for `loss: first_error`; leave it out"
            )
        from_rollouts = {"labels": self.labels == "soft", "threshold": self.threshold is not None}
        from_rollouts["head"] = self.head == "outcome"
        if any(from_rollouts.values()) and self.annotator not in ("monte_carlo", "consensus"):
            field = next(name for name, asked in from_rollouts.items() if asked)
            raise ValueError(
                f"{field} `{getattr(self, field)}` follows from rollouts, and annotator `{self.annotator}` has none; "
                "use `monte_carlo` or `consensus`"
            )
        if self.head == "outcome" and (self.labels, self.threshold, self.loss) != ("hard", None, "all"):
            raise ValueError("head `outcome` has one label a chain: leave out labels, threshold and loss")
        return self


class Lora(Strict):
    """Low-rank adapters in place of the whole model: peft's rank, alpha and target modules."""

    rank: Count
    alpha: Count
    targets: list[str] = Field(min_length=1)


class PublishedPrm(Strict):
    """A PRM from the hub, in a form of ``prm/published/``, that rates the solutions of one domain."""

    hub: Annotated[str, Field(min_length=1)]
    revision: str = ""
    form: Literal["qwen", "math_shepherd", "skywork"]
    parameters: Count
    domain: DomainName
