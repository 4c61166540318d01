"""Parts of a chain set, each a job's: whole problems, so that labels do not depend on how many parts there are."""

from collections.abc import Iterable, Sequence

from prm_scaling.annotate.record import Annotation
from prm_scaling.chains.record import Chain
from prm_scaling.chains.slices import SLICE


def by_problem(chains: Iterable[Chain]) -> list[list[Chain]]:
    """The chains of each problem, in the order in which the problems come first."""
    groups: dict[str, list[Chain]] = {}
    for chain in chains:
        groups.setdefault(chain.problem, []).append(chain)
    return list(groups.values())


def part(groups: Sequence[list[Chain]], shard: str) -> list[list[Chain]]:
    """The groups of one shard, named ``2-of-3``: all shards have the same number of problems, or one less.

    >>> [part([["a"], ["b"], ["c"]], f"{i}-of-2") for i in (1, 2)]
    [[['a']], [['b'], ['c']]]
    """
    which, of = map(int, shard.split("-of-"))
    return list(groups[len(groups) * (which - 1) // of : len(groups) * which // of])


def problems_a_slice(groups: Sequence[list[Chain]]) -> int:
    """How many problems have about the chains of a slice."""
    return max(1, SLICE * len(groups) // max(1, sum(map(len, groups))))


def in_order(annotations: Iterable[Annotation], chains: Iterable[str]) -> list[Annotation]:
    """The annotations in the order of the chains that they are of, given by their ids.

    Raises:
        ValueError: a chain has no annotation, or an annotation is of no chain.
    """
    found = {a.chain: a for a in annotations}
    ordered = []
    for chain in chains:
        if chain not in found:
            raise ValueError(f"{chain}: no shard has labels of it; delete the shards and run again")
        ordered.append(found.pop(chain))
    if found:
        raise ValueError(f"{next(iter(found))}: there is no such chain; delete the shards and run again")
    return ordered
