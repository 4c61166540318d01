"""What figures 4 and 5 share: accuracy of the search strategies over what they cost."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import panels
from prm_scaling.plots.frames import above_zero, order, prepared, require
from prm_scaling.plots.names import label, plain, title
from prm_scaling.plots.style import looks, styled

PAPER = ("mcts", "beam", "best_of_n", "majority")  # the strategies that paper A compares
OTHERS = ("rebase", "dvts", "snell_beam", "greedy_step", "router", "weighted", "greedy")
REFERENCE = "best_of_n"  # stands in both columns


@styled
def draw(table: pd.DataFrame, figure: str, cost: str, name: str, scales: Sequence[Sequence[float]]) -> Figure:
    """Accuracy over the column ``cost``, a line for each strategy, a row of panels for each data set.

    The paper's strategies have a column of panels, all others another one, with best-of-N for comparison.

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
    datasets, names = order(rows["dataset"]), order(rows["strategy"], (*PAPER, *OTHERS))
    groups = {
        "the paper's strategies": [n for n in names if n in PAPER],
        "others": [n for n in names if n not in PAPER],
    }
    groups = {group: members for group, members in groups.items() if members}
    styles = looks(names)
    fig, axes = panels.grid(len(datasets) * len(groups), columns=len(groups))
    shown = [(dataset, group) for dataset in datasets for group in groups]
    for ax, (dataset, group) in zip(axes, shown, strict=True):
        inside = rows[rows["dataset"] == dataset]
        panels.log_axis(ax, inside[cost], scales, plain)
        panels.percent(ax)
        ax.set_title(f"{title(dataset)}: {group}")
        for strategy in dict.fromkeys([*groups[group], REFERENCE]):
            part = inside[inside["strategy"] == strategy]
            if len(part):
                panels.series(ax, part, cost, "accuracy", styles[strategy], label(strategy))
    for line in range(0, len(axes), len(groups)):
        panels.one_y(axes[line : line + len(groups)])
    fig.supxlabel(name)
    panels.name_y(axes, "accuracy")
    panels.legend(fig, axes)
    return fig
