"""Figure 2: accuracy along a PRM's training (paper A: flat, a sudden jump, then a slow rise)."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from prm_scaling.plots import panels
from prm_scaling.plots.frames import above_zero, order, prepared, require
from prm_scaling.plots.names import label, title
from prm_scaling.plots.style import looks, styled

METRICS = {"accuracy": "best-of-N accuracy", "auc": "AUC over steps", "loss": "loss"}


@styled
def draw(table: pd.DataFrame) -> Figure:
    """The value of each metric over training steps.

    Columns: dataset, step, examples, metric (``accuracy``, ``auc`` or ``loss``), value, low, high. Accuracy has
    a panel for each data set; AUC and loss, measured on validation splits, one panel each.
    """
    require(table, "figure2", ["examples"])
    rows = prepared(table, "figure2", ["dataset", "step", "metric"], ["value", "low", "high"])
    if rows.empty:
        return panels.blank()
    above_zero(rows, "figure2", "step")
    shown = _panels(rows)
    fig, axes = panels.grid(len(shown))
    for ax, (metric, heading, part) in zip(axes, shown, strict=True):
        _panel(ax, part, metric, rows["step"])
        ax.set_title(heading)
        if metric != "accuracy" or panels.leftmost(ax):
            ax.set_ylabel(METRICS.get(metric, label(metric)))
    fig.supxlabel(_steps(rows))
    panels.legend(fig, axes)
    return fig


def _panels(rows: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    accuracy = rows[rows["metric"] == "accuracy"]
    found = [("accuracy", title(d), accuracy[accuracy["dataset"] == d]) for d in order(accuracy["dataset"])]
    for metric in order(rows["metric"], ["accuracy", "auc", "loss"]):
        if metric != "accuracy":
            part = rows[rows["metric"] == metric]
            datasets = order(part["dataset"])
            found.append((metric, title(datasets[0]) if len(datasets) == 1 else "Validation", part))
    return found


def _panel(ax: Axes, rows: pd.DataFrame, metric: str, steps: pd.Series) -> None:
    panels.log_axis(ax, steps, [steps])
    if metric == "accuracy":
        panels.percent(ax)
        panels.series(ax, rows, "step", "value", looks(["accuracy"])["accuracy"], None)
        return
    names = order(rows["dataset"])
    styles = looks(names)
    for shift, name in zip(panels.shifts(len(names), steps), names, strict=True):
        legend = label(name) if len(names) > 1 else None
        panels.series(ax, rows[rows["dataset"] == name], "step", "value", styles[name], legend, shift=shift)


def _steps(rows: pd.DataFrame) -> str:
    """The name of the x axis, with the examples of a step where that is one number."""
    each = (rows["examples"] / rows["step"]).round(3).unique()
    return f"training steps (of {each[0]:g} examples)" if len(each) == 1 else "training steps"
