"""Figure 1: accuracy of choosing by PRMs of growing size (paper A: a rapid rise, then a plateau)."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prm_scaling.plots import panels
from prm_scaling.plots.frames import above_zero, order, prepared, require
from prm_scaling.plots.names import label, model_names, title
from prm_scaling.plots.style import LOOKS, Look, looks, styled


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Best-of-n accuracy over the PRM's parameters, a panel for each data set.

    Columns: dataset, model, parameters, n, accuracy, low, high. Rows whose model is ``majority`` have no
    parameters; they are drawn as a horizontal band, from low to high, with a line at the accuracy.
    """
    require(table, "figure1", ["parameters"])
    rows = prepared(table, "figure1", ["dataset", "model", "n"], ["accuracy", "low", "high"])
    if rows.empty:
        return panels.blank()
    above_zero(rows[rows["model"] != "majority"], "figure1", "parameters")
    datasets = order(rows["dataset"])
    sizes, names = model_names(rows)
    budgets = sorted(rows["n"].unique())
    fig, axes = panels.grid(len(datasets))
    for ax, dataset in zip(axes, datasets, strict=True):
        panels.log_axis(ax, sizes, [sizes], lambda size: names[size])
        _panel(ax, rows[rows["dataset"] == dataset], sizes, budgets)
        ax.set_title(title(dataset))
    fig.supxlabel("parameters of the PRM")
    panels.name_y(axes, "accuracy")
    panels.legend(fig, axes)
    return fig


def _panel(ax: Axes, rows: pd.DataFrame, sizes: pd.Series, budgets: list) -> None:
    panels.percent(ax)
    vote = rows["model"] == "majority"
    single = len(budgets) == 1
    styles = looks([f"best of {n:g}" for n in budgets])
    for shift, (name, look), n in zip(panels.shifts(len(budgets), sizes), styles.items(), budgets, strict=True):
        chosen = rows[~vote & (rows["n"] == n)]
        if len(chosen):
            panels.series(ax, chosen, "parameters", "accuracy", look, name, shift=shift)
        for _, row in rows[vote & (rows["n"] == n)].iterrows():
            _band(ax, row, LOOKS["majority"] if single else look, f"{label('majority')} of {n:g}")


def _band(ax: Axes, row: pd.Series, look: Look, name: str) -> None:
    ax.axhspan(row["low"], row["high"], color=look.colour, alpha=0.12, linewidth=0, label=panels.HIDDEN)
    ax.axhline(row["accuracy"], color=look.colour, linestyle=LOOKS["majority"].line, linewidth=1.3, label=name)
