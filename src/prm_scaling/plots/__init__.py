"""One function per figure, from a table of the evaluation to a matplotlib figure.

Use::

    from prm_scaling.plots import FIGURES, captions, style
    style.save(FIGURES["figure1"](pandas.read_csv("results/evaluate/figure1.csv")), "results/figures/figure1")
"""

from collections.abc import Callable

import pandas as pd
from matplotlib.figure import Figure

from prm_scaling.plots import (
    aggregations,
    anytime,
    convergence,
    figure1,
    figure2,
    figure3,
    figure4,
    figure5,
    figure6,
    grid,
    labels,
    levels,
    noise,
    noise_by_steps,
    pareto,
    patterns,
    process,
    scaling,
    transfer,
    verifier,
)
from prm_scaling.plots.caption import Caption, captions

__all__ = ["FIGURES", "Caption", "captions"]

FIGURES: dict[str, Callable[[pd.DataFrame], Figure]] = {
    "figure1": figure1.draw,
    "figure2": figure2.draw,
    "figure3": figure3.draw,
    "figure4": figure4.draw,
    "figure5": figure5.draw,
    "figure6": figure6.draw,
    "anytime": anytime.draw,
    "pareto": pareto.draw,
    "scaling": scaling.draw,
    "convergence": convergence.draw,
    "noise": noise.draw,
    "noise_by_steps": noise_by_steps.draw,
    "patterns": patterns.draw,
    "verifier": verifier.draw,
    "levels": levels.draw,
    "process": process.draw,
    "aggregations": aggregations.draw,
    "transfer": transfer.draw,
    "labels": labels.draw,
    "grid": grid.draw,
}
