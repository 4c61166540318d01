"""Ways to aggregate the rewards of a chain's steps, by kind of PRM (Zhang et al., figure 9)."""

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import dotplot
from prm_scaling.plots.style import CYCLE

ORDER = ("last", "product", "min")
PRMS = ("human", "monte_carlo", "aslaf", "aslaf_code", "aslaf_logic")


def draw(table: pd.DataFrame) -> Figure:
    """Best-of-N accuracy, a row for each way to aggregate, a panel for each training set of PRMs.

    Columns: prm (its training set), aggregation, accuracy, low, high.
    """
    return dotplot.draw(
        table,
        "aggregations",
        group="aggregation",
        value="accuracy",
        name="best-of-N accuracy",
        first=ORDER,
        looks=dict(zip(ORDER, CYCLE, strict=False)),
        panel="prm",
        panels_first=PRMS,
    )
