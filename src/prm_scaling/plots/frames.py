"""The tables that figures are drawn from: checked, and put in an order to draw."""

from collections.abc import Sequence

import pandas as pd

INTERVAL = ("low", "high")


def require(table: pd.DataFrame, figure: str, columns: Sequence[str]) -> None:
    """``ValueError`` naming the figure and every column that ``table`` lacks."""
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise ValueError(f"{figure}: the table has no column {', '.join(missing)}; it has {', '.join(table.columns)}")


def prepared(table: pd.DataFrame, figure: str, key: Sequence[str], estimate: Sequence[str]) -> pd.DataFrame:
    """The rows that can be drawn.

    Args:
        figure: the figure's name, for messages.
        key: the columns that tell the rows apart.
        estimate: the columns of the value, its lower and its upper bound.

    Rows without a value (nothing was measured in that group) are left out. Raises ``ValueError`` for a missing
    column, for a value without its interval, and for two rows of one key, which a line would join into a zigzag.
    """
    require(table, figure, [*key, *estimate])
    value, low, high = estimate
    rows = table[table[value].notna()]
    bare = rows[rows[low].isna() | rows[high].isna()]
    if len(bare):
        raise ValueError(f"{figure}: {len(bare)} rows have {value} and no {low} or {high}, first {_first(bare, key)}")
    twice = rows[rows.duplicated(list(key), keep=False)]
    if len(twice):
        raise ValueError(f"{figure}: {len(twice)} rows share their {', '.join(key)}, first {_first(twice, key)}")
    return rows.reset_index(drop=True)


def above_zero(rows: pd.DataFrame, figure: str, column: str) -> None:
    """``ValueError`` where ``column`` could not stand on a logarithmic axis."""
    wrong = rows[~(rows[column] > 0)]
    if len(wrong):
        raise ValueError(f"{figure}: {column} must be above 0 in every row; first {wrong.iloc[0].to_dict()}")


def order(values: pd.Series, first: Sequence[str] = ()) -> list:
    """The distinct values: those in ``first``, in its order, then the others as they come."""
    present = list(dict.fromkeys(values.dropna()))
    return [v for v in first if v in present] + [v for v in present if v not in first]


def _first(rows: pd.DataFrame, key: Sequence[str]) -> dict:
    return rows.iloc[0][list(key)].to_dict()
