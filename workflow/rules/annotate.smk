WHOLE = [c for c in P.chains.sets if not P.shards_of(c)]
SHARDED = [c for c in P.chains.sets if P.shards_of(c)]
SHARDS = f"{R}/annotate/{{chains}}/shards"
# What the trees' rollouts seed, beside the labels of the chains that were asked for.
SEEDED = ["seeded", "seeded_chains"] if P.annotate.mode == "tree" else []
VOTING = P.annotate.voting()
# What shards make, and what is in it. All judges of a set in shards vote, if only once.
PARTS = {
    "monte_carlo": "annotations",
    **{name: {"seeded": "seeded", "seeded_chains": "chains"}[name] for name in SEEDED},
    **{f"{judge}.votes": "votes" for judge in JUDGES},
}


ruleorder: annotate_judge > count_votes


wildcard_constraints:
    judge=only(JUDGES),
    shard=r"\d+-of-\d+",


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
        **{name: f"{R}/annotate/{{chains}}/{name}.parquet" for name in SEEDED},
        labels=f"{R}/annotate/{{chains}}/monte_carlo.parquet",
    log:
        f"logs/{P.scale}/annotate/{{chains}}-monte_carlo.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/monte_carlo-{{chains}}.tsv"
    wildcard_constraints:
        chains=only(WHOLE),
    priority: 5
    conda:
        "../envs/model.yaml"
    threads: cores("annotate_monte_carlo")
    resources:
        **asked("annotate_monte_carlo"),
    params:
        annotate={k: PARAMS["annotate"][k] for k in ("completer", "mode", "rollouts", "threshold")}
        | ({"tree": PARAMS["annotate"]["tree"]} if SEEDED else {}),
        steps=lambda w: steps_of(P.domain_of_chains(w.chains)),
        max_tokens=P.chains.max_tokens,
        engine=PARAMS["engine"],
        sandbox=PARAMS["sandbox"],
        work=work_of("{chains}-monte_carlo"),
        seed=P.seed,
    message:
        "Monte Carlo labels of {wildcards.chains}"
    script:
        "../scripts/annotate_monte_carlo.py"


use rule annotate_monte_carlo as annotate_monte_carlo_shard with:
    output:
        **{name: temp(f"{SHARDS}/{name}.{{shard}}.parquet") for name in SEEDED},
        labels=temp(f"{SHARDS}/monte_carlo.{{shard}}.parquet"),
    log:
        f"logs/{P.scale}/annotate/{{chains}}-monte_carlo.{{shard}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/monte_carlo-{{chains}}.{{shard}}.tsv"
    wildcard_constraints:
        chains=only(SHARDED),
    message:
        "Monte Carlo labels of {wildcards.chains}, shard {wildcards.shard}"


rule annotate_judge:
    input:
        code("annotate_judge"),
        files=lambda w: model_inputs(JUDGES[w.judge].model),
        model=lambda w: f"{R}/models/{JUDGES[w.judge].model}/model.json",
        chains=f"{R}/chains/{{chains}}.parquet",
    output:
        f"{R}/annotate/{{chains}}/{{judge}}.parquet",
    log:
        f"logs/{P.scale}/annotate/{{chains}}-{{judge}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/{{judge}}-{{chains}}.tsv"
    wildcard_constraints:
        chains=only(WHOLE),
        judge=only(judge for judge in JUDGES if judge not in VOTING),
    conda:
        "../envs/model.yaml"
    threads: cores("annotate_judge")
    resources:
        **asked("annotate_judge"),
    params:
        engine=PARAMS["engine"],
        steps=lambda w: steps_of(P.domain_of_chains(w.chains)),
        work=work_of("{chains}-{judge}"),
    message:
        "Critiques of {wildcards.chains} by {wildcards.judge}"
    script:
        "../scripts/annotate_judge.py"


rule annotate_votes:
    input:
        code("annotate_votes"),
        unpack(tokenizer_of_run),
        files=lambda w: model_inputs(JUDGES[w.judge].model),
        model=lambda w: f"{R}/models/{JUDGES[w.judge].model}/model.json",
        prompt=lambda w: prompt_of(JUDGES[w.judge]),
        chains=f"{R}/chains/{{chains}}.parquet",
        problems=lambda w: problem_files(P.chains.sets[w.chains]),
    output:
        f"{R}/annotate/{{chains}}/{{judge}}.votes.parquet",
    log:
        f"logs/{P.scale}/annotate/{{chains}}-{{judge}}.votes.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/{{judge}}.votes-{{chains}}.tsv"
    wildcard_constraints:
        chains=only(WHOLE),
        judge=only(VOTING),
    conda:
        "../envs/model.yaml"
    threads: cores("annotate_votes")
    resources:
        **asked("annotate_votes"),
    params:
        engine=PARAMS["engine"],
        judge=lambda w: JUDGES[w.judge].model_dump(),
        steps=lambda w: steps_of(P.domain_of_chains(w.chains)),
        work=work_of("{chains}-{judge}.votes"),
        seed=P.seed,
    message:
        "Critiques of {wildcards.chains} by {wildcards.judge}"
    script:
        "../scripts/annotate_votes.py"


use rule annotate_votes as annotate_votes_shard with:
    output:
        temp(f"{SHARDS}/{{judge}}.votes.{{shard}}.parquet"),
    log:
        f"logs/{P.scale}/annotate/{{chains}}-{{judge}}.votes.{{shard}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/{{judge}}.votes-{{chains}}.{{shard}}.tsv"
    wildcard_constraints:
        chains=only(SHARDED),
    message:
        "Critiques of {wildcards.chains} by {wildcards.judge}, shard {wildcards.shard}"


rule join_shards:
    input:
        code("join_shards"),
        shards=lambda w: expand(f"{SHARDS}/{{part}}.{{shard}}.parquet", **dict(w.items()), shard=P.shards_of(w.chains)),
        chains=f"{R}/chains/{{chains}}.parquet",
    output:
        f"{R}/annotate/{{chains}}/{{part}}.parquet",
    log:
        f"logs/{P.scale}/annotate/{{chains}}-{{part}}.log",
    wildcard_constraints:
        chains=only(SHARDED),
        part=only(map(re.escape, PARTS)),
    conda:
        "../envs/analysis.yaml"
    threads: cores("join_shards")
    resources:
        **asked("join_shards"),
    params:
        kind=lambda w: PARTS[w.part],
    message:
        "Shards of {wildcards.part}, {wildcards.chains}, joined"
    script:
        "../scripts/join_shards.py"


rule count_votes:
    input:
        code("count_votes"),
        votes=f"{R}/annotate/{{chains}}/{{judge}}.votes.parquet",
        chains=f"{R}/chains/{{chains}}.parquet",
    output:
        labels=f"{R}/annotate/{{chains}}/{{judge}}.parquet",
        tally=f"{R}/annotate/{{chains}}/{{judge}}.votes.json",
    log:
        f"logs/{P.scale}/annotate/{{chains}}-{{judge}}.log",
    conda:
        "../envs/analysis.yaml"
    threads: cores("count_votes")
    resources:
        **asked("count_votes"),
    message:
        "Votes of {wildcards.judge} on {wildcards.chains} counted"
    script:
        "../scripts/count_votes.py"
