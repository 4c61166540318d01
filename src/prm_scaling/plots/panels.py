"""The parts that figures are put together from: a grid of panels, series with intervals, axes, the legend."""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import NullLocator

from prm_scaling.plots.frames import INTERVAL
from prm_scaling.plots.names import compact
from prm_scaling.plots.style import Look

WIDTH = 7.5  # inches: a page's text width, so that 9 points stay 9 points in print
NARROW = 5.2  # of a single panel
LETTER = 0.083  # inches of a 9-point letter, a little more than the mean
FURNITURE = 0.7  # inches of a panel that are not its x axis
HIDDEN = "_interval"  # labels with an underscore stay out of legends


def grid(count: int, columns: int | None = None, height: float = 2.4) -> tuple[Figure, list[Axes]]:
    """A page-wide figure of ``count`` panels, line by line: three in a line, or two where that leaves no gap."""
    columns = columns or {1: 1, 2: 2, 4: 2}.get(count, 3)
    lines = math.ceil(count / columns)
    size = (WIDTH if columns > 1 else NARROW, lines * height + 0.6)
    fig = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.07, h_pad=0.05))
    cells = fig.subplots(lines, columns, squeeze=False).ravel()
    for unused in cells[count:]:
        unused.remove()
    return fig, list(cells[:count])


def blank(message: str = "No rows to draw") -> Figure:
    """A figure that says that its table is empty, so that the page still has its place."""
    fig = Figure(figsize=(NARROW, 1.2))
    fig.text(0.5, 0.5, message, ha="center", va="center")
    return fig


def name_y(axes: Sequence[Axes], text: str) -> None:
    """The name of y on the first panel of each line."""
    for ax in axes:
        if leftmost(ax):
            ax.set_ylabel(text)


def one_y(axes: Sequence[Axes]) -> None:
    """One range of y for all of them, so that they can be compared: what each shows fits in it."""
    limits = [ax.get_ylim() for ax in axes]
    low, high = min(low for low, _ in limits), max(high for _, high in limits)
    # A panel of one point has next to no range of its own: its marker would be cut at the edge.
    margin = 0.05 * (high - low)
    for ax in axes:
        ax.set_ylim(low - margin, high + margin)


def leftmost(ax: Axes) -> bool:
    """Whether the panel is the first of its line."""
    return _place(ax).is_first_col()


def series(
    ax: Axes,
    rows: pd.DataFrame,
    x: str,
    y: str,
    look: Look,
    name: str | None,
    interval: Sequence[str] = INTERVAL,
    shift: float = 1.0,
) -> None:
    """One line with a marker and an interval on every row; ``shift`` moves it along a logarithmic x."""
    rows = rows.sort_values(x)
    low, high = (rows[c].to_numpy(float) for c in interval)
    at = rows[x].to_numpy(float) * shift
    ax.vlines(at, low, high, color=look.colour, linewidth=1.2, zorder=2.5, label=HIDDEN)
    ax.plot(
        at,
        rows[y].to_numpy(float),
        color=look.colour,
        linestyle=look.line,
        marker=look.marker,
        markersize=look.size,
        markerfacecolor=look.colour if look.filled else "white",
        markeredgecolor="white" if look.filled else look.colour,  # a rim sets overlapping markers apart
        markeredgewidth=0.6 if look.filled else 1.2,
        label=name,
    )


def dots(ax: Axes, rows: pd.DataFrame, value: str, places: Sequence[float], styles: Sequence[Look]) -> None:
    """A marker with a horizontal interval for each row, at heights ``places``."""
    for place, look, (_, row) in zip(places, styles, rows.iterrows(), strict=True):
        ax.hlines(place, row["low"], row["high"], color=look.colour, linewidth=1.6, label=HIDDEN)
        # ends taller than the marker, which else hides a short interval
        ax.plot([row["low"], row["high"]], [place, place], "|", color=look.colour, markersize=9, markeredgewidth=1.4)
        face = look.colour if look.filled else "white"
        ax.plot(row[value], place, look.marker, color=look.colour, markerfacecolor=face, markersize=look.size)


