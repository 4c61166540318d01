TREES = [name for name in P.search.strategies if name != "sampling"]
# Tree searches are guided by the PRMs of the main training set, one a seed.
GUIDES = P.prms_of(P.train.ladder_set)
GUIDED_DOMAIN = P.domain_of_training(P.train.ladder_set)


wildcard_constraints:
    pool="|".join(P.pools()),
    strategy="|".join(TREES) or "none",


def policy_of(pool):
    """The policy of a pool."""
    return pool.rsplit("-", 1)[0]


def domain_of(pool):
    """The domain of a pool."""
    return pool.rsplit("-", 1)[1]


def validation_chains(domain):
    """The held-out chains of a domain."""
    sets = [c for c in P.chains.sets if P.problems.sets[P.chains.sets[c][0]].split == "validation"]
    return [f"{R}/chains/{c}.parquet" for c in sets if P.domain_of_chains(c) == domain]


rule search:
    input:
        [f"{R}/search/pools/{pool}.parquet" for pool in P.pools()],
        [f"{R}/search/scores/{prm}.parquet" for prm in P.prms()],
        [f"{R}/search/emergence/{prm}.parquet" for prm in KEPT],
        [f"{R}/search/trees/{s}-{prm}.parquet" for s in TREES for prm in GUIDES],


rule sample_pool:
    input:
        code("search", "chains", "engines", "seeds", "storage"),
        files=lambda w: model_inputs(policy_of(w.pool)),
        model=lambda w: f"{R}/models/{policy_of(w.pool)}/model.json",
        problems=lambda w: problem_files(P.test_sets(domain_of(w.pool))),
    output:
        chains=f"{R}/search/pools/{{pool}}.parquet",
        costs=f"{R}/search/costs/pool-{{pool}}.parquet",
    params:
        search={k: PARAMS["search"][k] for k in ("temperature", "step_tokens", "max_steps", "pool")},
        engine=PARAMS["engine"],
        separator=P.chains.separator,
        seed=P.seed,
    log:
        f"logs/{P.scale}/search/pool-{{pool}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/pool-{{pool}}.tsv"
    conda:
        "../envs/model.yaml"
    message:
        "Pool of samples {wildcards.pool}"
    script:
        "../scripts/sample_pool.py"


rule score_pool:
    input:
        code("prm", "engines", "search", "storage"),
        tokenizer=tokenizer_of_run(),
        files=lambda w: model_files(f"{R}/train/{w.prm}"),
        prms=lambda w: [f"{R}/train/{w.prm}/prm.json"],
        pools=lambda w: [f"{R}/search/pools/{pool}.parquet" for pool in P.pools_of(w.prm)]
        + validation_chains(P.domain_of_training(w.prm.split("-")[0])),
    output:
        rewards=f"{R}/search/scores/{{prm}}.parquet",
        costs=f"{R}/search/costs/scores-{{prm}}.parquet",
    params:
        samples=P.search.pool,
        engine=PARAMS["engine"],
    log:
        f"logs/{P.scale}/search/scores-{{prm}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/scores-{{prm}}.tsv"
    conda:
        "../envs/model.yaml"
    message:
        "Rewards of {wildcards.prm}"
    script:
        "../scripts/score_pool.py"


use rule score_pool as score_checkpoints with:
    input:
        code("prm", "engines", "search", "storage"),
        tokenizer=tokenizer_of_run(),
        files=lambda w: [f"{folder}/model.safetensors" for folder in checkpoint_folders(w.prm)],
        prms=lambda w: [f"{folder}/prm.json" for folder in checkpoint_folders(w.prm)],
        pools=lambda w: [f"{R}/search/pools/{P.search.policy}-{GUIDED_DOMAIN}.parquet"]
        + validation_chains(GUIDED_DOMAIN),
    output:
        rewards=f"{R}/search/emergence/{{prm}}.parquet",
        costs=f"{R}/search/costs/emergence-{{prm}}.parquet",
    params:
        samples=P.evaluate.emergence_samples,
        engine=PARAMS["engine"],
    log:
        f"logs/{P.scale}/search/emergence-{{prm}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/emergence-{{prm}}.tsv"
    message:
        "Rewards of the checkpoints of {wildcards.prm}"


rule search_tree:
    input:
        code("search", "prm", "engines", "chains", "seeds", "storage"),
        files=lambda w: model_inputs(P.search.policy) + model_files(f"{R}/train/{w.prm}"),
        model=f"{R}/models/{P.search.policy}/model.json",
        prm=f"{R}/train/{{prm}}/prm.json",
        problems=problem_files(P.test_sets(GUIDED_DOMAIN)),
    output:
        candidates=f"{R}/search/trees/{{strategy}}-{{prm}}.parquet",
        costs=f"{R}/search/costs/{{strategy}}-{{prm}}.parquet",
    params:
        search={k: v for k, v in PARAMS["search"].items() if k not in ("generators", "pool", "table_samples")},
        engine=PARAMS["engine"],
        separator=P.chains.separator,
        seed=P.seed,
    log:
        f"logs/{P.scale}/search/{{strategy}}-{{prm}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/{{strategy}}-{{prm}}.tsv"
    conda:
        "../envs/model.yaml"
    message:
        "Search by {wildcards.strategy} with {wildcards.prm}"
    script:
        "../scripts/search_tree.py"
