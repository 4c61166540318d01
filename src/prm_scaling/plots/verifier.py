"""Audit of the PRMs as verifiers: how well they tell right steps from wrong ones, apart from any search."""

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import panels
from prm_scaling.plots.frames import above_zero, order, prepared, require
from prm_scaling.plots.names import label, model_names, title
from prm_scaling.plots.style import GREY, looks, styled

METRICS = {
    "auc": (("auc", "low", "high"), "AUC over steps"),
    "f1": (("f1", "f1_low", "f1_high"), "F1 of the first error"),
}
ORDER = ("aslaf", "human", "monte_carlo")
CHANCE = 0.5  # the AUC of a coin


@styled
def draw(table: pd.DataFrame) -> Figure:
    """AUC and F1 over the PRM's parameters: a line for each training set, a column of panels for each domain.

    Columns: prm (its training set), model, parameters, domain, auc, low, high, f1, f1_low, f1_high.
    """
    require(table, "verifier", ["parameters"])
    key = ["prm", "model", "domain"]
    tables = {m: prepared(table, "verifier", key, columns) for m, (columns, _) in METRICS.items()}
    domains, names = order(table["domain"]), order(table["prm"], ORDER)
    if all(rows.empty for rows in tables.values()):
        return panels.blank()
    styles, (sizes, models) = looks(names), model_names(table)
    fig, axes = panels.grid(len(domains) * len(METRICS), columns=len(domains))
    shown = [(metric, domain) for metric in METRICS for domain in domains]
    for ax, (metric, domain) in zip(axes, shown, strict=True):
        above_zero(tables[metric], "verifier", "parameters")
        panels.log_axis(ax, sizes, [sizes], lambda size: models[size], margin=0.13)
        ax.set_title(title(domain))
        columns, name = METRICS[metric]
        if panels.leftmost(ax):
            ax.set_ylabel(name)
        if metric == "auc":
            ax.axhline(CHANCE, color=GREY, linewidth=1, linestyle=(0, (2, 2)), label="chance (AUC)")
        here = tables[metric][tables[metric]["domain"] == domain]
        inside = [n for n in names if n in set(here["prm"])]
        for shift, prm in zip(panels.shifts(len(inside), sizes, 0.045), inside, strict=True):
            part = here[here["prm"] == prm]
            panels.series(ax, part, "parameters", columns[0], styles[prm], label(prm), columns[1:], shift)
    for line in (axes[: len(domains)], axes[len(domains) :]):
        panels.one_y(line)
    fig.supxlabel("parameters of the PRM")
    panels.legend(fig, axes)
    return fig
