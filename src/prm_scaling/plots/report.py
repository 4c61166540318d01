"""One HTML page with every figure and table, which needs nothing beside itself: no network, no other file."""

import base64
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import yaml
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from prm_scaling.plots.caption import captions
from prm_scaling.plots.names import title as titled

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
FONT_SCALE = 1.25  # a screen is read from further away than a page
# Columns of the jobs' table that their names do not explain.
HEADS = {"seconds": "Time", "cpu_seconds": "Processor time", "megabytes": "Memory (MB)", "critical": "Longest chain"}


def render(
    figures: Sequence[tuple[str, str, str, str | Path]],
    tables: Sequence[tuple[str, str]],
    times: pd.DataFrame | None,
    parameters: dict,
) -> str:
    """The page.

    Args:
        figures: for each its name, title, caption, and the path of its SVG (put into the page) or PNG (as data).
        tables: for each its title and its HTML, as ``tables.table1(frame, tables.html)`` gives it.
        times: one row a job; a column ``seconds`` is summed, by ``phase`` too if there is one; ``critical`` marks the
            jobs of the longest chain. None leaves it out.
        parameters: what the results were made with.

    Raises ``ValueError`` for two figures of one name, whose ids would clash, and for a file that is no SVG or PNG.
    """
    names = [name for name, *_ in figures]
    if len(set(names)) < len(names):
        raise ValueError(f"figures: two share a name, of {names}")
    known = captions()
    shown = [
        {"name": name, "title": heading, "caption": text, "image": _image(name, _alt(known, name, heading), Path(path))}
        for name, heading, text, path in figures
    ]
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    source = files("prm_scaling.plots").joinpath("report.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source).render(
        figures=shown,
        tables=[{"id": f"table-{i}", "title": t, "html": Markup(h)} for i, (t, h) in enumerate(tables, 1)],
        times=None if times is None or times.empty else _times(times),
        parameters=yaml.safe_dump(parameters, sort_keys=False, allow_unicode=True, width=100),
    )


def inlined(svg: str, name: str, alt: str) -> str:
    """An SVG file's text as an element for a page: ids under ``name``, so that no two figures share one; no fixed
    size; ``alt`` as its description."""
    root = ElementTree.fromstring(svg)
    for metadata in root.findall(f"{{{SVG}}}metadata"):
        root.remove(metadata)
    for element in root.iter():
        for key, value in element.attrib.items():
            element.set(key, _renamed(key, value, name))
    # its own width, so that the letters of all figures come out at one size
    width = float(root.get("viewBox", "0 0 540 0").split()[2]) * FONT_SCALE
    for key in ("width", "height"):
        root.attrib.pop(key, None)
    root.attrib |= {"role": "img", "aria-label": alt, "style": f"width: {width:.0f}px"}
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def _renamed(key: str, value: str, name: str) -> str:
    if key == "id":
        return f"{name}-{value}"
    if key in ("href", f"{{{XLINK}}}href") and value.startswith("#"):
        return f"#{name}-{value[1:]}"
    return re.sub(r"url\(#", f"url(#{name}-", value)


def _image(name: str, alt: str, path: Path) -> Markup:
    if path.suffix == ".svg":
        return Markup(inlined(path.read_text(encoding="utf-8"), name, alt))
    if path.suffix == ".png":
        data = base64.b64encode(path.read_bytes()).decode()
        return Markup('<img alt="{}" src="data:image/png;base64,{}">').format(alt, data)
    raise ValueError(f"{path}: a figure for the page must be an SVG or a PNG")


def _alt(known: dict, name: str, heading: str) -> str:
    return f"{heading}. {known[name].alt}" if name in known and known[name].alt else heading


def _times(times: pd.DataFrame) -> dict:
    """Headings and rows of the jobs' table, and the sums of their seconds."""
    rows = [[_shown(column, value) for column, value in row.items()] for _, row in times.iterrows()]
    sums, total = [], ""
    if "seconds" in times:
        total = duration(times["seconds"].sum())
        if "phase" in times:
            by_phase = times.groupby("phase", sort=False)["seconds"].agg(["size", "sum"])
            sums = [[str(phase), f"{row['size']:.0f}", duration(row["sum"])] for phase, row in by_phase.iterrows()]
    heads = [HEADS.get(c) or titled(c) for c in times]
    chain = times[times["critical"]] if "critical" in times else times[:0]
    longest = {"count": len(chain), "total": duration(chain["seconds"].sum())} if len(chain) else None
    return {"heads": heads, "rows": rows, "sums": sums, "total": total, "count": len(times), "longest": longest}


def _shown(column: str, value: Any) -> str:
    if not isinstance(value, str) and pd.isna(value):
        return "–"
    if column in ("seconds", "cpu_seconds"):
        return duration(value)
    if column == "critical":
        return "✓" if value else ""
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """Seconds for a reader.

    >>> duration(0.42), duration(75), duration(7384)
    ('0.4 s', '1 min 15 s', '2 h 3 min')
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min"
