"""Figures, tables and the page, from small made-up frames."""

import io
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import matplotlib
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from prm_scaling.plots import FIGURES, captions, panels, report, style, tables
from prm_scaling.plots.names import NAMES, compact, label, model_names
from prm_scaling.search import STRATEGIES

SIZES = {"6k": 5_900, "83k": 82_900, "658k": 657_000}


def frame(columns: str, rows: list[tuple]) -> pd.DataFrame:
    """The rows as they come back from a CSV, with its types and empty cells."""
    text = pd.DataFrame(rows, columns=columns.split()).to_csv(index=False)
    return pd.read_csv(io.StringIO(text))


def around(value: float) -> tuple[float, float, float]:
    return value, value - 0.05, value + 0.03


def accuracies(columns: str, names: list[str], costs: list[tuple]) -> pd.DataFrame:
    return frame(
        f"dataset {columns} accuracy low high",
        [
            (dataset, name, *cost, *around(0.3 + 0.02 * i + 0.1 * j))
            for dataset in ("math_seen", "code_short")
            for i, name in enumerate(names)
            for j, cost in enumerate(costs)
        ],
    )


def figure1() -> pd.DataFrame:
    sizes = [(m, p, 8, *around(0.4 + 0.1 * i)) for i, (m, p) in enumerate(SIZES.items())]
    rows = [*sizes, ("majority", None, 8, *around(0.45))]
    return frame("dataset model parameters n accuracy low high", [(d, *r) for d in ("math_seen", "x") for r in rows])


def figure2() -> pd.DataFrame:
    sets = [
        ("math_seen", "accuracy"),
        ("code_short", "accuracy"),
        ("math_validation", "auc"),
        ("math_validation", "loss"),
    ]
    rows = [(d, s, 16 * s, m, *around(0.4 + s / 1000)) for d, m in sets for s in (10, 50, 200)]
    return frame("dataset step examples metric value low high", rows)


def figure3() -> pd.DataFrame:
    return accuracies("series n", ["human", "monte_carlo", "aslaf", "majority", "pass"], [(1,), (4,), (16,)])


def figure4() -> pd.DataFrame:
    names = ["mcts", "beam", "best_of_n", "weighted", "majority"]
    return accuracies("strategy budget tokens", names, [(4, 131.5), (8, 270.1), (16, 555.0)])


def figure5() -> pd.DataFrame:
    return figure4().rename(columns={"tokens": "seconds"})


def figure6() -> pd.DataFrame:
    steps = [
        ("case 1", 1, "has $4 and $5 : 4 + 5 = 8 <b>&</b>", 0.2, False, False),
        ("case 1", 2, "wait , 4 + 5 = 9\n;", 0.9, True, True),
        ("case 2", 1, "a step of many words " * 40, 1.0, True, False),
    ]
    rows = [(*s, None, None, None) for s in steps]
    means = [("mean", None, None, v, None, None, g, v - 0.1, v + 0.1) for g, v in (("wrong", 0.2), ("correction", 0.7))]
    return frame("case step text reward on_track correction group low high", rows + means)


def noise() -> pd.DataFrame:
    rows = [(d, a, 100, 0.5, *around(0.2)) for d in ("math", "code") for a in ("monte_carlo", "judge_a", "consensus")]
    return frame("domain annotator chains retention noise low high", rows)


def patterns() -> pd.DataFrame:
    rows = [(d, g, *around(0.1)) for d in ("math", "code") for g in ("all", "prm_selected", "right")]
    return frame("domain group rate low high", rows)


def verifier() -> pd.DataFrame:
    rows = [
        (prm, m, p, d, *around(0.7), *around(0.4))
        for d in ("math", "code")
        for prm in ("aslaf", "human")
        for m, p in SIZES.items()
        if prm == "aslaf" or m == "658k"
    ]
    return frame("prm model parameters domain auc low high f1 f1_low f1_high", rows)


def noise_by_steps() -> pd.DataFrame:
    rows = [
        (d, a, s, 100, 0.5, *around(0.2 + s / 50))
        for d in ("math", "code")
        for a in ("monte_carlo", "judge_a", "consensus")
        for s in (4, 5, 7)
    ]
    return frame("domain annotator steps chains retention noise low high", rows)


def process() -> pd.DataFrame:
    rows = [(d, k, 50, *around(0.1 * k), 0.05) for d in ("math", "code") for k in (2, 3, 4)]
    return frame("domain difficulty right share low high detectable", rows)


def aggregations() -> pd.DataFrame:
    rows = [(p, a, *around(0.5)) for p in ("human", "mine") for a in ("last", "product", "min")]
    return frame("prm aggregation accuracy low high", rows)


