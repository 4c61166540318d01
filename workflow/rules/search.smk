TREES = [name for name in P.search.strategies if name != "sampling"]
# Tree searches are guided by the PRMs of the main training set, one a seed.
GUIDES = P.prms_of(P.train.ladder_set)
GUIDED_DOMAIN = P.domain_of_training(P.train.ladder_set)
# Where all strategies are compared, and where some of them are with the PRMs of every size.
GUIDED = [(s, P.train.size) for s in TREES]
GUIDED += [(s, size) for s in P.studies.guided for size in P.models.ladder if size != P.train.size]
# Where the router's thresholds are chosen.
VALIDATION_PROBLEMS = [s for c in VALIDATION if P.domain_of_chains(c) == GUIDED_DOMAIN for s in P.chains.sets[c]]


# Routers that leave their thresholds to validation.
TUNED = [s for s in TREES if (own := P.search.sections(s).get("router")) and own["thresholds"] is None]


wildcard_constraints:
    pool="|".join(P.pools()),
    strategy="|".join(TREES) or "none",


rule search:
    input:
        [f"{R}/search/pools/{pool}.parquet" for pool in P.pools()],
        [f"{R}/search/scores/{prm}.parquet" for prm in P.prms()],
        [f"{R}/search/emergence/{prm}.parquet" for prm in KEPT],
        [f"{R}/search/grid/{prm}.parquet" for prm in GRID],
        [f"{R}/search/trees/{s}-{prm}.parquet" for s, size in GUIDED for prm in P.prms_of(P.train.ladder_set, size)],
        f"{R}/search/times.parquet",


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
    threads: cores("sample_pool")
    resources:
        **asked("sample_pool"),
    params:
        search={k: PARAMS["search"][k] for k in ("temperature", "step_tokens", "max_steps")},
        samples=lambda w: P.samples_of(w.pool),
        engine=PARAMS["engine"],
        steps=lambda w: steps_of(domain_of(w.pool)),
        work=lambda w: f"work/{P.scale}/search/pool-{w.pool}",
        seed=P.seed,
    message:
        "Pool of samples {wildcards.pool}"
    script:
        "../scripts/sample_pool.py"


# The PRMs of all seeds in one job: loading the libraries takes longer than rating with a small PRM.
rule score_pool:
    input:
        code("score_pool"),
        unpack(tokenizer_of_run),
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
    threads: cores("score_pool")
    resources:
        **asked("score_pool"),
    params:
        samples=P.search.pool,
        engine=PARAMS["engine"],
    message:
        "Rewards of {wildcards.training}-{wildcards.size}"
    script:
        "../scripts/score_pool.py"


use rule score_pool as score_published with:
    input:
        code("score_pool"),
        unpack(tokenizer_of_run),
        prms=[f"{R}/train/{{published}}-{PUBLISHED}-s0/prm.json"],
        pools=lambda w: [f"{R}/search/pools/{pool}.parquet" for pool in P.pools_of(w.published, PUBLISHED)]
        + validation_chains(P.domain_of_training(w.published)),
        # It reads their text.
        problems=lambda w: problem_files(
            s
            for s, spec in P.problems.sets.items()
            if spec.domain == P.domain_of_training(w.published) and spec.split in ("test", "validation")
        ),
    output:
        rewards=[f"{R}/search/scores/{{published}}-{PUBLISHED}-s0.parquet"],
        costs=[f"{R}/search/costs/scores-{{published}}-{PUBLISHED}-s0.parquet"],
    log:
        f"logs/{P.scale}/search/scores-{{published}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/scores-{{published}}.tsv"
    threads: cores("score_published")
    resources:
        **asked("score_published"),
    message:
        "Rewards of {wildcards.published}"


use rule score_pool as score_checkpoints with:
    input:
        code("score_pool"),
        unpack(tokenizer_of_run),
        files=[f for prm in KEPT for folder in checkpoint_folders(prm) for f in model_files(folder)],
        prms=[f"{folder}/prm.json" for prm in KEPT for folder in checkpoint_folders(prm)],
        pools=[f"{R}/search/pools/{P.search.policy}-{GUIDED_DOMAIN}.parquet"] + validation_chains(GUIDED_DOMAIN),
    output:
        rewards=expand(f"{R}/search/emergence/{{prm}}.parquet", prm=KEPT),
        costs=expand(f"{R}/search/costs/emergence-{{prm}}.parquet", prm=KEPT),
    log:
        f"logs/{P.scale}/search/emergence.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/emergence.tsv"
    threads: cores("score_checkpoints")
    resources:
        **asked("score_checkpoints"),
    params:
        samples=P.evaluate.emergence_samples,
        engine=PARAMS["engine"],
    message:
        "Rewards of the PRMs' checkpoints"


