"""A chain: the steps of one sampled solution, by token positions."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Chain:
    """One sampled solution.

    Attributes:
        id: ``<problem>/<sample>``.
        problem: the problem's id.
        domain: the problem's domain.
        prompt: token ids of the prompt.
        tokens: token ids of the solution.
        ends: exclusive end of each step in ``tokens``; a step includes its separator.
        text: the solution's text, the steps joined.
        finished: whether the policy ended it (an unfinished chain has no answer).
    """

    id: str
    problem: str
    domain: str
    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    ends: tuple[int, ...]
    text: str
    finished: bool

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The half-open token span of each step."""
        return list(zip((0, *self.ends[:-1]), self.ends, strict=True)) if self.ends else []
