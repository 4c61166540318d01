"""The paper's tables and the list of its claims, as Markdown or as HTML.

Use::

    markdown_text = table1(frame)
    fragment = table1(frame, html)
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from itertools import groupby

import pandas as pd
import yaml

from prm_scaling.plots.frames import order, prepared, require
from prm_scaling.plots.names import label, title

SELECTIONS = ("none", "majority", "prm_math", "prm_code")
VERDICTS = {
    "holds": ("✓ holds", "holds"),
    "does not hold": ("✗ does not hold", "fails"),
    "undecided at this scale": ("○ undecided at this scale", "open"),
}
NOTHING = "–"


@dataclass(frozen=True)
class Cell:
    """A cell: its text, its interval or other detail, and a class for its colour."""

    text: str
    detail: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Grid:
    """A table before it is written down."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    heads: int = 1  # columns that name the row: with two, rows that share the first are one group
    stacked: bool = False  # rows of prose, which a narrow screen shows one below the other


Render = Callable[[Sequence[Grid]], str]


def markdown(grids: Sequence[Grid]) -> str:
    """The grids as Markdown tables under third-level headings."""
    return "\n".join(_markdown(grid) for grid in grids)


def html(grids: Sequence[Grid]) -> str:
    """The grids as HTML tables with captions and header cells, a fragment for :func:`report.render`."""
    return "\n".join(_html(grid) for grid in grids)


def table1(table: pd.DataFrame, render: Render = markdown) -> str:
    """Accuracy on code by generator and data set, a column for each way to choose; then the paper's own.

    The paper sets data sets side by side within each way to choose; here they are rows, since what the table
    compares are the ways to choose, and an interval beside each number needs the width.

    Columns: generator, dataset, selection (``none``, ``majority``, ``prm_math``, ``prm_code``), accuracy, low, high.
    """
    rows = prepared(table, "table1", ["generator", "dataset", "selection"], ["accuracy", "low", "high"])
    datasets = order(rows["dataset"])
    cells = {
        (r.generator, r.selection, r.dataset): estimate(100 * r.accuracy, 100 * r.low, 100 * r.high, 1)
        for r in rows.itertuples()
    }
    selections = order(rows["selection"], SELECTIONS)
    ours = _crossed(
        "Table 1: accuracy in %, by generator, data set and way to choose",
        order(rows["generator"]),
        selections,
        datasets,
        cells,
        "In brackets: 95% intervals.",
    )
    return render([ours, _published_table1()])


def table2(table: pd.DataFrame, render: Render = markdown) -> str:
    """Similarity of the gradients of pairs of response sets; then the paper's own.

    Columns: pair, similarity, low, high, p_value (empty for the pair that the others are tested against).
    """
    require(table, "table2", ["p_value"])
    rows = prepared(table, "table2", ["pair"], ["similarity", "low", "high"])
    ours = Grid(
        "Table 2: similarity of gradients",
        ("pair", "similarity", "p"),
        tuple(
            (Cell(title(r.pair)), estimate(r.similarity, r.low, r.high), Cell(_p(r.p_value))) for r in rows.itertuples()
        ),
        "In brackets: 95% intervals.",
    )
    theirs = published()["table2"]
    return render(
        [
            ours,
            Grid(
                theirs["title"],
                ("pair", "similarity"),
                tuple((Cell(title(pair)), Cell(f"{value:.2f}")) for pair, value in theirs["rows"].items()),
                theirs["source"],
            ),
        ]
    )


def claims(table: pd.DataFrame, render: Render = markdown) -> str:
    """The paper's claims, how each was measured here, and what came out.

    Columns: id, claim, source, statement, effect, low, high, unit, verdict (``holds``, ``does not hold`` or
    ``undecided at this scale``; any other raises ``ValueError``).
    """
    require(
        table,
        "claims",
        ["id", "claim", "source", "statement", "effect", "low", "high", "unit", "detectable", "verdict"],
    )
    unknown = sorted({str(v) for v in table["verdict"]} - set(VERDICTS))
    if unknown:
        raise ValueError(f"claims: no verdict is called {', '.join(unknown)}; there are {', '.join(VERDICTS)}")
    counts = [f"{(table['verdict'] == v).sum()} ({v})" for v in VERDICTS]
    grid = Grid(
        "Claims of the paper, measured here",
        ("claim", "source", "how it is measured", "effect", "detectable", "verdict"),
        tuple(_claim(row) for _, row in table.iterrows()),
        f"The {len(table)} verdicts: {', '.join(counts)}. In brackets: 95% intervals. "
        "Detectable: the least effect that is told from none at 80% power.",
        stacked=True,
    )
    return render([grid])


def references(render: Render = markdown) -> str:
    """Numbers that others have published, to read beside the figures: a table for each of their owners."""
    columns = ("to read beside", "quantity", "value", "where it stands")
    grids = []
    for owner in published()["references"]:
        rows = tuple(
            (Cell(_figure(r["figure"])), Cell(r["quantity"]), Cell(r["value"]), Cell(r["source"]))
            for r in owner["rows"]
        )
        grids.append(Grid(owner["title"], columns, rows))
    return render(grids)


def published() -> dict:
    """The contents of ``published.yaml``: table1, table2 and references, each with its source."""
    return yaml.safe_load(files("prm_scaling.plots").joinpath("published.yaml").read_text(encoding="utf-8"))


