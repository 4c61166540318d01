"""Figure 5: accuracy over the time of a question (paper A: best of N leads, then MCTS overtakes)."""

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import budgets, panels


def draw(table: pd.DataFrame) -> Figure:
    """Accuracy over the seconds that a question takes, a line for each search strategy.

    Columns: dataset, strategy, budget, seconds (mean of a question), accuracy, low, high.
    """
    return budgets.draw(table, "figure5", "seconds", "seconds per question", panels.decades())
