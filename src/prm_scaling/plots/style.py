"""The look of every figure, and how one is saved: the same table gives the same bytes.

Use::

    fig = figure1.draw(pandas.read_csv("results/evaluate/figure1.csv"))
    save(fig, "results/figures/figure1")  # figure1.svg and figure1.png
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
from matplotlib.figure import Figure

from prm_scaling.storage import whole

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# Okabe and Ito's colours, which stay apart under the common forms of colour blindness. Their yellow is
# left out: on white paper it cannot be read.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#6B6B6B"

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same letters
    "font.size": 9,
    "axes.titlesize": 9.5,
    "axes.labelsize": 9,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "figure.labelsize": 9,
    "text.parse_math": False,  # a dollar in a step's text is a dollar
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.linewidth": 0.8,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.5,
    "hatch.linewidth": 0.8,
    "legend.frameon": False,
    "legend.handlelength": 3.8,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "prm_scaling",
}


@dataclass(frozen=True)
class Look:
    """How one series is drawn: colour, marker and line all differ, so that grey print works too."""

    colour: str
    marker: str
    line: str | tuple[int, tuple[float, ...]]
    filled: bool = True

    @property
    def size(self) -> float:
        """The marker's size in points: pointed ones are drawn larger to weigh the same."""
        return 7.5 if self.marker in "^v<>XP" else 6.0


DASH, DOT, DASHDOT = (0, (5, 2)), (0, (1, 1.5)), (0, (5, 1.5, 1, 1.5))
LONGDASH, DASHDOTDOT = (0, (9, 2.5)), (0, (4, 1.5, 1, 1.5, 1, 1.5))

CYCLE = (
    Look(BLUE, "o", "-"),
    Look(VERMILLION, "s", DASH),
    Look(GREEN, "^", DASHDOT),
    Look(PURPLE, "D", LONGDASH),
    Look(ORANGE, "v", DASHDOTDOT),
    Look(SKY, "P", DOT),
    Look(GREY, "o", DASH, filled=False),
    Look(BLACK, "s", DOT, filled=False),
    # Colours come again from here on, with markers of their own.
    Look(BLUE, "^", DASH, filled=False),
    Look(VERMILLION, "D", DASHDOT, filled=False),
    Look(GREEN, "P", LONGDASH, filled=False),
    Look(PURPLE, "<", DASHDOTDOT, filled=False),
    Look(ORANGE, ">", DOT, filled=False),
    Look(SKY, "p", DASH, filled=False),
)

# A series keeps its look in all figures.
LOOKS = {
    "majority": Look(BLACK, "X", DOT),
    "pass": Look(GREY, "v", DASHDOTDOT, filled=False),
    "aslaf": CYCLE[0],
    "monte_carlo": CYCLE[1],
    "human": CYCLE[2],
    "aslaf_code": CYCLE[3],
    "aslaf_logic": CYCLE[4],
    "mcts": CYCLE[0],
    "beam": CYCLE[1],
    "best_of_n": CYCLE[2],
    "weighted": CYCLE[3],
    "rebase": CYCLE[4],
    "dvts": CYCLE[5],
    "snell_beam": CYCLE[6],
    "greedy_step": CYCLE[7],
    "router": CYCLE[8],
    "greedy": CYCLE[9],
}


def looks(names: list[str]) -> dict[str, Look]:
    """One look for each of the names: its own if it has one, else the next that none of them uses."""
    known = {n: LOOKS[n] for n in names if n in LOOKS}
    free = [look for look in CYCLE if look not in known.values()] or list(CYCLE)
    rest = [n for n in names if n not in known]
    return known | {n: free[i % len(free)] for i, n in enumerate(rest)}


def styled(draw: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """``draw`` under this style, with matplotlib's settings left as they were found."""

    @functools.wraps(draw)
    def wrapper(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with matplotlib.rc_context(RC):
            return draw(*args, **kwargs)

    return wrapper


@styled
def save(fig: Figure, stem: str | Path) -> tuple[Path, Path]:
    """Write ``stem``.svg and ``stem``.png (200 dpi), without dates or versions; returns both paths."""
    svg, png = Path(f"{stem}.svg"), Path(f"{stem}.png")
    with whole(svg) as temporary:
        fig.savefig(temporary, format="svg", metadata={"Date": None, "Creator": None})
    with whole(png) as temporary:
        fig.savefig(temporary, format="png", dpi=200, metadata={"Software": None})
    return svg, png
