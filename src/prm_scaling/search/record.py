"""What the search phase leaves for evaluation."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Rewards:
    """The rewards that a PRM, after ``step`` steps of its training, gives the steps of one chain of a pool.

    A reward is NaN where the PRM gave no number.
    """

    step: int
    pool: str
    chain: str
    rewards: tuple[float, ...]

    @property
    def scored(self) -> bool:
        """Whether the PRM gave every step a number."""
        return not any(map(math.isnan, self.rewards))


@dataclass(frozen=True)
class ScoringCost:
    """What it cost a PRM to rate a whole pool, and how many of its chains it gave no number."""

    step: int
    pool: str
    chains: int
    prm_computed: int
    prm_reused: int
    prm_flops: float
    seconds: float
    unscored: int = 0


@dataclass(frozen=True)
class Cost:
    """One question's ledger (see :class:`prm_scaling.search.ledger.Ledger`)."""

    strategy: str
    budget: int
    problem: str
    generated: int
    prompt_computed: int
    prompt_reused: int
    prm_computed: int
    prm_reused: int
    policy_calls: int
    prm_calls: int
    policy_flops: float
    prm_flops: float
    generate_seconds: float
    score_seconds: float
    verify_seconds: float = 0.0
    scheduler_seconds: float = 0.0
    refused: int = 0
    cut: int = 0
    unfinished: int = 0
    stepless: int = 0
    empty_steps: int = 0
    garbled: int = 0
    unscored: int = 0
    translated: int = 0
    halvings: int = 0


@dataclass(frozen=True)
class Candidate:
    """One candidate of a search: its text, its rewards, and when it was found.

    Attributes:
        path: its name, the sample at each branching.
        whole: whether the policy ended it.
        spent: tokens that the search had generated when it was finished.
        visits: what the search had spent at each visit of it, for a strategy that visits.
    """

    strategy: str
    budget: int
    problem: str
    path: str
    text: str
    whole: bool
    rewards: tuple[float, ...]
    spent: int = 0
    visits: tuple[int, ...] = ()


@dataclass(frozen=True)
class Timing:
    """The time of one strategy on all of some questions, in a run in which all strategies took turns.

    Attributes:
        strategy: its name; ``sampling`` stands for all that choose from samples.
        budget: its budget.
        repeat: number of the turn.
        questions: how many questions were searched together.
        generate_seconds: of the policy.
        score_seconds: of the PRM.
        verify_seconds: of telling answers apart, where a strategy asks for it.
        scheduler_seconds: of strategy and scheduler.
    """

    strategy: str
    budget: int
    repeat: int
    questions: int
    generate_seconds: float
    score_seconds: float
    verify_seconds: float
    scheduler_seconds: float