def convergence() -> pd.DataFrame:
    rows = [
        (d, s, n, *around(level / n), 20, 0.1)
        for d in ("math", "code")
        for s, level in (("error", 0.4), ("bound", 0.9))
        for n in (1, 2, 4, 1024)
    ]
    return frame("domain series n value low high problems tied", rows)


def levels() -> pd.DataFrame:
    rows = [
        (prm, m, p, "math", *around(0.3 + 0.1 * i), *around(0.5 + 0.1 * i), *around(0.2 + 0.1 * i))
        for prm in ("aslaf", "human")
        for i, (m, p) in enumerate(SIZES.items())
        if prm == "aslaf" or m == "658k"
    ]
    columns = "prm model parameters domain f1 f1_low f1_high accuracy low high"
    return frame(f"{columns} lowest_last lowest_last_low lowest_last_high", rows)


def scaling() -> pd.DataFrame:
    law = {"accuracy": (0.9, 0.2, 0.5, 80_000), "loss": (None,) * 4}
    rows = [
        (axis, metric, x, 1e6 * x, *around(0.5), *numbers)
        for axis in ("parameters", "training")
        for metric, numbers in law.items()
        for x in SIZES.values()
    ]
    return frame("axis metric x training_flops value low high ceiling scale exponent unit", rows)


def transfer() -> pd.DataFrame:
    rows = [
        (prm, d, policy, parameters, 8, *around(0.5), auc)
        for d in ("math", "code")
        for policy, parameters in (("47k", 47_000), ("12k", 12_000))
        for prm, auc in (("aslaf", 0.9), ("aslaf_code", 0.7), ("majority", None))
    ]
    return frame("prm domain policy parameters n accuracy low high auc", rows)


def labels() -> pd.DataFrame:
    sets = [("soft", None), ("hard", 0.0), ("hard", 0.5)]
    rows = [
        (f"{kind}{threshold}{filtered}", "12k", kind, threshold, filtered, metric, *around(0.5))
        for kind, threshold in sets
        for filtered in (False, True)
        for metric in ("best_of_n", "f1", "auc")
    ]
    return frame("training size labels threshold filtered metric value low high", rows)


def grid() -> pd.DataFrame:
    rows = [
        (m, p, early, step, early * p, step * p, (early + step) * p, 0.5, metric, *around(0.5 + step / 1000), m == "6k")
        for m, p in SIZES.items()
        for early in (100, 400)
        for step in (10, 50)
        for metric in ("auc", "accuracy")
    ]
    flops = "pretraining_flops training_flops total_flops"
    return frame(f"model parameters pretraining_step step {flops} share metric value low high front", rows)


def anytime() -> pd.DataFrame:
    return accuracies("strategy tokens", ["mcts", "beam", "rebase"], [(32,), (64,), (128,)])


def pareto() -> pd.DataFrame:
    rows = [
        (m, p, s, n, n * p * 1e2, n * p * 3e2, *around(0.3 + 0.1 * i + 0.01 * n), i == 2, n == 8)
        for i, (m, p) in enumerate(SIZES.items())
        for s in ("majority", "best_of_n", "weighted")
        for n in (1, 8)
    ]
    columns = "policy parameters strategy n policy_flops flops accuracy low high policy_flops_front flops_front"
    return frame(columns, rows)


OF_THE_PAPER = (figure1, figure2, figure3, figure4, figure5, figure6)
STUDIES = (scaling, convergence, noise_by_steps, levels, process, aggregations, transfer, labels, grid)
FRAMES = {f.__name__: f for f in (*OF_THE_PAPER, *STUDIES, anytime, pareto, noise, patterns, verifier)}
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


def table1() -> pd.DataFrame:
    chosen = [("none", 0.2), ("majority", 0.3), ("prm_math", 0.45), ("prm_code", 0.4)]
    rows = [(g, "code_short", s, *around(v)) for g in ("83k", "a|b<c>") for s, v in chosen]
    return frame("generator dataset selection accuracy low high", rows[:-1])


def table2() -> pd.DataFrame:
    rows = [("math_prm-code_prm", 0.31, 0.30, 0.32, None), ("math-code", 0.27, 0.26, 0.28, 0.0002)]
    return frame("pair similarity low high p_value", rows)


def claims() -> pd.DataFrame:
    rows = [
        ("plateau", "rises, then levels off", "Figure 1", "a | b", 8.1, 2.0, 13.9, "points", 8.52, "holds"),
        ("order", "MCTS is best", "Figure 4", "difference", -1.2, -4.0, 1.8, "points", 4.1, "undecided at this scale"),
        ("data", "ASLAF is best", "Figure 3", "difference", None, None, None, None, None, "does not hold"),
    ]
    return frame("id claim source statement effect low high unit detectable verdict", rows)


