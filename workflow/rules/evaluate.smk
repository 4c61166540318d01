INTERVALS = {"resamples": P.evaluate.bootstrap, "confidence": P.evaluate.confidence, "seed": P.seed}
E_ = f"{R}/evaluate"
MAIN_POOL = f"{P.search.policy}-{GUIDED_DOMAIN}"
MAIN_PRM = f"{P.train.ladder_set}-{P.train.size}"
# The held-out chains that the checkpoints of PRMs are measured on, and the PRMs of the size study.
MAIN_VALIDATION = next((c for c in VALIDATION if P.domain_of_chains(c) == GUIDED_DOMAIN), MAIN_POOL)
LADDER_PRMS = [prm for size in P.models.ladder for prm in P.prms_of(P.train.ladder_set, size)]
# The policy's samples in each domain that PRMs are trained on.
OWN_POOLS = {domain: f"{P.search.policy}-{domain}" for domain in reversed(P.main_sets())}


wildcard_constraints:
    graded="|".join([*P.pools(), *P.chains.sets]),


EVALUATED = expand(
    f"{E_}/{{name}}.csv",
    name=[
        *(f"figure{n}" for n in range(1, 7)),
        "table1",
        "table2",
        "anytime",
        "duplicates",
        "faults",
        "pareto",
        "router",
        "verifier",
        "noise",
        "noise_by_steps",
        "consensus",
        "monotonicity",
        "patterns",
        "scaling",
        "laws",
        "jumps",
        "levels",
        "process",
        "aggregations",
        "convergence",
        "transfer",
        "grid",
        "shares",
        "labels",
        "world",
        "claims",
    ],
)


rule evaluate:
    input:
        EVALUATED,
        f"{E_}/metrics.json",
        f"{E_}/jobs.csv",


rule grade_pool:
    input:
        code("grade_pool"),
        unpack(tokenizer_of_run),
        chains=lambda w: chains_of(w.graded),
        problems=lambda w: problems_of(w.graded),
    output:
        f"{E_}/graded/{{graded}}.parquet",
    log:
        f"logs/{P.scale}/evaluate/graded-{{graded}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/graded-{{graded}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: cores("grade_pool")
    resources:
        **asked("grade_pool"),
    params:
        steps=lambda w: steps_of(domain_of_graded(w.graded)),
        sandbox=PARAMS["sandbox"],
    message:
        "Verdicts on {wildcards.graded}"
    script:
        "../scripts/grade_pool.py"


rule choose_aggregation:
    input:
        code("choose_aggregation"),
        graded=expand(f"{E_}/graded/{{graded}}.parquet", graded=VALIDATION),
        scores=expand(f"{R}/search/scores/{{prm}}.parquet", prm=P.prms()),
    output:
        f"{E_}/aggregation.json",
    log:
        f"logs/{P.scale}/evaluate/aggregation.log",
    conda:
        "../envs/analysis.yaml"
    threads: cores("choose_aggregation")
    resources:
        **asked("choose_aggregation"),
    params:
        aggregation=P.search.aggregation,
        n=P.search.table_samples,
        validation={
            prm: c
            for prm in P.prms()
            for c in VALIDATION
            if P.domain_of_chains(c) == P.domain_of_training(prm.split("-")[0])
        },
    message:
        "Aggregation of step rewards"
    script:
        "../scripts/choose_aggregation.py"


rule grade_tree:
    input:
        code("grade_tree"),
        aggregation=rules.choose_aggregation.output[0],
        candidates=of_seeds(f"{R}/search/trees/{{strategy}}-{P.train.ladder_set}-{{size}}-s{{seed}}.parquet"),
        problems=problem_files(P.test_sets(GUIDED_DOMAIN)),
    output:
        accuracy=of_seeds(f"{E_}/trees/{{strategy}}-{P.train.ladder_set}-{{size}}-s{{seed}}.parquet"),
        # n is a number of tokens here: the answer after so many, in the search of the greatest budget.
        anytime=of_seeds(f"{E_}/anytime/{{strategy}}-{P.train.ladder_set}-{{size}}-s{{seed}}.parquet"),
    log:
        f"logs/{P.scale}/evaluate/{{strategy}}-{{size}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/graded-{{strategy}}-{{size}}.tsv"
    conda:
        "../envs/model.yaml"
    threads: cores("grade_tree")
    resources:
        **asked("grade_tree"),
    params:
        answer=lambda w: P.search.answer(w.strategy),
        budgets=P.search.budgets,
        pool=MAIN_POOL,
        prms=lambda w: P.prms_of(P.train.ladder_set, w.size),
        sandbox=PARAMS["sandbox"],
    message:
        "Verdicts on {wildcards.strategy}, PRMs of size {wildcards.size}"
    script:
        "../scripts/grade_tree.py"


