"""figures: the report page with every figure and table."""

from html import escape
from pathlib import Path

import pandas as pd

from prm_scaling.job import begin
from prm_scaling.plots import captions, tables
from prm_scaling.plots.report import render
from prm_scaling.storage import whole

begin(snakemake.log[0], snakemake.threads)

known = captions()
figures = [(p.stem, known[p.stem].title, known[p.stem].caption, p) for p in map(Path, snakemake.input.figures)]
shown = []
for path in map(Path, snakemake.input.tables):
    shown.append((known[path.stem].title, getattr(tables, path.stem)(pd.read_csv(path), tables.html)))
for path in map(Path, snakemake.input.plain):
    rows = pd.read_csv(path).to_html(index=False, float_format="%.3g", border=0, na_rep="")
    title, caption = known[path.stem].title, known[path.stem].caption
    shown.append((title, f"<p>{escape(caption)}</p>{tables.scrolling(title, rows)}"))
with whole(snakemake.output[0]) as temporary:
    temporary.write_text(render(figures, shown, pd.read_csv(snakemake.input.times), snakemake.params.parameters))
