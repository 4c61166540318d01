"""Figures, from small made-up tables."""

import os
import re
import subprocess
import sys
from xml.etree import ElementTree

import matplotlib
import pandas as pd
import pytest
from made_up import FRAMES, figure1, figure3, figure6, frame
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from prm_scaling.plots import FIGURES, captions, panels, style
from prm_scaling.plots.names import NAMES, compact, label, model_names
from prm_scaling.search import STRATEGIES

every_figure = pytest.mark.parametrize("name", FRAMES)


def intervals(fig: Figure) -> list[tuple[float, float]]:
    """The ends of every interval that is drawn, whether as a line or as a band."""
    found = []
    for ax in fig.axes:
        for lines in ax.collections:
            if isinstance(lines, LineCollection) and lines.get_label() == panels.HIDDEN:
                for (x0, y0), (x1, y1) in lines.get_segments():
                    found.append((y0, y1) if x0 == x1 else (x0, x1))
        for band in ax.patches:
            if band.get_label() == panels.HIDDEN:
                found.append((band.get_y(), band.get_y() + band.get_height()))
    return sorted((round(a, 6), round(b, 6)) for a, b in found)


def expected(name: str, table: pd.DataFrame) -> list[tuple[float, float]]:
    # The F1 of a verifier has an interval too; a point of the Pareto figure is drawn over either cost.
    more = {"verifier": [("f1_low", "f1_high")], "pareto": [("low", "high")]}
    if name == "levels":
        # Each point stands in both panels, with its interval of either x.
        table = table[table["accuracy"].notna()]
        more["levels"] = [("low", "high"), ("f1_low", "f1_high"), ("lowest_last_low", "lowest_last_high")]
    pairs = [("low", "high"), *more.get(name, [])]
    if name in ("figure4", "figure5"):
        # Best-of-N stands beside the paper's strategies and beside the others.
        table = pd.concat([table, table[table["strategy"] == "best_of_n"]])
    rows = [pair for low, high in pairs for pair in zip(table[low], table[high], strict=True) if pair[0] == pair[0]]
    return sorted((round(a, 6), round(b, 6)) for a, b in rows)


def words(fig: Figure) -> str:
    return "\n".join(text.get_text() for text in fig.findobj(matplotlib.text.Text))


def test_every_figure_has_a_frame_and_a_caption():
    assert set(FIGURES) == set(FRAMES)
    for name in FIGURES:
        caption = captions()[name]
        assert caption.title and caption.caption and caption.category and caption.alt


@every_figure
def test_every_row_has_its_interval(name):
    table = FRAMES[name]()
    assert intervals(FIGURES[name](table)) == expected(name, table)


@every_figure
def test_the_same_table_gives_the_same_bytes(name, tmp_path):
    table = FRAMES[name]()
    first = style.save(FIGURES[name](table), tmp_path / "first")
    second = style.save(FIGURES[name](table), tmp_path / "second")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    svg = first[0].read_text()
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert not re.search(r"<dc:date>|Matplotlib v|<text", svg)
    assert first[1].read_bytes().startswith(b"\x89PNG")


def test_bytes_do_not_depend_on_the_process(tmp_path):
    figure3().to_csv(tmp_path / "table.csv", index=False)
    here, *_ = style.save(FIGURES["figure3"](pd.read_csv(tmp_path / "table.csv")), tmp_path / "here")
    script = (
        "import pandas, sys; from prm_scaling.plots import FIGURES, style;"
        "style.save(FIGURES['figure3'](pandas.read_csv(sys.argv[1])), sys.argv[2])"
    )
    arguments = [sys.executable, "-c", script, tmp_path / "table.csv", tmp_path / "there"]
    subprocess.run(arguments, check=True, env=os.environ | {"PYTHONHASHSEED": "7"})
    assert here.read_bytes() == (tmp_path / "there.svg").read_bytes()


@every_figure
def test_a_missing_column_is_named(name):
    for column in FRAMES[name]().columns:
        with pytest.raises(ValueError, match=rf"{name}: the table has no column {column};"):
            FIGURES[name](FRAMES[name]().drop(columns=column))


@every_figure
def test_an_empty_table_gives_a_figure_that_says_so(name, tmp_path):
    fig = FIGURES[name](FRAMES[name]().iloc[:0])
    assert "No rows" in words(fig)
    style.save(fig, tmp_path / "empty")


