# Pictures for the README, which no result depends on: `snakemake rule_graph`. Their tools are not among the
# requirements (Debian: graphviz).


localrules:
    rule_graph,


rule rule_graph:
    output:
        "workflow/report/rulegraph.svg",
    log:
        f"logs/{P.scale}/docs/rulegraph.log",
    conda:
        "../envs/graph.yaml"
    message:
        "Graph of the rules"
    shell:
        # tred leaves out the arrows that others imply.
        "(snakemake --rulegraph dot --forceall | tred | dot -Tsvg -Gnodesep=0.15 -Granksep=0.3 > {output}) 2> {log}"