def estimate(value: float, low: float, high: float, decimals: int | None = None, unit: str = "") -> Cell:
    """A value with its interval, all to the same place: three digits of the largest, unless ``decimals`` is given.

    >>> estimate(-1.2, -12.04, 1.8, unit="points")
    Cell(text='−1.2 points', detail='[−12.0, 1.8]', kind='')
    """
    if pd.isna(value):
        return Cell(NOTHING)
    if decimals is None:
        largest = max((abs(v) for v in (value, low, high) if v == v), default=0.0)
        decimals = min(4, max(0, 2 - math.floor(math.log10(largest)))) if largest > 0 else 0
    text, *interval = (f"{v:,.{decimals}f}".replace("-", "−") for v in (value, low, high))
    bounded = not (pd.isna(low) or pd.isna(high))
    return Cell(f"{text} {unit}".strip(), f"[{', '.join(interval)}]" if bounded else "")


def _claim(row: pd.Series) -> tuple[Cell, ...]:
    unit = "" if pd.isna(row["unit"]) else str(row["unit"])
    text, kind = VERDICTS[row["verdict"]]
    return (
        Cell(f"{row['id']}. {row['claim']}"),
        Cell(str(row["source"])),
        Cell(str(row["statement"])),
        estimate(row["effect"], row["low"], row["high"], unit=unit),
        estimate(row["detectable"], math.nan, math.nan, unit=unit),
        Cell(text, kind=kind),
    )


def _published_table1() -> Grid:
    theirs = published()["table1"]
    cells = {
        (generator, selection, dataset): Cell(f"{value:.1f}")
        for generator, by_selection in theirs["rows"].items()
        for selection, values in by_selection.items()
        for dataset, value in zip(theirs["datasets"], values, strict=True)
    }
    return _crossed(theirs["title"], list(theirs["rows"]), SELECTIONS, theirs["datasets"], cells, theirs["source"])


def _crossed(
    heading: str, generators: Sequence, selections: Sequence, datasets: Sequence, cells: dict, note: str
) -> Grid:
    """A row for each generator and data set that has a cell, a column for each way to choose."""
    rows = [
        (Cell(label(g)), Cell(label(d)), *(cells.get((g, s, d), Cell(NOTHING)) for s in selections))
        for g in generators
        for d in datasets
        if any((g, s, d) in cells for s in selections)
    ]
    return Grid(heading, ("generator", "data set", *(label(s) for s in selections)), tuple(rows), note, heads=2)


def _figure(name: str) -> str:
    return name.replace("figure", "Figure ") if name.startswith("figure") else title(name)


def _p(value: float) -> str:
    if pd.isna(value):
        return NOTHING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _markdown(grid: Grid) -> str:
    lines = [list(grid.columns), ["---"] * len(grid.columns)]
    lines += [[f"{c.text} {c.detail}".strip() for c in row] for row in grid.rows]
    body = "\n".join("| " + " | ".join(_flat(text) for text in line) + " |" for line in lines)
    note = f"\n{grid.note}\n" if grid.note else ""
    return f"### {grid.title}\n\n{body}\n{note}"


def _flat(text: str) -> str:
    """The text on one line, without a bar that would end its cell."""
    return " ".join(text.split()).replace("|", "\\|")


def _html(grid: Grid) -> str:
    note = f"<p class='note'>{escape(grid.note)}</p>" if grid.note else ""
    kind = " class='stacked'" if grid.stacked else ""
    columns = "".join(f"<th scope='col'>{escape(name)}</th>" for name in grid.columns)
    rows = "\n".join(_html_rows(grid))
    table = (
        f"<table{kind}>\n<caption><span>{escape(grid.title)}</span></caption>\n"
        f"<thead>\n<tr>{columns}</tr>\n</thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
    )
    return scrolling(grid.title, table) + note


def scrolling(title: str, table: str) -> str:
    """An HTML table that scrolls by itself where it is wider than the page."""
    return f"<div class='scroll' tabindex='0' role='region' aria-label='{escape(title)}'>\n{table}\n</div>\n"


def _html_rows(grid: Grid) -> Iterator[str]:
    if grid.heads == 1:
        for row in grid.rows:
            yield f"<tr>{_html_head(row[0])}{_html_cells(grid, row)}</tr>"
        return
    for group, together in groupby(grid.rows, key=lambda row: row[0]):
        rows = list(together)
        first = f"<th scope='rowgroup' rowspan='{len(rows)}'>{escape(group.text)}</th>"
        for i, row in enumerate(rows):
            yield f"<tr>{'' if i else first}{_html_head(row[1])}{_html_cells(grid, row)}</tr>"


def _html_head(cell: Cell) -> str:
    return f"<th scope='row'>{escape(cell.text)}</th>"


def _html_cells(grid: Grid, row: Sequence[Cell]) -> str:
    named = list(zip(grid.columns, row, strict=True))[grid.heads :]
    return "".join(_html_cell(name, cell) for name, cell in named)


def _html_cell(name: str, cell: Cell) -> str:
    kind = f" class='{cell.kind}'" if cell.kind else ""
    detail = f" <small>{escape(cell.detail)}</small>" if cell.detail else ""
    return f"<td{kind} data-label='{escape(name)}'>{escape(cell.text)}{detail}</td>"
