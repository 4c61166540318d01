"""Laws of a PRM's size and training: saturating power laws through what was measured."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prm_scaling.plots import panels
from prm_scaling.plots.frames import above_zero, order, prepared, require
from prm_scaling.plots.names import label
from prm_scaling.plots.style import CYCLE, styled

AXES = {"parameters": "parameters of the PRM", "training": "FLOPs of reward training"}
METRICS = {"accuracy": "best-of-N accuracy", "auc": "AUC over steps", "loss": "loss of steps"}
LAW = ["ceiling", "scale", "exponent", "unit"]


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Each metric over the PRM's size, and over the training of the largest, with the law fitted to it.

    Columns: axis (``parameters``, ``training``), metric (of :data:`METRICS`, or a strategy for its accuracy), x,
    training_flops, value, low, high, and of the law ceiling - scale * (x / unit) ** -exponent its four numbers, empty
    where none was fitted.
    """
    require(table, "scaling", ["training_flops", *LAW])
    rows = prepared(table, "scaling", ["axis", "metric", "x"], ["value", "low", "high"])
    if rows.empty:
        return panels.blank()
    above_zero(rows, "scaling", "x")
    shown = [
        (axis, metric)
        for axis in order(rows["axis"], list(AXES))
        for metric in order(rows[rows["axis"] == axis]["metric"], list(METRICS))
    ]
    fig, axes = panels.grid(len(shown), columns=min(3, len(shown)))
    for ax, (axis, metric) in zip(axes, shown, strict=True):
        _panel(ax, rows[(rows["axis"] == axis) & (rows["metric"] == metric)])
        ax.set_title(METRICS.get(metric) or f"accuracy of {label(metric)}")
        ax.set_xlabel(AXES.get(axis, axis))
        # All but these are accuracies: of best-of-N, and of strategies by their names.
        if metric not in {"auc", "loss"}:
            panels.percent(ax)
    panels.legend(fig, axes)
    return fig


def _panel(ax: Axes, rows: pd.DataFrame) -> None:
    panels.log_axis(ax, rows["x"], panels.decades(), margin=0.15)
    ceiling, scale, exponent, unit = rows.iloc[0][LAW].astype(float)
    if exponent == exponent:
        x = np.geomspace(rows["x"].min(), rows["x"].max(), 100)
        law = ceiling - scale * (x / unit) ** -exponent
        ax.plot(x, law, color=CYCLE[1].colour, linestyle=CYCLE[1].line, label="saturating power law")
    low, high = rows["low"], rows["high"]
    ax.vlines(rows["x"], low, high, color=CYCLE[0].colour, linewidth=1.2, label=panels.HIDDEN)
    ax.plot(
        rows["x"], rows["value"], CYCLE[0].marker, color=CYCLE[0].colour, markersize=CYCLE[0].size, label="measured"
    )
