"""What the audits share: one marker with an interval for each group, a panel for each domain or PRM."""

from collections.abc import Callable, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from prm_scaling.plots import panels
from prm_scaling.plots.frames import order, prepared, require
from prm_scaling.plots.names import label, title
from prm_scaling.plots.style import CYCLE, Look, styled

DOMAINS = ("math", "code", "logic")
REMARK = 36  # points from a panel to the end of the column of texts


@styled
def draw(
    table: pd.DataFrame,
    figure: str,
    group: str,
    value: str,
    name: str,
    first: Sequence[str] = (),
    looks: dict[str, Look] | None = None,
    beside: Sequence[str] = (),
    remark: tuple[str, Callable[[pd.Series], str]] | None = None,
    panel: str = "domain",
    panels_first: Sequence[str] = DOMAINS,
) -> Figure:
    """The column ``value``, a share, with its interval for each ``group`` of each ``panel``.

    Args:
        figure: its name, for messages.
        name: what the x axis is called.
        first: groups in the order to show them; others follow.
        looks: how a group is drawn; others are hollow and grey.
        beside: further columns that ``remark`` needs.
        remark: the heading of a column of texts to the right, and what makes a row's text.
        panel: the column that panels are of; ``panels_first`` in the order to show them.
    """
    require(table, figure, beside)
    rows = prepared(table, figure, [panel, group], [value, "low", "high"])
    if rows.empty:
        return panels.blank()
    shown, groups = order(rows[panel], panels_first), order(rows[group], first)
    height = 0.75 + 0.27 * len(groups)
    fig, axes = panels.grid(len(shown), height=height)
    for ax, name_of_panel in zip(axes, shown, strict=True):
        inside = rows[rows[panel] == name_of_panel]
        places = [-float(groups.index(g)) for g in inside[group]]
        panels.dots(ax, inside, value, places, [(looks or {}).get(g, CYCLE[6]) for g in inside[group]])
        if remark:
            _write(ax, inside, places, *remark)
        named = panels.leftmost(ax)
        ax.set_yticks([-float(i) for i in range(len(groups))], [label(g) if named else "" for g in groups])
        ax.set_ylim(-len(groups) + 0.4, 0.6)
        ax.set_xlim(0, 1.05 * rows["high"].max() or 1)
        # A column of texts takes its room from the panel.
        ax.xaxis.set_major_locator(MaxNLocator(3 if remark else 4))
        panels.percent(ax, "x")
        ax.set_title(title(name_of_panel))
    fig.supxlabel(name)
    return fig


def _write(
    ax: Axes, rows: pd.DataFrame, places: Sequence[float], heading: str, remark: Callable[[pd.Series], str]
) -> None:
    texts = [(0.75, heading, "italic")]
    texts += [(place, remark(row), "normal") for place, (_, row) in zip(places, rows.iterrows(), strict=True)]
    for place, text, slant in texts:
        ax.annotate(
            text,
            (1, place),
            xycoords=ax.get_yaxis_transform(),
            xytext=(REMARK, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            style=slant,
        )
