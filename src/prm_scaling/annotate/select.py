"""Training sets of equal size from annotated chains."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prm_scaling.annotate.labels import Labelling, labels_of
from prm_scaling.annotate.record import Annotation
from prm_scaling.seeds import stream


@dataclass(frozen=True)
class Selected:
    """One chain of a training set and the labels to train on, ``None`` for a step without one."""

    chain: str
    labels: tuple[float | None, ...]


def select(
    sets: dict[str, Sequence[Annotation]], most: int, seed: int, labellings: Mapping[str, Labelling] | None = None
) -> dict[str, list[Selected]]:
    """As many labelled chains of each set as the smallest has, ``most`` at the most, drawn at random.

    Args:
        labellings: how to label each set; the annotator's own labels where there is none.

    Raises:
        ValueError: a set has no labelled chain, or its annotator has not stored what its labels follow from.
    """
    usable = {name: [a for a in annotations if a.labels] for name, annotations in sets.items()}
    for name, annotations in usable.items():
        if not annotations:
            raise ValueError(f"train.sets.{name}: no chain is left; sample more chains or choose other judges")
    size = min([most, *(len(a) for a in usable.values())])
    result = {}
    for name, annotations in usable.items():
        how = (labellings or {}).get(name, Labelling())
        chosen = sorted(stream(seed, "select", name).choice(len(annotations), size, replace=False).tolist())
        result[name] = [Selected(annotations[i].chain, labels_of(annotations[i], how)) for i in chosen]
    return result


def counted(rows: Sequence[Selected]) -> str:
    """What a training set has of each class, in words; an empty class is named."""
    labels = [label for row in rows for label in row.labels]
    known = [label for label in labels if label is not None]
    right, wrong = (sum(label == value for label in known) for value in (1.0, 0.0))
    between, without = len(known) - right - wrong, len(labels) - len(known)
    text = f"{right} steps right, {wrong} wrong, {between} between, {without} unlabelled"
    empty = [name for name, there in (("right", any(known)), ("wrong", any(x < 1 for x in known))) if not there]
    return f"{text}; no step is {empty[0]}: this PRM cannot learn to tell them apart" if empty else text
