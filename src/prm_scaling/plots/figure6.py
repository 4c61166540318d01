"""Figure 6: the PRM's reward of every step of a few chains (paper A: self-correcting steps score higher)."""

import textwrap

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from prm_scaling.plots import panels
from prm_scaling.plots.frames import order, prepared, require
from prm_scaling.plots.names import label, title
from prm_scaling.plots.style import BLACK, BLUE, ORANGE, VERMILLION, Look, styled

COLUMNS = ("case", "step", "text", "reward", "on_track", "correction", "group", "low", "high")
GROUPS = ("correction", "ordinary", "wrong")
LOOKS = {"correction": Look(VERMILLION, "D", "-"), "ordinary": Look(BLUE, "o", "-"), "wrong": Look(ORANGE, "s", "-")}
MARK = "↺"

# Inches. Text has no size in a plot's own units, so this page is laid out by hand.
LEFT, TEXT, BARS, RIGHT = 0.5, 4.45, 2.15, 0.4
LINE, ROW_GAP, TITLE, GAP = 0.165, 0.1, 0.3, 0.22
TICKS, LEGEND = 0.42, 0.4
FIRST, SECOND = -(TEXT + LEFT - 0.15) / BARS, -TEXT / BARS  # columns of text, in widths of the bars
LETTERS, LINES = 57, 4  # what fits into TEXT at 9 points; and when a step is cut short


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Steps as rows of text with bars of their reward, a panel for each case; below, the means by kind of step.

    Columns: case, step, text, reward, on_track, correction, group, low, high. Rows whose case is ``mean`` fill
    group (``correction``, ``ordinary`` or ``wrong``), reward, low and high; the others fill the first six.
    """
    require(table, "figure6", COLUMNS)
    steps = table[(table["case"] != "mean") & table["reward"].notna()]
    means = prepared(table[table["case"] == "mean"], "figure6", ["group"], ["reward", "low", "high"])
    cases = {case: steps[steps["case"] == case].sort_values("step") for case in order(steps["case"])}
    if not cases and means.empty:
        return panels.blank()
    texts = {case: [_wrapped(text) for text in rows["text"]] for case, rows in cases.items()}
    return _page(cases, texts, means)


def _page(cases: dict[str, pd.DataFrame], texts: dict[str, list[str]], means: pd.DataFrame) -> Figure:
    heights = {case: sum(_height(t) for t in lines) for case, lines in texts.items()}
    mean_height = 0.27 * len(means) if len(means) else 0.0
    total = sum(h + TITLE + GAP for h in heights.values())
    total += (TICKS + LEGEND - GAP if cases else 0) + (mean_height + TITLE + TICKS if len(means) else 0) + 0.1
    fig = Figure(figsize=(panels.WIDTH, total))
    top = total
    for case, rows in cases.items():
        top -= TITLE
        last = case == list(cases)[-1]
        _case(_box(fig, top - heights[case], heights[case]), case, rows, texts[case], last)
        top -= heights[case] + GAP
    if cases:
        _legend(fig, (top - TICKS + 0.08) / total)
        top -= TICKS + LEGEND - GAP
    if len(means):
        _means(_box(fig, top - TITLE - mean_height, mean_height), means)
    return fig


def _case(ax: Axes, case: str, rows: pd.DataFrame, texts: list[str], last: bool) -> None:
    ax.text(FIRST, 1.0, title(case), transform=ax.transAxes, weight="bold", va="bottom", size=9.5)
    edge = 0.0
    for (_, row), text in zip(rows.iterrows(), texts, strict=True):
        middle, thick = edge - _height(text) / 2, min(_height(text), 0.3) - ROW_GAP
        good, again = _true(row["on_track"]), _true(row["correction"])
        ax.barh(middle, row["reward"], height=thick, **_fill(good))
        ax.text(max(row["reward"], 0) + 0.03, middle, f"{row['reward']:.2f}", va="center")
        number = f"{int(row['step'])}{' ' + MARK if again else ''}"
        placed = ax.get_yaxis_transform()
        ax.text(FIRST, middle, number, transform=placed, va="center", color=VERMILLION if again else BLACK)
        weight = "bold" if again else "normal"
        ax.text(SECOND, middle, text, transform=placed, va="center", family="DejaVu Sans Mono", weight=weight)
        edge -= _height(text)
    ax.set_ylim(edge, 0)
    ax.set_yticks([])
    _reward_axis(ax, last)
    ax.tick_params(labelbottom=last)


def _means(ax: Axes, means: pd.DataFrame) -> None:
    ax.text(FIRST, 1.0, "Mean reward by kind of step", transform=ax.transAxes, weight="bold", va="bottom", size=9.5)
    groups = order(means["group"], GROUPS)
    means = means.set_index("group").loc[groups]
    places = [-float(i) for i in range(len(groups))]
    panels.dots(ax, means, "reward", places, [LOOKS.get(g, Look(BLACK, "o", "-")) for g in groups])
    for place, group in zip(places, groups, strict=True):
        ax.text(SECOND, place, label(group), transform=ax.get_yaxis_transform(), va="center")
        mean = means.loc[group]
        ax.text(mean["high"] + 0.04, place, f"{mean['reward']:.2f}", va="center")
    ax.set_yticks([])
    ax.set_ylim(-len(groups) + 0.4, 0.6)
    _reward_axis(ax, True)


def _reward_axis(ax: Axes, named: bool) -> None:
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
    if named:
        ax.set_xlabel("the PRM's reward")


def _legend(fig: Figure, height: float) -> None:
    bars = [Patch(label=text, **_fill(good)) for good, text in ((True, "on track"), (False, "after the first error"))]
    fig.legend(handles=bars, loc="center left", bbox_to_anchor=(0.02, height), ncols=2)
    fig.text(0.52, height, f"{MARK}  and bold: the step takes back an earlier one", va="center", color=VERMILLION)


def _fill(good: bool) -> dict:
    if good:
        return {"facecolor": BLUE, "edgecolor": BLUE}
    return {"facecolor": "#FBE3B3", "edgecolor": VERMILLION, "hatch": "////"}


def _box(fig: Figure, bottom: float, height: float) -> Axes:
    """An axis for bars, given in inches from the foot of the page."""
    width, total = fig.get_size_inches()
    return fig.add_axes(((LEFT + TEXT) / width, bottom / total, BARS / width, height / total))


def _wrapped(text: object) -> str:
    """The step in lines that fit its column; what is too long ends in an ellipsis."""
    clean = "".join(c if c.isprintable() else " " for c in str(text))
    return "\n".join(textwrap.wrap(clean, LETTERS, max_lines=LINES, placeholder=" …")) or "(empty)"


def _height(text: str) -> float:
    return LINE * (text.count("\n") + 1) + ROW_GAP


def _true(value: object) -> bool:
    """A truth value as a CSV gives it back beside empty cells: a bool, a number or a word."""
    return str(value).lower() in {"true", "1", "1.0"}
