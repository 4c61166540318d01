"""Anytime: the accuracy of the answer that a search would give after any number of tokens, from one run of each."""

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import budgets, panels
from prm_scaling.plots.frames import require


def draw(table: pd.DataFrame) -> Figure:
    """Accuracy over the tokens generated until then, a line for each search strategy.

    Columns: dataset, strategy, tokens, accuracy, low, high.
    """
    require(table, "anytime", ["tokens"])
    moments = table.assign(budget=table["tokens"])
    return budgets.draw(moments, "anytime", "tokens", "tokens generated until the answer", panels.doubling())
