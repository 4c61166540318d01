"""Right answers by a wrong process (Zhang et al., figure 6)."""

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import lineplot
from prm_scaling.plots.dotplot import DOMAINS


def draw(table: pd.DataFrame) -> Figure:
    """Of the right answers the share that has an error in its steps, over difficulty, a panel for each domain.

    Columns: domain, difficulty, right (answers), share, low, high, detectable.
    """
    return lineplot.draw(
        table.assign(kind="share"),
        "process",
        panel="domain",
        series="kind",
        x="difficulty",
        value="share",
        names=("difficulty: operations of the problem", "wrong process, of the right"),
        first=DOMAINS,
        beside=["right", "detectable"],
    )
