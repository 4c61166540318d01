"""What several studies share: lines with an interval at each point, a panel for each group."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import panels
from prm_scaling.plots.frames import above_zero, order, prepared, require
from prm_scaling.plots.names import label, plain, title
from prm_scaling.plots.style import CYCLE, Look, looks, styled


@styled
def draw(
    table: pd.DataFrame,
    figure: str,
    panel: str,
    series: str,
    x: str,
    value: str,
    names: tuple[str, str],
    first: Sequence[str] = (),
    styles: dict[str, Look] | None = None,
    beside: Sequence[str] = (),
    logarithmic: bool = False,
) -> Figure:
    """The column ``value``, a share, over ``x``: a line for each ``series``, a panel for each ``panel``.

    Args:
        figure: its name, for messages.
        names: of the x axis and of the y axis.
        first: panels and series in the order to show them; others follow.
        styles: how a series is drawn; others are hollow and grey. Without it each has its own look.
        beside: further columns that the table has to have.
        logarithmic: whether x is.
    """
    require(table, figure, beside)
    rows = prepared(table, figure, [panel, series, x], [value, "low", "high"])
    if rows.empty:
        return panels.blank()
    shown, lines = order(rows[panel], first), order(rows[series], first)
    if logarithmic:
        above_zero(rows, figure, x)
    known = looks(lines) if styles is None else {name: styles.get(name, CYCLE[6]) for name in lines}
    fig, axes = panels.grid(len(shown))
    for ax, group in zip(axes, shown, strict=True):
        inside = rows[rows[panel] == group]
        if logarithmic:
            panels.log_axis(ax, rows[x], panels.doubling(), plain)
        else:
            ax.set_xticks(sorted(rows[x].unique()))
        panels.percent(ax)
        for i, name in enumerate(lines):
            part = inside[inside[series] == name]
            # Side by side, so that no interval hides another.
            aside = 1.0 if logarithmic else 0.09 * (i - (len(lines) - 1) / 2)
            moved = part if logarithmic else part.assign(**{x: part[x] + aside})
            panels.series(ax, moved, x, value, known[name], label(name) if len(lines) > 1 else None)
        ax.set_title(title(group))
    panels.one_y(axes)
    fig.supxlabel(names[0])
    panels.name_y(axes, names[1])
    panels.legend(fig, axes)
    return fig
