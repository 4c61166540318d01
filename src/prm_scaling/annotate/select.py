"""Training sets of equal size from annotated chains."""

from collections.abc import Sequence
from dataclasses import dataclass

from prm_scaling.annotate.record import Annotation
from prm_scaling.seeds import stream


@dataclass(frozen=True)
class Selected:
    """One chain of a training set and the labels to train on."""

    chain: str
    labels: tuple[float, ...]


def select(sets: dict[str, Sequence[Annotation]], most: int, seed: int) -> dict[str, list[Selected]]:
    """As many labelled chains of each set as the smallest has, ``most`` at the most, drawn at random.

    Raises:
        ValueError: a set has no labelled chain.
    """
    usable = {name: [a for a in annotations if a.labels] for name, annotations in sets.items()}
    for name, annotations in usable.items():
        if not annotations:
            raise ValueError(f"train.sets.{name}: no chain is left; sample more chains or choose other judges")
    size = min([most, *(len(a) for a in usable.values())])
    result = {}
    for name, annotations in usable.items():
        chosen = sorted(stream(seed, "select", name).choice(len(annotations), size, replace=False).tolist())
        result[name] = [Selected(annotations[i].chain, annotations[i].labels) for i in chosen]
    return result