use rule score_pool as score_grid with:
    input:
        code("score_pool"),
        unpack(tokenizer_of_run),
        files=lambda w: [f for folder in checkpoints_of(w.size) for f in model_files(folder)],
        prms=lambda w: [f"{folder}/prm.json" for folder in checkpoints_of(w.size)],
        pools=[f"{R}/search/pools/{P.search.policy}-{GUIDED_DOMAIN}.parquet"] + validation_chains(GUIDED_DOMAIN),
    output:
        rewards=of_seeds(f"{R}/search/grid/{P.train.ladder_set}-{{size}}-s{{seed}}.parquet"),
        costs=of_seeds(f"{R}/search/costs/grid-{P.train.ladder_set}-{{size}}-s{{seed}}.parquet"),
    log:
        f"logs/{P.scale}/search/grid-{{size}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/grid-{{size}}.tsv"
    wildcard_constraints:
        size=only(P.grid()),
    threads: cores("score_grid")
    resources:
        **asked("score_grid"),
    params:
        samples=P.evaluate.emergence_samples,
        engine=PARAMS["engine"],
    message:
        "Rewards of the checkpoints of PRMs on {wildcards.size}"


rule tune_router:
    input:
        code("tune_router"),
        files=model_inputs(P.search.policy) + model_files(f"{R}/train/{GUIDES[0]}"),
        model=f"{R}/models/{P.search.policy}/model.json",
        prm=f"{R}/train/{GUIDES[0]}/prm.json",
        problems=problem_files(VALIDATION_PROBLEMS),
    output:
        f"{R}/search/router/{{strategy}}.json",
    log:
        f"logs/{P.scale}/search/{{strategy}}-thresholds.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/{{strategy}}-thresholds.tsv"
    conda:
        "../envs/model.yaml"
    threads: cores("tune_router")
    resources:
        **asked("tune_router"),
    params:
        search={k: PARAMS["search"][k] for k in ("temperature", "step_tokens", "max_steps", "budgets")},
        sections=lambda w: P.search.sections(w.strategy),
        sandbox=PARAMS["sandbox"],
        engine=PARAMS["engine"],
        separator=P.chains.separator,
        seed=P.seed,
    message:
        "Thresholds of {wildcards.strategy}"
    script:
        "../scripts/tune_router.py"


rule time_searches:
    input:
        code("time_searches"),
        thresholds=[f"{R}/search/router/{s}.json" for s in TUNED],
        files=model_inputs(P.search.policy) + model_files(f"{R}/train/{GUIDES[0]}"),
        model=f"{R}/models/{P.search.policy}/model.json",
        prm=f"{R}/train/{GUIDES[0]}/prm.json",
        problems=problem_files(P.test_sets(GUIDED_DOMAIN)),
    output:
        f"{R}/search/times.parquet",
    log:
        f"logs/{P.scale}/search/times.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/times.tsv"
    conda:
        "../envs/model.yaml"
    threads: cores("time_searches")
    resources:
        **asked("time_searches"),
    params:
        strategies={s: P.search.strategy_of(s) for s in ["sampling", *TREES]},
        sections={s: P.search.sections(s) for s in ["sampling", *TREES]},
        tuned=TUNED,
        timing=PARAMS["search"]["timing"],
        search={k: PARAMS["search"][k] for k in ("temperature", "step_tokens", "max_steps", "budgets")},
        engine=PARAMS["engine"],
        separator=P.chains.separator,
        sandbox=PARAMS["sandbox"],
        seed=P.seed,
    message:
        "Seconds of the strategies"
    script:
        "../scripts/time_searches.py"


# With the PRMs of all seeds in one job, as in score_pool.
rule search_tree:
    input:
        code("search_tree"),
        thresholds=thresholds_of,
        files=lambda w: model_inputs(P.search.policy)
        + [f for prm in P.prms_of(P.train.ladder_set, w.size) for f in model_files(f"{R}/train/{prm}")],
        model=f"{R}/models/{P.search.policy}/model.json",
        prms=lambda w: [f"{R}/train/{prm}/prm.json" for prm in P.prms_of(P.train.ladder_set, w.size)],
        problems=problem_files(P.test_sets(GUIDED_DOMAIN)),
    output:
        candidates=of_seeds(f"{R}/search/trees/{{strategy}}-{P.train.ladder_set}-{{size}}-s{{seed}}.parquet"),
        costs=of_seeds(f"{R}/search/costs/{{strategy}}-{P.train.ladder_set}-{{size}}-s{{seed}}.parquet"),
    log:
        f"logs/{P.scale}/search/{{strategy}}-{{size}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/{{strategy}}-{{size}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: cores("search_tree")
    resources:
        **asked("search_tree"),
    params:
        strategy=lambda w: P.search.strategy_of(w.strategy),
        sections=lambda w: P.search.sections(w.strategy),
        search={k: PARAMS["search"][k] for k in ("temperature", "step_tokens", "max_steps", "budgets")},
        engine=PARAMS["engine"],
        separator=P.chains.separator,
        sandbox=PARAMS["sandbox"],
        work=lambda w: f"work/{P.scale}/search/{w.strategy}-{w.size}",
        seed=P.seed,
    message:
        "Search by {wildcards.strategy}, PRMs of size {wildcards.size}"
    script:
        "../scripts/search_tree.py"
