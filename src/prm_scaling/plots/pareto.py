"""The FLOPs view: accuracy over compute for policies of several sizes, with the Pareto front (after Wu et al.)."""

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import panels
from prm_scaling.plots.frames import above_zero, order, prepared, require
from prm_scaling.plots.names import label, title
from prm_scaling.plots.style import GREY, looks, styled

COSTS = {"policy_flops": "FLOPs of the policy", "flops": "FLOPs of policy and PRM"}


@styled
def draw(table: pd.DataFrame) -> Figure:
    """Accuracy over FLOPs a question: a line for each policy, a column for each way to choose, a row for each count.

    Columns: policy, parameters, strategy, n, policy_flops, flops, accuracy, low, high, policy_flops_front,
    flops_front.
    """
    require(table, "pareto", ["parameters", *COSTS, *(f"{cost}_front" for cost in COSTS)])
    rows = prepared(table, "pareto", ["policy", "strategy", "n"], ["accuracy", "low", "high"])
    if rows.empty:
        return panels.blank()
    strategies, policies = order(rows["strategy"]), order(rows.sort_values("parameters")["policy"])
    styles = looks(policies)
    fig, axes = panels.grid(len(COSTS) * len(strategies), columns=len(strategies))
    shown = [(cost, strategy) for cost in COSTS for strategy in strategies]
    for ax, (cost, strategy) in zip(axes, shown, strict=True):
        above_zero(rows, "pareto", cost)
        panels.log_axis(ax, rows[cost], panels.decades())
        panels.percent(ax)
        ax.set_title(title(strategy))
        ax.set_xlabel(COSTS[cost])
        front = rows[rows[f"{cost}_front"].astype(bool)].sort_values(cost)
        ax.step(front[cost], front["accuracy"], where="post", color=GREY, linewidth=4, alpha=0.35, label="Pareto front")
        for policy in policies:
            part = rows[(rows["strategy"] == strategy) & (rows["policy"] == policy)]
            if len(part):
                panels.series(ax, part, cost, "accuracy", styles[policy], f"policy {label(policy)}")
    panels.one_y(axes)
    panels.name_y(axes, "accuracy")
    panels.legend(fig, axes)
    return fig
