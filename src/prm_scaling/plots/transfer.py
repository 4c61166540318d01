"""PRMs across domains: who chooses well where."""

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import dotplot
from prm_scaling.plots.frames import order, require
from prm_scaling.plots.names import label
from prm_scaling.plots.style import CYCLE, LOOKS


def draw(table: pd.DataFrame) -> Figure:
    """Best-of-n accuracy with each PRM, a panel for each domain and policy; beside it the AUC over steps.

    Columns: prm (its training set, or ``majority``), domain (of the problems), policy, parameters (of the policy),
    n, accuracy, low, high, auc.
    """
    require(table, "transfer", ["prm", "domain", "policy", "parameters", "n", "auc"])
    several = table["policy"].nunique() > 1
    rows = table.assign(panel=[_panel(row, several) for row in table.to_dict("records")])
    prms = [name for name in order(table["prm"]) if name != "majority"]
    return dotplot.draw(
        rows,
        "transfer",
        group="prm",
        value="accuracy",
        name="best-of-N accuracy",
        first=[*prms, "majority"],
        looks={**dict(zip(prms, CYCLE, strict=False)), "majority": LOOKS["majority"]},
        remark=("AUC", lambda row: "" if pd.isna(row["auc"]) else f"{row['auc']:.2f}"),
        panel="panel",
        panels_first=order(rows.sort_values("parameters", kind="stable")["panel"]),
    )


def _panel(row: dict, several: bool) -> str:
    domain = label(row["domain"])
    return f"{domain}, policy {label(row['policy'])}" if several else domain
