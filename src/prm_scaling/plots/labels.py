"""Soft against hard labels at each threshold, before and after filtering (after Zhang et al., figures 3 to 5)."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prm_scaling.plots import panels
from prm_scaling.plots.frames import order, prepared, require
from prm_scaling.plots.style import CYCLE, Look, styled

METRICS = {"best_of_n": "best-of-N accuracy", "f1": "F1 of the first error", "auc": "AUC over steps"}
GROUPS = {False: ("all chains", CYCLE[1], 0.0), True: ("filtered", CYCLE[0], 0.006)}


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Each metric over the threshold of hard labels; soft labels, which have none, are bands.

    Columns: training, size, labels (``hard`` or ``soft``), threshold, filtered, metric, value, low, high.
    """
    require(table, "labels", ["size", "labels", "threshold", "filtered"])
    rows = prepared(table, "labels", ["training", "metric"], ["value", "low", "high"])
    if rows.empty:
        return panels.blank()
    shown = order(rows["metric"], list(METRICS))
    fig, axes = panels.grid(len(shown))
    for ax, metric in zip(axes, shown, strict=True):
        for filtered, (name, look, aside) in GROUPS.items():
            _group(ax, rows[(rows["metric"] == metric) & (rows["filtered"] == filtered)], name, look, aside)
        ax.set_title(METRICS.get(metric, metric))
        if metric != "auc":
            panels.percent(ax)
    fig.supxlabel("threshold of a hard label: right if a larger share of the rollouts is")
    panels.legend(fig, axes)
    return fig


def _group(ax: Axes, rows: pd.DataFrame, name: str, look: Look, aside: float) -> None:
    hard = rows[rows["labels"] == "hard"]
    if len(hard):
        panels.series(ax, hard.assign(threshold=hard["threshold"] + aside), "threshold", "value", look, f"hard, {name}")
    for row in rows[rows["labels"] == "soft"].itertuples():
        ax.axhspan(row.low, row.high, color=look.colour, alpha=0.12, linewidth=0, label=panels.HIDDEN)
        ax.axhline(row.value, color=look.colour, linestyle=":", linewidth=1.5, label=f"soft, {name}")
