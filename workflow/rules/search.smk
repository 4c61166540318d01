TREES = [name for name in P.search.strategies if name != "sampling"]
# Tree searches are guided by the PRMs of the main training set, one a seed.
GUIDES = P.prms_of(P.train.ladder_set)
GUIDED_DOMAIN = P.domain_of_training(P.train.ladder_set)


wildcard_constraints:
    pool="|".join(P.pools()),
    strategy="|".join(TREES) or "none",


rule search:
    input:
        [f"{R}/search/pools/{pool}.parquet" for pool in P.pools()],
        [f"{R}/search/scores/{prm}.parquet" for prm in P.prms()],
        [f"{R}/search/emergence/{prm}.parquet" for prm in KEPT],
        [f"{R}/search/trees/{s}-{prm}.parquet" for s in TREES for prm in GUIDES],


rule sample_pool:
    input:
        code("sample_pool"),
        files=lambda w: model_inputs(policy_of(w.pool)),
        model=lambda w: f"{R}/models/{policy_of(w.pool)}/model.json",
        problems=lambda w: problem_files(P.test_sets(domain_of(w.pool))),
    output:
        chains=f"{R}/search/pools/{{pool}}.parquet",
        costs=f"{R}/search/costs/pool-{{pool}}.parquet",
    log:
        f"logs/{P.scale}/search/pool-{{pool}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/pool-{{pool}}.tsv"
    conda:
        "../envs/model.yaml"
    params:
        search={k: PARAMS["search"][k] for k in ("temperature", "step_tokens", "max_steps")},
        samples=lambda w: P.samples_of(w.pool),
        engine=PARAMS["engine"],
        separator=P.chains.separator,
        seed=P.seed,
    message:
        "Pool of samples {wildcards.pool}"
    script:
        "../scripts/sample_pool.py"


# The PRMs of all seeds in one job: loading the libraries takes longer than rating with a small PRM.
rule score_pool:
    input:
        code("score_pool"),
        tokenizer=tokenizer_of_run(),
        files=lambda w: [f for prm in P.prms_of(w.training, w.size) for f in model_files(f"{R}/train/{prm}")],
        prms=lambda w: [f"{R}/train/{prm}/prm.json" for prm in P.prms_of(w.training, w.size)],
        pools=lambda w: [f"{R}/search/pools/{pool}.parquet" for pool in P.pools_of(w.training, w.size)]
        + validation_chains(P.domain_of_training(w.training)),
    output:
        rewards=of_seeds(f"{R}/search/scores/{{training}}-{{size}}-s{{seed}}.parquet"),
        costs=of_seeds(f"{R}/search/costs/scores-{{training}}-{{size}}-s{{seed}}.parquet"),
    log:
        f"logs/{P.scale}/search/scores-{{training}}-{{size}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/scores-{{training}}-{{size}}.tsv"
    conda:
        "../envs/model.yaml"
    params:
        samples=P.search.pool,
        engine=PARAMS["engine"],
    message:
        "Rewards of {wildcards.training}-{wildcards.size}"
    script:
        "../scripts/score_pool.py"


use rule score_pool as score_checkpoints with:
    input:
        code("score_pool"),
        tokenizer=tokenizer_of_run(),
        files=[f"{folder}/model.safetensors" for prm in KEPT for folder in checkpoint_folders(prm)],
        prms=[f"{folder}/prm.json" for prm in KEPT for folder in checkpoint_folders(prm)],
        pools=[f"{R}/search/pools/{P.search.policy}-{GUIDED_DOMAIN}.parquet"] + validation_chains(GUIDED_DOMAIN),
    output:
        rewards=expand(f"{R}/search/emergence/{{prm}}.parquet", prm=KEPT),
        costs=expand(f"{R}/search/costs/emergence-{{prm}}.parquet", prm=KEPT),
    log:
        f"logs/{P.scale}/search/emergence.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/emergence.tsv"
    params:
        samples=P.evaluate.emergence_samples,
        engine=PARAMS["engine"],
    message:
        "Rewards of the PRMs' checkpoints"


# With the PRMs of all seeds in one job, as in score_pool.
rule search_tree:
    input:
        code("search_tree"),
        files=model_inputs(P.search.policy) + [f for prm in GUIDES for f in model_files(f"{R}/train/{prm}")],
        model=f"{R}/models/{P.search.policy}/model.json",
        prms=[f"{R}/train/{prm}/prm.json" for prm in GUIDES],
        problems=problem_files(P.test_sets(GUIDED_DOMAIN)),
    output:
        candidates=expand(f"{R}/search/trees/{{strategy}}-{{prm}}.parquet", prm=GUIDES, allow_missing=True),
        costs=expand(f"{R}/search/costs/{{strategy}}-{{prm}}.parquet", prm=GUIDES, allow_missing=True),
    log:
        f"logs/{P.scale}/search/{{strategy}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/{{strategy}}.tsv"
    conda:
        "../envs/model.yaml"
    params:
        strategy=lambda w: P.search.strategy_of(w.strategy),
        sections=lambda w: P.search.sections(w.strategy),
        search={k: PARAMS["search"][k] for k in ("temperature", "step_tokens", "max_steps", "budgets")},
        engine=PARAMS["engine"],
        separator=P.chains.separator,
        sandbox=SANDBOX,
        work=lambda w: f"work/{P.scale}/search/{w.strategy}",
        seed=P.seed,
    message:
        "Search by {wildcards.strategy}"
    script:
        "../scripts/search_tree.py"
