"""Rollouts from prefixes of chains: what all modes of Monte Carlo labels share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prm_scaling.chains.record import Chain
from prm_scaling.engines.interface import Extend, Policy, Sampling
from prm_scaling.seeds import seed_of

# Grades completed token sequences of chains: (chain, solution tokens, whether the policy ended it).
Grader = Callable[[Sequence[tuple[Chain, tuple[int, ...], bool]]], list[bool]]


@dataclass(frozen=True)
class Rollout:
    """A completed solution.

    Attributes:
        tokens: of the whole solution, without the prompt.
        start: how many of them were given; the others were sampled.
        ended: whether the policy ended it.
        right: whether its answer is.
    """

    tokens: tuple[int, ...]
    start: int
    ended: bool
    right: bool


@dataclass(frozen=True)
class Completer:
    """Who rolls out, and how (Math-Shepherd's completer).

    Attributes:
        policy: the engine that generates.
        grade: the grader of all phases.
        rollouts: k, completions of a probed prefix.
        threshold: a prefix is hopeful if more than this share of its rollouts is right.
        sampling: of the rollouts, to the end of the text.
        seed: each rollout has a stream of its own, named by chain, step and number.
    """

    policy: Policy
    grade: Grader
    rollouts: int
    threshold: float
    sampling: Sampling
    seed: int

    def hopeful(self, correct: int) -> bool:
        """Whether so many right ones of all rollouts are enough."""
        return correct / self.rollouts > self.threshold

    def answers(self, chains: Sequence[Chain]) -> list[bool]:
        """Whether the own answer of each chain is right."""
        return self.grade([(chain, chain.tokens, chain.finished) for chain in chains])

    def roll_out(self, asked: Sequence[tuple[Chain, int, int]]) -> list[list[Rollout]]:
        """So many rollouts after each (chain, step, number), all in one batch."""
        owners = [(chain, chain.tokens[: chain.ends[step]], step, j) for chain, step, n in asked for j in range(n)]
        extensions = self.policy.extend(
            [
                Extend(chain.prompt + given, self.sampling, seed_of(self.seed, chain.id, step, j), chain.problem)
                for chain, given, step, j in owners
            ]
        )
        whole = [
            (chain, given + e.tokens, e.finish == "end")
            for (chain, given, _, _), e in zip(owners, extensions, strict=True)
        ]
        right = self.grade(whole)
        made = iter(
            Rollout(tokens, len(given), ended, good)
            for (_, given, _, _), (_, tokens, ended), good in zip(owners, whole, right, strict=True)
        )
        return [[next(made) for _ in range(number)] for _, _, number in asked]

    def count(self, asked: Sequence[tuple[Chain, int]]) -> list[int]:
        """How many of k rollouts after each (chain, step) are right."""
        made = self.roll_out([(chain, step, self.rollouts) for chain, step in asked])
        return [sum(rollout.right for rollout in some) for some in made]
