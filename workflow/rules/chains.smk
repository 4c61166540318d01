wildcard_constraints:
    chains="|".join(P.chains.sets),


rule chains:
    input:
        [f"{R}/chains/{name}.parquet" for name in P.chains.sets],


rule rate_chains:
    input:
        code("rate_chains"),
        unpack(tokenizer_of_run),
        problems=lambda w: problem_files(P.chains.sets[w.chains]),
        solutions=lambda w: solution_files(P.chains.sets[w.chains]),
    output:
        f"{R}/chains/{{chains}}.parquet",
    log:
        f"logs/{P.scale}/chains/{{chains}}.log",
    wildcard_constraints:
        chains=only(RATED),
    conda:
        "../envs/model.yaml"
    threads: cores("rate_chains")
    resources:
        **asked("rate_chains"),
    params:
        separator=P.chains.separator,
    message:
        "Rated solutions of {wildcards.chains}"
    script:
        "../scripts/rate_chains.py"


rule sample_chains:
    input:
        code("sample_chains"),
        files=lambda w: model_inputs(P.policy_of_chains(w.chains)),
        model=lambda w: f"{R}/models/{P.policy_of_chains(w.chains)}/model.json",
        problems=lambda w: problem_files(P.chains.sets[w.chains]),
    output:
        f"{R}/chains/{{chains}}.parquet",
    log:
        f"logs/{P.scale}/chains/{{chains}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/chains-{{chains}}.tsv"
    wildcard_constraints:
        chains=only(c for c in P.chains.sets if c not in RATED),
    conda:
        "../envs/model.yaml"
    threads: cores("sample_chains")
    resources:
        **asked("sample_chains"),
    params:
        chains={k: PARAMS["chains"][k] for k in ("samples", "temperature", "max_tokens")},
        steps=lambda w: steps_of(P.domain_of_chains(w.chains)),
        engine=PARAMS["engine"],
        work=lambda w: f"work/{P.scale}/chains/{w.chains}",
        seed=P.seed,
    message:
        "Sampling the chains of {wildcards.chains}"
    script:
        "../scripts/sample_chains.py"
