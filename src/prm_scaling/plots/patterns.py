"""Audit of self-correction: how often chains take a step back, among all and among the chosen."""

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import dotplot
from prm_scaling.plots.style import CYCLE

ORDER = ("all", "prm_selected", "right")
LOOKS = dict(zip(ORDER, (CYCLE[6], CYCLE[0], CYCLE[2]), strict=True))


def draw(table: pd.DataFrame) -> Figure:
    """The share of chains with a self-correction, a row for each group of chains, a panel for each domain.

    Columns: domain, group (``all``, ``prm_selected`` or ``right``), rate, low, high.
    """
    return dotplot.draw(
        table, "patterns", group="group", value="rate", name="chains with a self-correction", first=ORDER, looks=LOOKS
    )
