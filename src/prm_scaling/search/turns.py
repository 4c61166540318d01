"""In which order strategies take turns while they are timed."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from prm_scaling.seeds import stream

Run = TypeVar("Run")


def turns(runs: Sequence[Run], repeats: int, seed: int) -> Iterator[tuple[int, Run]]:
    """(repeat, run) for each of ``runs``, ``repeats`` times over, each time in a random order of its own.

    So what slows the machine down for a while slows no strategy in particular.
    """
    for repeat in range(repeats):
        for place in stream(seed, "turns", repeat).permutation(len(runs)):
            yield repeat, runs[place]
