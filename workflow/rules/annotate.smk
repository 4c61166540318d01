JUDGES = list(P.annotate.judges)
# Consensus (ASLAF) asks Monte Carlo and every judge.
AGREEING = ["monte_carlo", *JUDGES]
ANNOTATION = f"{R}/annotate/{{chains}}/{{annotator}}.parquet"
SANDBOX = [P.search.sandbox_seconds, P.search.sandbox_megabytes]


wildcard_constraints:
    judge="|".join(JUDGES),


def annotators(chain_set):
    """Who annotates a chain set: whom its training sets ask, everyone for an audit, and always the human labels."""
    wanted = dict.fromkeys(["human", *(AGREEING if chain_set in P.annotate.audit else [])])
    for training in P.train.sets.values():
        if chain_set in training.chains:
            wanted.update(dict.fromkeys(AGREEING if training.annotator == "consensus" else [training.annotator]))
    return list(wanted)


def annotations():
    """All annotation files."""
    return [expand(ANNOTATION, chains=c, annotator=annotators(c)) for c in P.chains.sets]


rule annotate:
    input:
        annotations(),


rule annotate_human:
    input:
        code("annotate", "problems", "chains", "storage"),
        tokenizer=tokenizer_of_run(),
        chains=f"{R}/chains/{{chains}}.parquet",
        problems=lambda w: problem_files(P.chains.sets[w.chains]),
    output:
        f"{R}/annotate/{{chains}}/human.parquet",
    params:
        separator=P.chains.separator,
    log:
        f"logs/{P.scale}/annotate/{{chains}}-human.log",
    conda:
        "../envs/model.yaml"
    message:
        "Human labels of {wildcards.chains}"
    script:
        "../scripts/annotate_human.py"


rule annotate_monte_carlo:
    input:
        code("annotate", "chains", "engines", "verify", "seeds", "storage"),
        files=model_inputs(P.chains.policy),
        model=f"{R}/models/{P.chains.policy}/model.json",
        chains=f"{R}/chains/{{chains}}.parquet",
        problems=lambda w: problem_files(P.chains.sets[w.chains]),
    output:
        f"{R}/annotate/{{chains}}/monte_carlo.parquet",
    params:
        annotate={k: PARAMS["annotate"][k] for k in ("rollouts", "threshold")},
        chains={k: PARAMS["chains"][k] for k in ("temperature", "max_tokens")},
        engine=PARAMS["engine"],
        sandbox=SANDBOX,
        seed=P.seed,
    priority: 5
    log:
        f"logs/{P.scale}/annotate/{{chains}}-monte_carlo.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/monte_carlo-{{chains}}.tsv"
    conda:
        "../envs/model.yaml"
    message:
        "Monte Carlo labels of {wildcards.chains}"
    script:
        "../scripts/annotate_monte_carlo.py"


rule annotate_judge:
    input:
        code("annotate", "chains", "engines", "storage"),
        files=lambda w: model_inputs(P.annotate.judges[w.judge]),
        model=lambda w: f"{R}/models/{P.annotate.judges[w.judge]}/model.json",
        chains=f"{R}/chains/{{chains}}.parquet",
    output:
        f"{R}/annotate/{{chains}}/{{judge}}.parquet",
    params:
        engine=PARAMS["engine"],
        separator=P.chains.separator,
    log:
        f"logs/{P.scale}/annotate/{{chains}}-{{judge}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/{{judge}}-{{chains}}.tsv"
    conda:
        "../envs/model.yaml"
    message:
        "Critiques of {wildcards.chains} by {wildcards.judge}"
    script:
        "../scripts/annotate_judge.py"
