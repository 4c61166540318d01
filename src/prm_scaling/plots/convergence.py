"""How fast the majority vote converges, against the bound of Wu et al., Theorem 1."""

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import lineplot
from prm_scaling.plots.dotplot import DOMAINS
from prm_scaling.plots.style import CYCLE


def draw(table: pd.DataFrame) -> Figure:
    """The probability that n votes miss the likeliest answer, measured and at the most, a panel for each domain.

    Columns: domain, series (``error``, ``bound``), n, value, low, high, problems, tied (the share without a limit).
    """
    return lineplot.draw(
        table,
        "convergence",
        panel="domain",
        series="series",
        x="n",
        value="value",
        names=("samples that vote", "vote misses the likeliest answer"),
        first=[*DOMAINS, "error", "bound"],
        styles={"error": CYCLE[0], "bound": CYCLE[1]},
        beside=["problems", "tied"],
        logarithmic=True,
    )