rule accuracy:
    input:
        code("accuracy"),
        aggregation=rules.choose_aggregation.output[0],
        graded=expand(f"{E_}/graded/{{graded}}.parquet", graded=P.pools()),
        trees=expand(f"{E_}/trees/{{strategy}}-{{prm}}.parquet", strategy=TREES, prm=GUIDES),
        scores=expand(f"{R}/search/scores/{{prm}}.parquet", prm=P.prms()),
        emergence=expand(f"{R}/search/emergence/{{prm}}.parquet", prm=KEPT),
    output:
        f"{E_}/accuracy.parquet",
    log:
        f"logs/{P.scale}/evaluate/accuracy.log",
    conda:
        "../envs/analysis.yaml"
    threads: cores("accuracy")
    resources:
        **asked("accuracy"),
    message:
        "Accuracy of every way to choose"
    script:
        "../scripts/accuracy.py"


rule verifier:
    input:
        code("verifier"),
        graded=expand(f"{E_}/graded/{{graded}}.parquet", graded=[*P.pools(), *VALIDATION]),
        scores=expand(f"{R}/search/scores/{{prm}}.parquet", prm=P.prms()),
        emergence=expand(f"{R}/search/emergence/{{prm}}.parquet", prm=KEPT),
        prms=expand(f"{R}/train/{{prm}}/prm.json", prm=P.prms()),
    output:
        verifier=f"{E_}/verifier.csv",
        emergence=f"{E_}/emergence.csv",
    log:
        f"logs/{P.scale}/evaluate/verifier.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/verifier.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: cores("verifier")
    resources:
        **asked("verifier"),
    params:
        validation={P.domain_of_chains(c): c for c in VALIDATION},
        pools={prm: f"{P.search.policy}-{P.domain_of_training(prm.split('-')[0])}" for prm in P.prms()},
        intervals=INTERVALS,
    message:
        "Step-level metrics of the PRMs"
    script:
        "../scripts/verifier.py"


rule figure_tables:
    input:
        code("figure_tables"),
        accuracy=rules.accuracy.output[0],
        emergence=rules.verifier.output.emergence,
        pool_costs=f"{R}/search/costs/pool-{MAIN_POOL}.parquet",
        times=f"{R}/search/times.parquet",
        anytime=expand(f"{E_}/anytime/{{strategy}}-{{prm}}.parquet", strategy=TREES, prm=GUIDES),
        tree_costs=expand(f"{R}/search/costs/{{strategy}}-{{prm}}.parquet", strategy=TREES, prm=GUIDES),
        graded=f"{E_}/graded/{MAIN_POOL}.parquet",
        prms=expand(f"{R}/train/{{prm}}/prm.json", prm=P.prms()),
    output:
        **{f"figure{n}": f"{E_}/figure{n}.csv" for n in range(1, 6)},
        table1=f"{E_}/table1.csv",
        faults=f"{E_}/faults.csv",
        anytime=f"{E_}/anytime.csv",
        router=f"{E_}/router.csv",
    log:
        f"logs/{P.scale}/evaluate/figures.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/figure_tables.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: cores("figure_tables")
    resources:
        **asked("figure_tables"),
    params:
        pool=MAIN_POOL,
        training=P.train.ladder_set,
        sizes=list(P.models.ladder),
        size=P.train.size,
        prms={n: f"{n}-{P.train.size}" for n in P.main_trainings() if P.domain_of_training(n) == GUIDED_DOMAIN},
        n=P.search.table_samples,
        most=P.search.pool,
        emergence_n=P.evaluate.emergence_samples,
        batch=P.train.batch,
        budgets=P.search.budgets,
        table1=PARAMS["evaluate"]["table1"],
        generators={g: f"{g}-{P.evaluate.table1.domain}" for g in P.search.generators},
        routers=[s for s in TREES if P.search.strategy_of(s) == "router"],
        intervals=INTERVALS,
    message:
        "Tables behind the figures"
    script:
        "../scripts/figure_tables.py"


