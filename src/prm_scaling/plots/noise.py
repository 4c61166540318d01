"""Audit of label noise: how often each annotator's labels are wrong, and how many chains it keeps."""

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import dotplot
from prm_scaling.plots.style import CYCLE

LOOKS = {
    "monte_carlo": CYCLE[1],
    "mc_and_judge": CYCLE[3],
    "majority": CYCLE[2],
    "consensus": CYCLE[0],
    "dawid_skene": CYCLE[4],
}


def draw(table: pd.DataFrame) -> Figure:
    """The share of wrong labels, a row for each annotator, a panel for each domain; beside it what is kept.

    Columns: domain, annotator, chains (that it keeps), retention (that as a share), noise, low, high.
    """
    return dotplot.draw(
        table,
        "noise",
        group="annotator",
        value="noise",
        name="wrong labels",
        first=["monte_carlo"],
        looks=LOOKS,
        beside=["chains", "retention"],
        remark=("kept", lambda row: "" if pd.isna(row["retention"]) else f"{row['retention']:.0%}"),
    )
