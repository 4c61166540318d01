"""Figure 3: best-of-N by the data that the PRM was trained on (paper A: ASLAF's is best at all N)."""

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import panels
from prm_scaling.plots.frames import above_zero, order, prepared
from prm_scaling.plots.names import label, title
from prm_scaling.plots.style import looks, styled

ORDER = ("aslaf", "human", "monte_carlo", "majority", "pass")


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Accuracy over the number of samples N, a line for each training set, a panel for each data set.

    Columns: dataset, series (a training set, ``majority`` or ``pass``), n, accuracy, low, high.
    """
    rows = prepared(table, "figure3", ["dataset", "series", "n"], ["accuracy", "low", "high"])
    if rows.empty:
        return panels.blank()
    above_zero(rows, "figure3", "n")
    datasets, names = order(rows["dataset"]), order(rows["series"], ORDER)
    styles = looks(names)
    fig, axes = panels.grid(len(datasets))
    for ax, dataset in zip(axes, datasets, strict=True):
        panels.log_axis(ax, rows["n"], [rows["n"]])
        panels.percent(ax)
        ax.set_title(title(dataset))
        for shift, name in zip(panels.shifts(len(names), rows["n"]), names, strict=True):
            part = rows[(rows["dataset"] == dataset) & (rows["series"] == name)]
            if len(part):
                panels.series(ax, part, "n", "accuracy", styles[name], label(name), shift=shift)
    fig.supxlabel("samples N")
    panels.name_y(axes, "accuracy")
    panels.legend(fig, axes)
    return fig