def test_table1_has_ours_and_theirs_apart():
    ours, theirs = tables.table1(table1()).split("### Published (Chen et al., Table 1)")
    assert (
        "| 83k | code, short | 20.0 [15.0, 23.0] | 30.0 [25.0, 33.0] | 45.0 [40.0, 48.0] | 40.0 [35.0, 43.0] |" in ours
    )
    assert "| a\\|b<c> | code, short |" in ours and ours.rstrip().endswith("95% intervals.")
    assert "| 45.0 [40.0, 48.0] | – |" in ours  # a choice that was not measured
    assert "| QwQ-32B-Preview | MBPP+ | 70.9 | 76.0 | 76.2 | 79.6 |" in theirs
    assert "HumanEval+" not in ours


def test_table2_and_its_test():
    text = tables.table2(table2())
    assert "0.310 [0.300, 0.320] | – |" in text and "| < 0.001 |" in text
    assert "### Published (Chen et al., Table 2)" in text and "30.95" in text


def test_claims_show_effect_interval_and_verdict():
    text = tables.claims(claims())
    assert "8.1 points [2.0, 13.9] | 8.52 points | ✓ holds |" in text
    assert "−1.20 points [−4.00, 1.80] | 4.10 points | ○ undecided at this scale |" in text
    assert "| – | – | ✗ does not hold |" in text
    with pytest.raises(ValueError, match="no verdict is called perhaps"):
        tables.claims(claims().assign(verdict="perhaps"))


@pytest.mark.parametrize(("write", "make"), [(tables.table1, table1), (tables.table2, table2), (tables.claims, claims)])
def test_tables_name_missing_columns(write, make):
    for column in make().columns:
        with pytest.raises(ValueError, match=rf"{write.__name__}: the table has no column {column};"):
            write(make().drop(columns=column))


def test_published_numbers_have_owner_and_source():
    published = tables.published()
    for table in (published["table1"], published["table2"]):
        assert table["title"].startswith("Published (") and table["source"]
    for owner in published["references"]:
        assert owner["title"].startswith("Published (")
        assert all(row["source"] and row["figure"] in FIGURES for row in owner["rows"])


class Page(HTMLParser):
    """Ids, links, pictures and unclosed elements of a page."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self, text: str):
        super().__init__()
        self.ids: list[str] = []
        self.references: list[str] = []
        self.outside: list[str] = []
        self.pictures: list[dict] = []
        self.open: list[str] = []
        self.tables = self.table_captions = 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag not in self.VOID:
            self.open.append(tag)
        self.note(tag, values)

    def handle_startendtag(self, tag, attributes):
        self.note(tag, dict(attributes))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def note(self, tag, values):
        self.tables += tag == "table"
        self.table_captions += tag == "caption"
        if "id" in values:
            self.ids.append(values["id"])
        if tag in ("svg", "img"):
            self.pictures.append(values)
        for key, value in values.items():
            if key in ("href", "xlink:href", "src"):
                (self.references if value.startswith("#") else self.outside).append(value)
            self.references += re.findall(r"url\((#[^)]+)\)", value or "")


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("page")
    saved = {name: style.save(FIGURES[name](FRAMES[name]()), folder / name) for name in ("figure1", "figure6", "noise")}
    figures = [(n, captions()[n].title, captions()[n].caption, saved[n][n == "noise"]) for n in saved]
    return report.render(
        figures,
        [("Claims", tables.claims(claims(), tables.html)), ("Table 1", tables.table1(table1(), tables.html))],
        frame("phase job seconds", [("search", "a<b", 75.0), ("search", "c", 7200.0), ("train", "d", None)]),
        {"scale": "default", "search": {"budgets": [4, 8]}, "text": "<script>"},
    )


def test_page_is_whole_and_stands_alone(page):
    parsed = Page(page)
    assert parsed.open == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert {r[1:] for r in parsed.references} <= set(parsed.ids)
    assert all(url.startswith("data:image/png;base64,") for url in parsed.outside)
    assert "<script" not in page and "@import" not in page


def test_page_can_be_read_without_seeing(page):
    parsed = Page(page)
    assert parsed.tables == parsed.table_captions > 0
    assert len(parsed.pictures) == 3
    assert all(p.get("alt") or p.get("aria-label") for p in parsed.pictures)
    assert 'lang="en"' in page and "scope='rowgroup'" in page


def test_page_shows_times_and_parameters(page):
    assert "a&lt;b" in page and "1 min 15 s" in page and "2 h 1 min" in page
    assert "budgets:" in page and "&lt;script&gt;" in page


def test_page_without_times_or_tables(tmp_path):
    assert "Time of each job" not in report.render([], [], None, {})
    with pytest.raises(ValueError, match="share a name"):
        report.render([("a", "", "", "a.svg"), ("a", "", "", "a.svg")], [], None, {})
    with pytest.raises(ValueError, match="must be an SVG or a PNG"):
        report.render([("a", "", "", tmp_path / "a.pdf")], [], None, {})