rule pareto:
    input:
        code("pareto"),
        accuracy=rules.accuracy.output[0],
        models=[f"{R}/models/{policy}/model.json" for policy in P.search.front.policies],
        pool_costs=[f"{R}/search/costs/pool-{pool}.parquet" for pool in P.front_pools()],
        scoring_costs=expand(f"{R}/search/costs/scores-{{prm}}.parquet", prm=GUIDES),
    output:
        f"{E_}/pareto.csv",
    log:
        f"logs/{P.scale}/evaluate/pareto.log",
    conda:
        "../envs/analysis.yaml"
    threads: cores("pareto")
    resources:
        **asked("pareto"),
    params:
        policies=P.search.front.policies,
        pools=P.front_pools(),
        prm=MAIN_PRM,
        intervals=INTERVALS,
    message:
        "Accuracy over FLOPs, and its Pareto front"
    script:
        "../scripts/pareto.py"


rule patterns:
    input:
        code("patterns"),
        aggregation=rules.choose_aggregation.output[0],
        graded=expand(f"{E_}/graded/{{graded}}.parquet", graded=P.pools()),
        scores=expand(f"{R}/search/scores/{{prm}}.parquet", prm=P.prms()),
        chains=f"{R}/search/pools/{MAIN_POOL}.parquet",
    output:
        patterns=f"{E_}/patterns.csv",
        figure6=f"{E_}/figure6.csv",
        effects=f"{E_}/pattern_effects.json",
    log:
        f"logs/{P.scale}/evaluate/patterns.log",
    conda:
        "../envs/analysis.yaml"
    threads: cores("patterns")
    resources:
        **asked("patterns"),
    params:
        prms={domain: P.prms_of(name)[0] for domain, name in P.main_sets().items()},
        policy=P.search.policy,
        main=GUIDED_DOMAIN,
        n=P.search.table_samples,
        separator=P.chains.separator,
        intervals=INTERVALS,
    message:
        "Self-corrections, and the case study"
    script:
        "../scripts/patterns.py"


rule gradients:
    input:
        code("gradients"),
        aggregation=rules.choose_aggregation.output[0],
        files=model_inputs(P.search.generators[1] if len(P.search.generators) > 1 else P.search.generators[0]),
        model=f"{R}/models/{(P.search.generators * 2)[1]}/model.json",
        math_chains=f"{R}/search/pools/{P.search.policy}-{GUIDED_DOMAIN}.parquet",
        code_chains=f"{R}/search/pools/{P.search.policy}-{P.evaluate.table1.domain}.parquet",
        math_scores=f"{R}/search/scores/{P.prms_of(P.evaluate.table1.math_prm)[0]}.parquet",
        code_scores=f"{R}/search/scores/{P.prms_of(P.evaluate.table1.code_prm)[0]}.parquet",
    output:
        table=f"{E_}/table2.csv",
        effects=f"{E_}/gradient_effects.json",
    log:
        f"logs/{P.scale}/evaluate/gradients.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/gradients.tsv"
    conda:
        "../envs/model.yaml"
    threads: cores("gradients")
    resources:
        **asked("gradients"),
    params:
        pairs=P.evaluate.gradient_pairs,
        n=P.search.table_samples,
        engine=PARAMS["engine"],
        intervals=INTERVALS,
    message:
        "Similarity of responses in the gradient metric"
    script:
        "../scripts/gradients.py"


