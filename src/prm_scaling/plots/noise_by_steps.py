"""Audit of label noise by the length of chains."""

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import lineplot
from prm_scaling.plots.dotplot import DOMAINS
from prm_scaling.plots.noise import LOOKS

ORDER = ("monte_carlo", "judge_a", "majority", "dawid_skene", "mc_and_judge", "consensus")


def draw(table: pd.DataFrame) -> Figure:
    """The share of wrong labels over the steps of a chain, a line for each filter, a panel for each domain.

    Columns: domain, annotator, steps, chains (that it keeps), retention, noise, low, high.
    """
    return lineplot.draw(
        table,
        "noise_by_steps",
        panel="domain",
        series="annotator",
        x="steps",
        value="noise",
        names=("steps of the chain", "wrong labels"),
        first=[*DOMAINS, *ORDER],
        styles=LOOKS,
        beside=["chains", "retention"],
    )
