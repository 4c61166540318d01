"""Response level against step level: what a PRM's best-of-N says of it, and what its first errors do."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prm_scaling.plots import panels
from prm_scaling.plots.frames import order, prepared, require
from prm_scaling.plots.names import label
from prm_scaling.plots.style import Look, looks, styled

AXES = {
    "f1": (("f1", "f1_low", "f1_high"), "F1 of the first error"),
    "lowest_last": (("lowest_last", "lowest_last_low", "lowest_last_high"), "chains whose lowest step is their last"),
}


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Best-of-N accuracy over the F1 of the first error, and over how often the last step is the lowest.

    Columns: prm (its training set), model, parameters, domain, f1, f1_low, f1_high, accuracy, low, high, lowest_last,
    lowest_last_low, lowest_last_high.
    """
    require(table, "levels", ["parameters"])
    key = ["prm", "model", "domain"]
    rows = prepared(table, "levels", key, ["accuracy", "low", "high"])
    if rows.empty:
        return panels.blank()
    prms = order(rows["prm"], ["aslaf", "human", "monte_carlo"])
    fig, axes = panels.grid(len(AXES), height=2.9)
    for ax, (columns, name) in zip(axes, AXES.values(), strict=True):
        known = prepared(rows, "levels", key, columns)
        for prm, look in looks(prms).items():
            _points(ax, known[known["prm"] == prm], columns, look, label(prm))
        panels.percent(ax)
        panels.percent(ax, "x")
        ax.set_xlabel(name)
    panels.name_y(axes, "best-of-N accuracy")
    panels.legend(fig, axes)
    return fig


def _points(ax: Axes, rows: pd.DataFrame, columns: Sequence[str], look: Look, name: str) -> None:
    value, low, high = columns
    ax.vlines(rows[value], rows["low"], rows["high"], color=look.colour, linewidth=1.2, label=panels.HIDDEN)
    ax.hlines(rows["accuracy"], rows[low], rows[high], color=look.colour, linewidth=1.2, label=panels.HIDDEN)
    ax.plot(rows[value], rows["accuracy"], look.marker, color=look.colour, markersize=look.size, label=name)
    for _, row in rows.iterrows() if len(rows) > 1 else ():
        at = (row[value], row["accuracy"])
        ax.annotate(str(row["model"]), at, xytext=(5, 5), textcoords="offset points", size=7)