rule world:
    input:
        code("world"),
        accuracy=rules.accuracy.output[0],
        graded=expand(f"{E_}/graded/{{graded}}.parquet", graded=P.pools()),
    output:
        f"{E_}/world.csv",
    log:
        f"logs/{P.scale}/evaluate/world.log",
    conda:
        "../envs/analysis.yaml"
    threads: cores("world")
    resources:
        **asked("world"),
    params:
        n=16,
        prms={p: f"{P.main_sets()[d]}-{P.train.size}" for p in P.pools() if (d := domain_of(p)) in P.main_sets()},
        intervals=INTERVALS,
    message:
        "Calibration of the world"
    script:
        "../scripts/world.py"


rule count_duplicates:
    input:
        code("copy_table"),
        table=f"{R}/problems/duplicates.csv",
    output:
        f"{E_}/duplicates.csv",
    log:
        f"logs/{P.scale}/evaluate/duplicates.log",
    conda:
        "../envs/analysis.yaml"
    threads: cores("count_duplicates")
    resources:
        **asked("count_duplicates"),
    message:
        "Duplicates of held-out problems, into git"
    script:
        "../scripts/copy_table.py"


include: "evaluate/studies.smk"


rule claims:
    input:
        code("claims"),
        accuracy=rules.accuracy.output[0],
        figure5=f"{E_}/figure5.csv",
        effects=[
            rules.label_noise.output.effects,
            rules.patterns.output.effects,
            rules.gradients.output.effects,
            rules.scaling.output.effects,
            rules.levels.output.effects,
            rules.transfer.output.effects,
            rules.grid.output.effects,
            rules.labels.output.effects,
        ],
    output:
        f"{E_}/claims.csv",
    log:
        f"logs/{P.scale}/evaluate/claims.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/claims.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: cores("claims")
    resources:
        **asked("claims"),
    params:
        pool=MAIN_POOL,
        sizes=list(P.models.ladder),
        training=P.train.ladder_set,
        size=P.train.size,
        n=P.search.table_samples,
        margin=P.evaluate.plateau_margin,
        budgets=P.search.budgets,
        domains=list(OWN_POOLS),
        annotators={n: P.train.sets[n].annotator for n in P.main_trainings()},
        others={
            n: f"{P.train.sets[n].annotator} labels of {' and '.join(P.train.sets[n].chains)}"
            for n in P.main_trainings()
            if n != P.train.ladder_set and P.domain_of_training(n) == GUIDED_DOMAIN
        },
        table1=PARAMS["evaluate"]["table1"],
        generators={g: f"{g}-{P.evaluate.table1.domain}" for g in P.search.generators},
        intervals=INTERVALS,
    message:
        "The papers' claims, measured"
    script:
        "../scripts/claims.py"


rule metrics:
    input:
        code("metrics"),
        world=f"{E_}/world.csv",
        verifier=f"{E_}/verifier.csv",
        strategies=f"{E_}/figure4.csv",
        noise=f"{E_}/noise.csv",
    output:
        f"{E_}/metrics.json",
    log:
        f"logs/{P.scale}/evaluate/metrics.log",
    conda:
        "../envs/analysis.yaml"
    threads: cores("metrics")
    resources:
        **asked("metrics"),
    params:
        tables=["world", "verifier", "strategies", "noise"],
        policy=P.search.policy,
    message:
        "Headline numbers for `dvc metrics`"
    script:
        "../scripts/metrics.py"


# It waits for all that is timed.
rule job_times:
    input:
        code("job_times"),
        [rules.problems.input, rules.models.input, rules.chains.input, rules.annotate.input, rules.filter.input],
        [rules.train.input, rules.search.input, EVALUATED, rules.metrics.output],
    output:
        f"{E_}/jobs.csv",
    log:
        f"logs/{P.scale}/evaluate/jobs.log",
    conda:
        "../envs/analysis.yaml"
    threads: cores("job_times")
    resources:
        **asked("job_times"),
    params:
        records=f"logs/{P.scale}",
        phases=["problems", "models", "chains", "annotate", "filter", "train", "search", "evaluate"],
    message:
        "Time and memory of every job"
    script:
        "../scripts/job_times.py"
