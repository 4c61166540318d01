wildcard_constraints:
    judge="|".join(P.annotate.judges),


rule annotate:
    input:
        annotations(),


rule annotate_human:
    input:
        code("annotate_human"),
        unpack(tokenizer_of_run),
        chains=f"{R}/chains/{{chains}}.parquet",
        problems=lambda w: problem_files(P.chains.sets[w.chains]),
    output:
        f"{R}/annotate/{{chains}}/human.parquet",
    log:
        f"logs/{P.scale}/annotate/{{chains}}-human.log",
    conda:
        "../envs/model.yaml"
    threads: cores("annotate_human")
    resources:
        **asked("annotate_human"),
    params:
        steps=lambda w: steps_of(P.domain_of_chains(w.chains)),
    message:
        "Human labels of {wildcards.chains}"
    script:
        "../scripts/annotate_human.py"


rule annotate_ratings:
    input:
        code("annotate_ratings"),
        solutions=lambda w: solution_files(P.chains.sets[w.chains]),
    output:
        f"{R}/annotate/{{chains}}/ratings.parquet",
    log:
        f"logs/{P.scale}/annotate/{{chains}}-ratings.log",
    conda:
        "../envs/model.yaml"
    threads: cores("annotate_ratings")
    resources:
        **asked("annotate_ratings"),
    params:
        neutral_right=P.annotate.neutral_right,
    message:
        "Ratings that {wildcards.chains} came with"
    script:
        "../scripts/annotate_ratings.py"


rule annotate_monte_carlo:
    input:
        code("annotate_monte_carlo"),
        files=model_inputs(P.annotate.completer.model),
        model=f"{R}/models/{P.annotate.completer.model}/model.json",
        chains=f"{R}/chains/{{chains}}.parquet",
        problems=lambda w: problem_files(P.chains.sets[w.chains]),
    output:
        f"{R}/annotate/{{chains}}/monte_carlo.parquet",
    log:
        f"logs/{P.scale}/annotate/{{chains}}-monte_carlo.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/monte_carlo-{{chains}}.tsv"
    priority: 5
    conda:
        "../envs/model.yaml"
    threads: cores("annotate_monte_carlo")
    resources:
        **asked("annotate_monte_carlo"),
    params:
        annotate={k: PARAMS["annotate"][k] for k in ("completer", "rollouts", "threshold")},
        max_tokens=P.chains.max_tokens,
        engine=PARAMS["engine"],
        sandbox=PARAMS["sandbox"],
        work=lambda w: f"work/{P.scale}/annotate/{w.chains}-monte_carlo",
        seed=P.seed,
    message:
        "Monte Carlo labels of {wildcards.chains}"
    script:
        "../scripts/annotate_monte_carlo.py"


rule annotate_judge:
    input:
        code("annotate_judge"),
        files=lambda w: model_inputs(P.annotate.judges[w.judge]),
        model=lambda w: f"{R}/models/{P.annotate.judges[w.judge]}/model.json",
        chains=f"{R}/chains/{{chains}}.parquet",
    output:
        f"{R}/annotate/{{chains}}/{{judge}}.parquet",
    log:
        f"logs/{P.scale}/annotate/{{chains}}-{{judge}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/{{judge}}-{{chains}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: cores("annotate_judge")
    resources:
        **asked("annotate_judge"),
    params:
        engine=PARAMS["engine"],
        steps=lambda w: steps_of(P.domain_of_chains(w.chains)),
        work=lambda w: f"work/{P.scale}/annotate/{w.chains}-{w.judge}",
    message:
        "Critiques of {wildcards.chains} by {wildcards.judge}"
    script:
        "../scripts/annotate_judge.py"
