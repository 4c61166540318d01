"""The ``models`` section of params.yaml: the language models of a run, and how those that are made here are trained."""

from itertools import pairwise
from typing import Annotated

from pydantic import Field, model_validator

from prm_scaling.strict import Count, Share, Strict


class LanguageModel(Strict):
    """A causal LM: a shape to train from scratch, or a hub model's name."""

    layers: Count | None = None
    width: Count | None = None
    heads: Count | None = None
    steps: Count | None = None
    hub: str = ""
    revision: str = ""
    parameters: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _one_kind(self) -> "LanguageModel":
        shape = [self.layers, self.width, self.heads, self.steps]
        if self.hub and any(v is not None for v in shape):
            raise ValueError("give either `hub` or a shape (layers, width, heads, steps), not both")
        if not self.hub and any(v is None for v in shape):
            raise ValueError("a model needs layers, width, heads and steps, or `hub`")
        if self.width and self.heads and self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} does not split into {self.heads} heads of even size")
        return self

    @property
    def size(self) -> int:
        """Non-embedding parameters: as stated for a hub model, else those of a Qwen2 of this shape."""
        if self.hub:
            return self.parameters
        assert self.layers and self.width
        d = self.width
        attention, mlp = 4 * d * d + 3 * d, 3 * d * 2 * d
        return self.layers * (attention + mlp + 2 * d) + d


class DocumentRates(Strict):
    """How the documents that LMs are trained on are written."""

    critiques: Share
    reviews: Share
    drills: Share
    error_rate: Share
    broken_off: Share
    self_correction_rate: Share
    misconceptions: Share

    @model_validator(mode="after")
    def _shares_fit(self) -> "DocumentRates":
        if (judged := self.critiques + self.reviews + self.drills) > 1:
            raise ValueError(f"critiques, reviews and drills are {judged:g} of all documents; at most 1 is possible")
        return self


class Variant(Strict):
    """A further LM: ``base`` trained on for ``steps``, with ``documents`` in place of those of pre-training."""

    base: str
    steps: Count
    documents: DocumentRates


class Pretraining(Strict):
    """How the ladder's causal LMs are trained."""

    tokenizer_vocabulary: Count
    batch: Count
    learning_rate: Annotated[float, Field(gt=0)]
    documents: DocumentRates
    checkpoints: list[Share]


class Models(Strict):
    """The models phase: the sizes of the PRMs, variants of them, and other policies and judges."""

    ladder: dict[str, LanguageModel]
    variants: dict[str, Variant]
    others: dict[str, LanguageModel] = Field(default_factory=dict)
    pretraining: Pretraining

    @model_validator(mode="after")
    def _ladder_ascends(self) -> "Models":
        sizes = {name: m.size for name, m in self.ladder.items()}
        for (a, n), (b, m) in pairwise(sizes.items()):
            if n >= m:
                raise ValueError(
                    f"ladder: `{b}` ({m:,} non-embedding parameters) stands after `{a}` ({n:,}); "
                    "list the sizes from the smallest to the largest"
                )
        for name, variant in self.variants.items():
            if variant.base not in self.bases:
                raise ValueError(
                    f"variants.{name}.base `{variant.base}` is not in ladder or others: {list(self.bases)}"
                )
        return self

    @property
    def bases(self) -> dict[str, LanguageModel]:
        """All but the variants, by name."""
        return {**self.ladder, **self.others}


def early_step(share: float, model: LanguageModel) -> int:
    """The step of a checkpoint that is kept at this share of a model's pre-training."""
    assert model.steps, "a model that is trained here"
    return max(1, round(share * model.steps))
