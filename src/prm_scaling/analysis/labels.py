"""Soft against hard labels, and thresholds, before and after filtering (Zhang et al., figures 3 to 5)."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def effects(sets: Mapping[str, Mapping[str, Any]], values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the study's claims are about, each as (seeds, problems) differences of best-of-n; only what can be told.

    Args:
        sets: of each training set ``labels`` (hard or soft), ``threshold`` of hard ones, and if it is ``filtered``.
        values: (seeds, problems) best-of-n by its PRMs.

    Returns:
        ``hard_soft_filtered`` and ``hard_soft_all``: hard labels at the lowest threshold less soft ones;
        ``threshold_all`` and ``threshold_filtered``: the lowest threshold less the highest;
        ``filtering_hard`` and ``filtering_soft``: filtered less all.
    """
    found = {}
    groups = {"all": False, "filtered": True}
    lowest: dict[str, np.ndarray] = {}
    soft: dict[str, np.ndarray] = {}
    for group, filtered in groups.items():
        own = {name: told for name, told in sets.items() if told["filtered"] == filtered}
        hard = sorted((told["threshold"], name) for name, told in own.items() if told["labels"] == "hard")
        gentle = [name for name, told in own.items() if told["labels"] == "soft"]
        if hard:
            lowest[group] = values[hard[0][1]]
        if gentle:
            soft[group] = values[gentle[0]]
        if hard and gentle:
            found[f"hard_soft_{group}"] = lowest[group] - soft[group]
        if len(hard) > 1:
            found[f"threshold_{group}"] = lowest[group] - values[hard[-1][1]]
    for kind, ends in (("hard", lowest), ("soft", soft)):
        if len(ends) == len(groups):
            found[f"filtering_{kind}"] = ends["filtered"] - ends["all"]
    return found
