"""The page that gathers figures and tables."""

import re
from html.parser import HTMLParser

import pytest
from made_up import FRAMES, claims, frame, table1

from prm_scaling.plots import FIGURES, captions, report, style, tables


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
