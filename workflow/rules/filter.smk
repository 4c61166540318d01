rule filter:
    input:
        [f"{R}/filter/{name}.parquet" for name in P.train.sets],


rule filter_consensus:
    input:
        code("filter_consensus"),
        annotations=[
            expand(ANNOTATION, chains=c, annotator=labelling(t)) for t in P.train.sets.values() for c in t.chains
        ],
    output:
        [f"{R}/filter/{name}.parquet" for name in P.train.sets],
    log:
        f"logs/{P.scale}/filter/consensus.log",
    conda:
        "../envs/analysis.yaml"
    threads: cores("filter_consensus")
    resources:
        **asked("filter_consensus"),
    params:
        train={k: PARAMS["train"][k] for k in ("sets", "chains")},
        domains={name: P.domain_of_training(name) for name in P.train.sets},
        agreeing={name: labelling(t) for name, t in P.train.sets.items()},
        seed=P.seed,
    message:
        "Training sets of equal size"
    script:
        "../scripts/filter_consensus.py"
