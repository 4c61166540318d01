from prm_scaling.plots import FIGURES, captions

F_ = f"{R}/figures"
CAPTIONS = captions()
# Studies that this scale leaves out have no rows to show.
LEFT_OUT = {"grid": not P.studies.pretraining, "shares": not P.studies.pretraining, "labels": not LABEL_SETS}
SHOWN = [name for name in FIGURES if not LEFT_OUT.get(name)]
# Tables with the paper's numbers or verdicts beside ours, and tables that are shown as they are.
WRITTEN = ["table1", "table2", "claims"]
PLAIN = ["world", "consensus", "monotonicity", "laws", "jumps", "shares", "router", "faults", "duplicates"]
PLAIN = [name for name in PLAIN if not LEFT_OUT.get(name)]


wildcard_constraints:
    figure="|".join(SHOWN),
    table="|".join(WRITTEN),
    plain="|".join(PLAIN),


rule figures:
    input:
        expand(f"{F_}/{{figure}}.{{kind}}", figure=SHOWN, kind=["svg", "png", "csv"]),
        expand(f"{R}/tables/{{table}}.{{kind}}", table=WRITTEN, kind=["csv", "md"]),
        expand(f"{R}/tables/{{plain}}.csv", plain=PLAIN),
        f"{R}/report.html",


rule draw_figure:
    input:
        code("draw_figure"),
        table=f"{E_}/{{figure}}.csv",
    output:
        svg=report(
            f"{F_}/{{figure}}.svg",
            caption="../report/caption.rst",
            category=lambda w: CAPTIONS[w.figure].category,
            labels=lambda w: {"figure": CAPTIONS[w.figure].title},
        ),
        png=f"{F_}/{{figure}}.png",
        csv=f"{F_}/{{figure}}.csv",
    log:
        f"logs/{P.scale}/figures/{{figure}}.log",
    conda:
        "../envs/analysis.yaml"
    threads: cores("draw_figure")
    resources:
        **asked("draw_figure"),
    params:
        caption=lambda w: CAPTIONS[w.figure].caption,
    message:
        "Drawing {wildcards.figure}"
    script:
        "../scripts/draw_figure.py"


rule write_table:
    input:
        code("write_table"),
        table=f"{E_}/{{table}}.csv",
    output:
        csv=report(
            f"{R}/tables/{{table}}.csv",
            caption="../report/caption.rst",
            category="Tables",
            labels=lambda w: {"table": CAPTIONS[w.table].title},
        ),
        md=f"{R}/tables/{{table}}.md",
    log:
        f"logs/{P.scale}/figures/{{table}}.log",
    conda:
        "../envs/analysis.yaml"
    threads: cores("write_table")
    resources:
        **asked("write_table"),
    params:
        caption=lambda w: CAPTIONS[w.table].caption,
    message:
        "Writing {wildcards.table}"
    script:
        "../scripts/write_table.py"


rule copy_table:
    input:
        code("copy_table"),
        table=f"{E_}/{{plain}}.csv",
    output:
        report(
            f"{R}/tables/{{plain}}.csv",
            caption="../report/caption.rst",
            category="Tables",
            labels=lambda w: {"table": CAPTIONS[w.plain].title},
        ),
    log:
        f"logs/{P.scale}/figures/{{plain}}.log",
    conda:
        "../envs/analysis.yaml"
    threads: cores("copy_table")
    resources:
        **asked("copy_table"),
    params:
        caption=lambda w: CAPTIONS[w.plain].caption,
    message:
        "Copying {wildcards.plain}"
    script:
        "../scripts/copy_table.py"


rule write_page:
    input:
        code("write_page"),
        figures=expand(f"{F_}/{{figure}}.svg", figure=SHOWN),
        tables=expand(f"{R}/tables/{{table}}.csv", table=WRITTEN),
        plain=expand(f"{R}/tables/{{plain}}.csv", plain=PLAIN),
        times=f"{E_}/jobs.csv",
    output:
        f"{R}/report.html",
    log:
        f"logs/{P.scale}/figures/report.log",
    conda:
        "../envs/analysis.yaml"
    threads: cores("write_page")
    resources:
        **asked("write_page"),
    params:
        parameters=PARAMS,
    message:
        "Report page"
    script:
        "../scripts/write_page.py"
