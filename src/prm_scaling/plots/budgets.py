"""What figures 4 and 5 share: accuracy of the search strategies over what they cost."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import panels
from prm_scaling.plots.frames import above_zero, order, prepared, require
from prm_scaling.plots.names import label, plain, title
from prm_scaling.plots.style import looks, styled

# Strategies that are not named here come after these.
ORDER = (
    *("mcts", "rebase", "dvts", "beam", "snell_beam", "greedy_step", "router"),
    *("best_of_n", "weighted", "majority", "greedy"),
)


@styled
def draw(table: pd.DataFrame, figure: str, cost: str, name: str, scales: Sequence[Sequence[float]]) -> Figure:
    """Accuracy over the column ``cost``, a line for each strategy, a panel for each data set.

    Args:
        figure: its name, for messages.
        name: what the x axis is called.
        scales: ticks for it, as in :func:`panels.log_axis`.
    """
    require(table, figure, [cost])
    rows = prepared(table, figure, ["dataset", "strategy", "budget"], ["accuracy", "low", "high"])
    if rows.empty:
        return panels.blank()
    above_zero(rows, figure, cost)
    datasets, names = order(rows["dataset"]), order(rows["strategy"], ORDER)
    styles = looks(names)
    fig, axes = panels.grid(len(datasets))
    for ax, dataset in zip(axes, datasets, strict=True):
        inside = rows[rows["dataset"] == dataset]
        panels.log_axis(ax, inside[cost], scales, plain)
        panels.percent(ax)
        ax.set_title(title(dataset))
        for strategy in names:
            part = inside[inside["strategy"] == strategy]
            if len(part):
                panels.series(ax, part, cost, "accuracy", styles[strategy], label(strategy))
    fig.supxlabel(name)
    panels.name_y(axes, "accuracy")
    panels.legend(fig, axes)
    return fig
