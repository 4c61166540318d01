"""Figure 4: accuracy over the generation budget (paper A: MCTS > beam search > best of N > majority vote)."""

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import budgets, panels


def draw(table: pd.DataFrame) -> Figure:
    """Accuracy over the tokens generated for a question, a line for each search strategy.

    Columns: dataset, strategy, budget, tokens (mean of a question), accuracy, low, high.
    """
    return budgets.draw(table, "figure4", "tokens", "generated tokens per question", panels.doubling())
