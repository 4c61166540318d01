from prm_scaling.plots import FIGURES, captions

F_ = f"{R}/figures"
CAPTIONS = captions()


wildcard_constraints:
    figure="|".join(FIGURES),
    table="table1|table2|claims",


rule figures:
    input:
        expand(f"{F_}/{{figure}}.{{kind}}", figure=FIGURES, kind=["svg", "png", "csv"]),
        expand(f"{R}/tables/{{table}}.{{kind}}", table=["table1", "table2", "claims"], kind=["csv", "md"]),
        f"{R}/tables/world.csv",
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
    params:
        caption=lambda w: CAPTIONS[w.table].caption,
    message:
        "Writing {wildcards.table}"
    script:
        "../scripts/write_table.py"


rule copy_world:
    input:
        f"{E_}/world.csv",
    output:
        f"{R}/tables/world.csv",
    log:
        f"logs/{P.scale}/figures/world.log",
    conda:
        "../envs/analysis.yaml"
    message:
        "Calibration of the world"
    shell:
        "cp {input} {output} > {log} 2>&1"


rule write_page:
    input:
        code("write_page"),
        figures=expand(f"{F_}/{{figure}}.svg", figure=FIGURES),
        tables=expand(f"{R}/tables/{{table}}.csv", table=["table1", "table2", "claims"]),
        world=f"{R}/tables/world.csv",
    output:
        f"{R}/report.html",
    log:
        f"logs/{P.scale}/figures/report.log",
    conda:
        "../envs/analysis.yaml"
    params:
        parameters=PARAMS,
    message:
        "Report page"
    script:
        "../scripts/write_page.py"
