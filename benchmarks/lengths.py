"""Chains of mixed length for the benchmarks of training and scoring."""

import math
from dataclasses import dataclass

import torch
from common import VOCABULARY


@dataclass(frozen=True)
class Mixed:
    """A chain: its problem, its tokens, and where its steps end, the last with it."""

    problem: str
    tokens: tuple[int, ...]
    ends: tuple[int, ...]


def mixed(
    problems: int, samples: int, prompt: int, shortest: int, longest: int, step: int, seed: int = 0
) -> list[Mixed]:
    """``samples`` chains of each problem, in their order, of steps of ``step`` tokens.

    The logarithms of the solutions' lengths are spread evenly.
    """
    generator = torch.Generator().manual_seed(seed)

    def drawn(count: int) -> list[int]:
        return torch.randint(2, VOCABULARY, (count,), generator=generator).tolist()

    made = []
    for problem in range(problems):
        question = drawn(prompt)
        for _ in range(samples):
            share = torch.rand((), generator=generator).item()
            length = round(math.exp(math.log(shortest) + share * math.log(longest / shortest)))
            ends = [*range(prompt + step, prompt + length, step), prompt + length]
            made.append(Mixed(str(problem), (*question, *drawn(length)), tuple(end - 1 for end in ends)))
    return made
