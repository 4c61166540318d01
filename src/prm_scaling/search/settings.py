"""The ``search`` section of params.yaml: what all strategies share, and a section for each strategy."""

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field, ValidationError, create_model, model_validator

from prm_scaling.search import STRATEGIES
from prm_scaling.search.choose import Aggregation
from prm_scaling.search.strategy import Parameters
from prm_scaling.strict import Count, Strict

# What curves of a pool are called, besides the strategies.
TAKEN = {"majority", "best_of_n", "weighted", "pass"}


class Variant(Strict):
    """A strategy under another name, with other parameters: ``{of: rebase, rebase: {rounding: released}}``.

    Besides ``of`` it has sections of strategies, laid over those of the same name.
    """

    model_config = ConfigDict(extra="allow")

    of: str

    @property
    def changes(self) -> dict[str, dict[str, Any]]:
        """The sections that differ."""
        return self.model_extra or {}


class Front(Strict):
    """Policies of the ladder whose accuracy is held against compute (Wu et al.), and the samples that each makes."""

    policies: list[str] = Field(min_length=1)
    samples: Count


class Timing(Strict):
    """How the seconds of the time view are taken: on so many test problems, so many times, the strategies in turn."""

    questions: Count
    repeats: Count


class SearchBase(Strict):
    """The search phase, without the strategies' own sections."""

    # The stored schema must not refuse the section of a strategy that was registered since; this model does.
    model_config = ConfigDict(json_schema_extra={"additionalProperties": {"type": "object"}})

    policy: str
    generators: list[str] = Field(min_length=1)
    temperature: Annotated[float, Field(ge=0)]
    step_tokens: Count
    max_steps: Count
    pool: Count
    front: Front
    timing: Timing
    table_samples: Count
    budgets: list[Count] = Field(min_length=1)
    strategies: list[str] = Field(min_length=1)
    variants: dict[str, Variant] = Field(default={})
    aggregation: Aggregation | Literal["validation"]

    def strategy_of(self, name: str) -> str:
        """The registered strategy behind a name of ``strategies``."""
        return self.variants[name].of if name in self.variants else name

    def sections(self, name: str) -> dict[str, dict[str, Any]]:
        """The sections that a strategy or variant reads: its own, and those that it needs.

        They are plain values, for a rule's parameters; :func:`parameters` reads them.
        """
        of = self.strategy_of(name)
        return {key: value.model_dump(mode="json") for key, value in self._sections(of, name).items()}

    def answer(self, name: str) -> str:
        """How a strategy or variant chooses its answer."""
        of = self.strategy_of(name)
        return self._section(of, name).answer

    def _sections(self, of: str, name: str) -> dict[str, Parameters]:
        own = self._section(of, name)
        return {of: own} | {other: self._section(other, name) for other in own.needs}

    def _section(self, section: str, name: str) -> Parameters:
        """One strategy's parameters, as the variant ``name`` has them if it is one."""
        given: Parameters = getattr(self, section)
        changes = self.variants[name].changes.get(section) if name in self.variants else None
        return type(given).model_validate(given.model_dump() | changes) if changes else given

    @model_validator(mode="after")
    def _variants_exist(self) -> "SearchBase":
        for name, variant in self.variants.items():
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in TAKEN or name in STRATEGIES:
                raise ValueError(f"variants: `{name}` is taken, or no lower-case word; choose another name")
            if variant.of not in STRATEGIES:
                raise ValueError(f"variants.{name}.of: `{variant.of}` does not exist; there are {sorted(STRATEGIES)}")
            for section, changes in variant.changes.items():
                if section not in STRATEGIES or not isinstance(changes, dict):
                    raise ValueError(f"variants.{name}.{section}: not a section of one of {sorted(STRATEGIES)}")
                try:
                    self._section(section, name)
                except ValidationError as error:
                    first = error.errors()[0]
                    field = ".".join(map(str, first["loc"]))
                    raise ValueError(
                        f"variants.{name}.{section}.{field}: {first['msg']} (value: {first['input']!r})"
                    ) from None
        return self

    @model_validator(mode="after")
    def _strategies_can_search(self) -> "SearchBase":
        if self.budgets != sorted(set(self.budgets)):
            raise ValueError(f"budgets {self.budgets}: list each once, ascending")
        if len(set(self.strategies)) < len(self.strategies):
            raise ValueError(f"strategies {self.strategies}: list each once")
        for name in self.strategies:
            if name not in STRATEGIES and name not in self.variants:
                known = sorted([*STRATEGIES, *self.variants])
                raise ValueError(f"strategies: `{name}` does not exist; there are {known}")
            own = self._section(self.strategy_of(name), name)
            for budget in self.budgets:
                if reason := own.unfit(budget):
                    raise ValueError(f"budgets: `{name}` cannot search with each of {self.budgets}: {reason}")
        if self.pool < max(self.budgets[-1], self.table_samples):
            raise ValueError(f"pool {self.pool} is below the largest budget or table_samples: sample more")
        return self


def search_model() -> type[SearchBase]:
    """The model of the section: whoever registers a strategy has its parameters here, under its name."""
    kinds = {name: strategy.parameters for name, strategy in STRATEGIES.items()}
    # A section may be left out where each of its parameters has a default.
    sections: dict[str, Any] = {n: (kind, ... if kind.required() else kind()) for n, kind in kinds.items()}
    return create_model("Search", __base__=SearchBase, __doc__="The search phase.", **sections)


if TYPE_CHECKING:
    Search = SearchBase
else:
    Search = search_model()


def parameters(sections: dict[str, dict[str, Any]], thresholds: dict[str, float] | None = None) -> Any:
    """What :meth:`SearchBase.sections` gave, as the ``params`` of a strategy.

    Args:
        thresholds: those that were chosen for the router, where its section leaves that to validation.
    """
    if thresholds:
        sections = sections | {"router": sections["router"] | {"thresholds": thresholds}}
    return SimpleNamespace(**{k: STRATEGIES[k].parameters.model_validate(v) for k, v in sections.items()})
