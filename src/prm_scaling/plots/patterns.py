"""Audit of self-correction: how often chains take a step back, and how often they are right when they do."""

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import dotplot
from prm_scaling.plots.style import CYCLE

ORDER = ("all", "prm_selected", "right", "right_with", "right_without")
LOOKS = dict(zip(ORDER, (CYCLE[6], CYCLE[0], CYCLE[2], CYCLE[3], CYCLE[1]), strict=True))


def draw(table: pd.DataFrame) -> Figure:
    """Shares of chains with a self-correction and of right answers, a row for each group, a panel for each domain.

    Columns: domain, group (those of :func:`prm_scaling.analysis.patterns.pattern_table`), rate, low, high.
    """
    return dotplot.draw(
        table, "patterns", group="group", value="rate", name="share of chains", first=ORDER, looks=LOOKS
    )
