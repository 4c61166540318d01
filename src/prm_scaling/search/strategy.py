"""What a strategy is to the rest of the project: a search, and the parameters that it is told.

A strategy of your own is one file::

    class Mine(Parameters):
        width: Count

    def mine(budget: int, params, max_steps: int) -> Searching:
        grown = yield children([ROOT], [budget])  # params.mine.width is its parameter
        ...

and one line of ``search/__init__.py``: ``"mine": Strategy(mine, Mine)``. Its parameters are then ``search.mine`` in
params.yaml, ``search.strategies`` may name it, and each figure over budgets has its curve.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from prm_scaling.search.path import Searching
from prm_scaling.strict import Strict


class Parameters(Strict):
    """The parameters of a strategy; also those of one that has none of its own.

    Attributes:
        answer: how one answer is chosen among the candidates, see :func:`prm_scaling.analysis.trees.correctness`.
    """

    # The parameter that the least budget comes from, and the one that every budget is a multiple of, for messages.
    bound: ClassVar[str] = ""
    divisor: ClassVar[str] = ""

    answer: Literal["best_leaf", "weighted_vote"] = "best_leaf"

    @classmethod
    def required(cls) -> bool:
        """Whether params.yaml has to have a section of it: some of its parameters have no default."""
        return any(field.is_required() for field in cls.model_fields.values())

    @property
    def least(self) -> int:
        """The least budget that the strategy can search with."""
        return getattr(self, self.bound or self.divisor) if self.bound or self.divisor else 1

    @property
    def needs(self) -> tuple[str, ...]:
        """The strategies whose parameters this one uses besides its own."""
        return ()

    def unfit(self, budget: int) -> str:
        """Why the strategy cannot search with ``budget``; empty if it can."""
        if budget < self.least:
            field = self.bound or self.divisor
            return f"the budget {budget} is below {field} {self.least}; raise the budget or lower {field}"
        if self.divisor and budget % getattr(self, self.divisor):
            value = getattr(self, self.divisor)
            return f"the budget {budget} is not a multiple of {self.divisor} {value}; change one of them"
        return ""

    def at_most(self, budget: int) -> int:
        """The largest budget up to ``budget`` that the strategy can search with; 0 if there is none."""
        return next((b for b in range(budget, 0, -1) if not self.unfit(b)), 0)


@dataclass(frozen=True)
class Strategy:
    """A registered strategy; it is called as its search is: ``(budget, params, max_steps)``.

    Attributes:
        search: starts one question's search. ``budget`` is in solutions; ``params`` holds the parameters of each
            strategy under its name; ``max_steps`` is the greatest depth of a path.
        parameters: what it can be told.
    """

    search: Callable[[int, Any, int], Searching]
    parameters: type[Parameters] = Parameters

    def __call__(self, budget: int, params: Any, max_steps: int) -> Searching:
        """Start a search."""
        return self.search(budget, params, max_steps)
