# The studies beside the paper's figures.
TRANSFER = P.studies.transfer
# Training sets for the study of labels alone, which have PRMs of a size of their own.
LABEL_SETS = {
    name: {
        "size": t.size,
        "labels": t.labels,
        "threshold": (P.annotate.threshold if t.threshold is None else t.threshold) if t.labels == "hard" else None,
        "filtered": t.annotator == "consensus",
    }
    for name, t in P.train.sets.items()
    if t.size
}


rule scaling:
    input:
        code("scaling"),
        accuracy=rules.accuracy.output[0],
        graded=expand(f"{E_}/graded/{{graded}}.parquet", graded=[MAIN_POOL, MAIN_VALIDATION]),
        scores=expand(f"{R}/search/scores/{{prm}}.parquet", prm=LADDER_PRMS),
        emergence=expand(f"{R}/search/emergence/{{prm}}.parquet", prm=KEPT),
        trees=expand(f"{E_}/trees/{{strategy}}-{{prm}}.parquet", strategy=P.studies.guided, prm=LADDER_PRMS),
        prms=expand(f"{R}/train/{{prm}}/prm.json", prm=LADDER_PRMS),
    output:
        **{name: f"{E_}/{name}.csv" for name in ("scaling", "laws", "jumps")},
        effects=f"{E_}/scaling_effects.json",
    log:
        f"logs/{P.scale}/evaluate/scaling.log",
    conda:
        "../../envs/analysis.yaml"
    threads: cores("scaling")
    resources:
        **asked("scaling"),
    params:
        pool=MAIN_POOL,
        validation=MAIN_VALIDATION,
        training=P.train.ladder_set,
        sizes=list(P.models.ladder),
        size=P.train.size,
        seeds=P.train.seeds,
        guided=P.studies.guided,
        n=P.search.table_samples,
        most=max(P.search.budgets),
        margin=P.evaluate.plateau_margin,
        intervals=INTERVALS,
    message:
        "Laws of size and training"
    script:
        "../../scripts/scaling.py"


rule levels:
    input:
        code("levels"),
        accuracy=rules.accuracy.output[0],
        verifier=rules.verifier.output.verifier,
        graded=expand(f"{E_}/graded/{{graded}}.parquet", graded=OWN_POOLS.values()),
        problems=[path for domain in OWN_POOLS for path in problem_files(P.test_sets(domain))],
        scores=expand(f"{R}/search/scores/{{prm}}.parquet", prm=P.prms()),
    output:
        **{name: f"{E_}/{name}.csv" for name in ("levels", "process", "aggregations", "convergence")},
        effects=f"{E_}/level_effects.json",
    log:
        f"logs/{P.scale}/evaluate/levels.log",
    conda:
        "../../envs/analysis.yaml"
    threads: cores("levels")
    resources:
        **asked("levels"),
    params:
        domains=OWN_POOLS,
        pools={prm: OWN_POOLS[P.domain_of_training(prm.split("-")[0])] for prm in P.prms()},
        kinds={f"{name}-{P.train.size}": name for name in P.main_trainings()},
        n=P.search.table_samples,
        most=max(P.search.budgets),
        intervals=INTERVALS,
    message:
        "Response level against step level"
    script:
        "../../scripts/levels.py"


rule label_noise:
    input:
        code("label_noise"),
        annotations=annotations(),
    output:
        noise=f"{E_}/noise.csv",
        noise_by_steps=f"{E_}/noise_by_steps.csv",
        consensus=f"{E_}/consensus.csv",
        monotonicity=f"{E_}/monotonicity.csv",
        effects=f"{E_}/noise_effects.json",
    log:
        f"logs/{P.scale}/evaluate/noise.log",
    conda:
        "../../envs/model.yaml"
    threads: cores("label_noise")
    resources:
        **asked("label_noise"),
    params:
        domains={P.domain_of_chains(c): c for c in P.annotate.audit},
        truth={c: TRUTH[c][0] for c in P.annotate.audit},
        agreeing=AGREEING,
        intervals=INTERVALS,
    message:
        "Label noise of each annotator"
    script:
        "../../scripts/label_noise.py"


rule transfer:
    input:
        code("transfer"),
        accuracy=rules.accuracy.output[0],
        graded=expand(f"{E_}/graded/{{pool}}.parquet", pool=P.transfer_pools()),
        scores=[f"{R}/search/scores/{prm}.parquet" for name in TRANSFER.trainings for prm in P.prms_of(name)],
    output:
        table=f"{E_}/transfer.csv",
        effects=f"{E_}/transfer_effects.json",
    log:
        f"logs/{P.scale}/evaluate/transfer.log",
    conda:
        "../../envs/analysis.yaml"
    threads: cores("transfer")
    resources:
        **asked("transfer"),
    params:
        prms={name: f"{name}-{P.train.size}" for name in TRANSFER.trainings},
        domains={name: P.only_domain_of(name) for name in TRANSFER.trainings},
        policies=TRANSFER.policies,
        parameters={policy: P.language_model(policy).size for policy in TRANSFER.policies},
        n=P.search.table_samples,
        intervals=INTERVALS,
    message:
        "PRMs across domains"
    script:
        "../../scripts/transfer.py"


rule grid:
    input:
        code("grid"),
        aggregation=rules.choose_aggregation.output[0],
        graded=expand(f"{E_}/graded/{{graded}}.parquet", graded=[MAIN_POOL, MAIN_VALIDATION]),
        scores=expand(f"{R}/search/grid/{{prm}}.parquet", prm=GRID),
        prms=expand(f"{R}/train/{{prm}}/prm.json", prm=GRID),
        models=expand(f"{R}/models/{{base}}/model.json", base=P.grid()),
    output:
        table=f"{E_}/grid.csv",
        shares=f"{E_}/shares.csv",
        effects=f"{E_}/grid_effects.json",
    log:
        f"logs/{P.scale}/evaluate/grid.log",
    conda:
        "../../envs/analysis.yaml"
    threads: cores("grid")
    resources:
        **asked("grid"),
    params:
        pool=MAIN_POOL,
        validation=MAIN_VALIDATION,
        prms={base: P.prms_of(P.train.ladder_set, base) for base in P.grid()},
        # The PRM on the whole model, whose aggregation was chosen on validation chains.
        whole={prm: re.sub("@[0-9]+", "", prm) for prm in GRID},
        steps={size: P.models.ladder[size].steps for size in P.studies.pretraining},
        seeds=P.train.seeds,
        intervals=INTERVALS,
    message:
        "Pre-training against reward training"
    script:
        "../../scripts/grid.py"


rule labels:
    input:
        code("labels"),
        accuracy=rules.accuracy.output[0],
        verifier=rules.verifier.output.verifier,
    output:
        table=f"{E_}/labels.csv",
        effects=f"{E_}/label_effects.json",
    log:
        f"logs/{P.scale}/evaluate/labels.log",
    conda:
        "../../envs/analysis.yaml"
    threads: cores("labels")
    resources:
        **asked("labels"),
    params:
        pool=MAIN_POOL,
        sets=LABEL_SETS,
        n=P.search.table_samples,
        intervals=INTERVALS,
    message:
        "Soft and hard labels"
    script:
        "../../scripts/labels.py"
