"""Pre-training against reward training: what a PRM can do over the FLOPs of both."""

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import panels
from prm_scaling.plots.frames import above_zero, order, prepared, require
from prm_scaling.plots.names import compact, label
from prm_scaling.plots.style import GREY, looks, styled

METRICS = {"auc": "AUC over steps", "accuracy": "best-of-N accuracy"}


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Each metric over the FLOPs of both trainings: a column for each size, a line for each checkpoint.

    Columns: model, parameters, pretraining_step, step, pretraining_flops, training_flops, total_flops, share, metric,
    value, low, high, front.
    """
    require(table, "grid", ["parameters", "pretraining_flops", "training_flops", "total_flops", "share", "front"])
    rows = prepared(table, "grid", ["metric", "model", "pretraining_step", "step"], ["value", "low", "high"])
    rows = rows[rows["metric"].isin(METRICS)]
    if rows.empty:
        return panels.blank()
    above_zero(rows, "grid", "total_flops")
    models = order(rows.sort_values("parameters")["model"])
    shown = [(metric, model) for metric in order(rows["metric"], list(METRICS)) for model in models]
    fig, axes = panels.grid(len(shown), columns=len(models))
    for ax, (metric, model) in zip(axes, shown, strict=True):
        own = rows[rows["metric"] == metric]
        panels.log_axis(ax, rows["total_flops"], panels.decades())
        front = own[own["front"].astype(bool)].sort_values("total_flops")
        ax.step(front["total_flops"], front["value"], where="post", color=GREY, linewidth=4, alpha=0.35, label="front")
        part = own[own["model"] == model]
        steps = sorted(part["pretraining_step"].unique())
        for step, look in zip(steps, looks(list(map(str, steps))).values(), strict=True):
            name = f"pre-trained for {compact(step)} steps"
            panels.series(ax, part[part["pretraining_step"] == step], "total_flops", "value", look, name)
        ax.set_title(f"{METRICS[metric]}, {label(model)}")
        if metric == "accuracy":
            panels.percent(ax)
    for metric in order(rows["metric"], list(METRICS)):
        panels.one_y([ax for ax, (own, _) in zip(axes, shown, strict=True) if own == metric])
    fig.supxlabel("FLOPs of pre-training and reward training")
    panels.legend(fig, axes)
    return fig