def shifts(count: int, values: Iterable[float], share: float = 0.02) -> list[float]:
    """Factors that set ``count`` series apart on a logarithmic x, by a share of its length, so that no interval
    hides another: the first stays in place, the others go to its right and left in turn."""
    low, high = _range(values)
    step = share * math.log(high / low)
    return [math.exp(step * ((i + 1) // 2) * (1 if i % 2 else -1)) for i in range(count)]


def log_axis(
    ax: Axes,
    values: Iterable[float],
    scales: Sequence[Sequence[float]],
    text: Callable[[float], str] = compact,
    margin: float = 0.09,
) -> None:
    """A logarithmic x over ``values`` with labels that do not touch.

    Args:
        scales: ticks to choose from, the densest set first; the first whose labels fit is taken, and if none does,
            the last with its labels aslant, and some of them left out where even so they would touch.
        margin: the share of the axis to leave free at either end.
    """
    low, high = _range(values)
    left, right = low / (high / low) ** margin, high * (high / low) ** margin
    columns = _place(ax).get_gridspec().ncols
    inches = ((WIDTH / columns if columns > 1 else NARROW) - FURNITURE) / math.log(right / left)
    inside: list[float] = []
    labelled: set[float] = set()
    for scale in scales:
        inside = sorted(t for t in set(scale) if left <= t <= right)
        labelled = _apart(inside, inches, lambda a, b: (len(text(a)) + len(text(b))) / 2 * LETTER + 0.04)
        if len(labelled) == len(inside) > 1:
            break
    else:
        labelled = _apart(inside, inches, lambda a, b: 0.2)
        ax.tick_params(axis="x", labelrotation=40)
    ax.set_xscale("log")
    ax.set_xlim(left, right)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(inside, [text(t) if t in labelled else "" for t in inside])


def doubling() -> list[list[float]]:
    """Powers of two, then of four, of eight and of sixteen."""
    return [[2.0**i for i in range(-20, 60, step)] for step in (1, 2, 3, 4)]


def decades() -> list[list[float]]:
    """1-2-5 series, then 1-3, then whole decades."""
    return [[d * 10.0**i for i in range(-9, 13) for d in digits] for digits in ((1, 2, 5), (1, 3), (1,))]


def percent(ax: Axes, axis: str = "y") -> None:
    """Shares shown as per cent."""
    {"x": ax.xaxis, "y": ax.yaxis}[axis].set_major_formatter(lambda share, _: f"{100 * share:.4g}%")


def legend(fig: Figure, axes: Sequence[Axes]) -> None:
    """One legend above the panels, each series once, in as many columns as fit."""
    found: dict[str, Artist] = {}
    for ax in axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    if found:
        fig.legend(
            list(found.values()),
            list(found),
            loc="outside upper center",
            ncols=_columns(list(found), fig.get_figwidth()),
        )


def _place(ax: Axes) -> SubplotSpec:
    place = ax.get_subplotspec()
    assert place is not None, "the panels of a grid have their places in it"
    return place


def _columns(names: Sequence[str], width: float) -> int:
    longest = max(len(n) for n in names) * LETTER * 0.9 + 0.75
    most = max(1, min(len(names), int(width / longest)))
    return math.ceil(len(names) / math.ceil(len(names) / most))  # 4 names in 3 columns become 2 and 2


def _apart(ticks: Sequence[float], inches: float, room: Callable[[float, float], float]) -> set[float]:
    """Those of the ticks that are further apart than the ``room``, in inches, that two labels need; the greatest
    tick is always among them."""
    kept: list[float] = []
    for tick in reversed(ticks):
        if not kept or math.log(kept[-1] / tick) * inches > room(kept[-1], tick):
            kept.append(tick)
    return set(kept)


def _range(values: Iterable[float]) -> tuple[float, float]:
    positive = np.asarray([v for v in values if v > 0], float)
    if not len(positive):
        return 0.5, 2.0
    low, high = float(positive.min()), float(positive.max())
    return (low, high) if high > low else (low / 2, high * 2)