@every_figure
def test_rows_without_a_value_are_left_out(name, tmp_path):
    table = FRAMES[name]()
    columns = [c for c in ("accuracy", "value", "reward", "noise", "rate", "auc", "share") if c in table]
    bounds = [c for c in ("low", "high") if c in table]
    table.loc[table.index[-1], columns + bounds] = float("nan")
    fig = FIGURES[name](table)
    assert intervals(fig) == expected(name, table)
    style.save(fig, tmp_path / "holes")


@every_figure
def test_one_group_alone_can_be_drawn(name, tmp_path):
    table = FRAMES[name]().iloc[:1]
    fig = FIGURES[name](table)
    assert intervals(fig) == expected(name, table)
    style.save(fig, tmp_path / "one")


@every_figure
def test_a_value_without_its_interval_is_refused(name):
    table = FRAMES[name]()
    table.loc[table.index[-1], "low"] = float("nan")
    with pytest.raises(ValueError, match=rf"{name}: 1 rows have .* and no low"):
        FIGURES[name](table)


@every_figure
def test_two_rows_of_one_key_are_refused(name):
    table = FRAMES[name]()
    with pytest.raises(ValueError, match=rf"{name}: 2 rows share"):
        FIGURES[name](pd.concat([table, table.iloc[-1:]]))


@every_figure
def test_drawing_leaves_matplotlib_as_it_was(name):
    before = dict(matplotlib.rcParams)
    FIGURES[name](FRAMES[name]())
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(("name", "column"), [("figure1", "parameters"), ("figure2", "step"), ("figure5", "seconds")])
def test_what_a_logarithm_cannot_show_is_refused(name, column):
    table = FRAMES[name]()
    table.loc[0, column] = 0
    with pytest.raises(ValueError, match=f"{name}: {column} must be above 0"):
        FIGURES[name](table)


def test_majority_is_a_band_across_the_panel():
    table = figure1()
    ax = FIGURES["figure1"](table).axes[0]
    (band,) = [p for p in ax.patches if p.get_label() == panels.HIDDEN]
    row = table[table["model"] == "majority"].iloc[0]
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((row["low"], row["high"]))


def test_a_series_keeps_its_look_and_no_two_are_alike():
    for names in (
        ["mcts", "beam", "best_of_n", "weighted", "majority"],
        ["aslaf", "human", "other", "majority", "pass"],
    ):
        found = style.looks(names)
        assert len({look.colour for look in found.values()}) == len(names)
        assert len({(look.marker, look.filled) for look in found.values()}) == len(names)
        assert found["majority"] == style.LOOKS["majority"]


def test_every_strategy_has_a_name_and_a_look_of_its_own():
    """Wrong behaviour: a strategy, or a variant that a user named, whose curve looks like another's."""
    names = [*STRATEGIES, "rebase_released", "best_of_n", "weighted", "majority"]
    found = style.looks(names)
    assert len({(look.colour, look.marker, look.filled) for look in found.values()}) == len(names)
    assert len({label(n) for n in names}) == len(names) and label("rebase_released") == "rebase released"
    assert style.looks(["mine"])["mine"] in style.CYCLE and label("mine") == "mine"


def test_labels_on_a_logarithmic_axis_do_not_touch():
    _, (ax, *_) = panels.grid(3)
    panels.log_axis(ax, [1, 5000], panels.decades())
    kept = [t.get_text() for t in ax.get_xticklabels()]
    assert 2 <= len(kept) <= 6 and "1" in kept


def test_case_study_shows_text_as_it_is_and_marks_corrections():
    text = words(FIGURES["figure6"](figure6()))
    assert "has $4 and $5 : 4 + 5 = 8 <b>&</b>" in text
    assert "2 ↺" in text and "1 ↺" not in text
    assert " …" in text


def test_names_for_readers():
    assert label("judge_b") == "judge B" and label("some_new_set") == "some new set"
    assert [compact(v) for v in (999, 999_600, 1_540_000_000)] == ["999", "1M", "1.54B"]
    long = frame("model parameters", [("an-organisation/a-model-7B", 7e9), ("83k", 82_900)])
    assert model_names(long) == ([82_900, 7e9], {82_900: "83k", 7e9: "7B"})
    assert all(NAMES.values())
