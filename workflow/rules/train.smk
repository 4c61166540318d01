# The PRMs of which checkpoints are kept, for the study of emergence in training steps.
KEPT = P.prms_of(P.train.ladder_set)


wildcard_constraints:
    training="|".join(P.train.sets),
    size="|".join(P.models.ladder),
    seed=r"\d+",
    prm="|".join(P.prms()),
    published=only(P.train.published),


rule train:
    input:
        [f"{R}/train/{prm}/prm.json" for prm in P.prms()],


rule train_prm:
    input:
        code("train_prm"),
        unpack(training_inputs),
    output:
        description=f"{R}/train/{{training}}-{{size}}-s{{seed}}/prm.json",
        config=f"{R}/train/{{training}}-{{size}}-s{{seed}}/config.json",
        weights=f"{R}/train/{{training}}-{{size}}-s{{seed}}/model.safetensors",
        metrics=f"{R}/train/{{training}}-{{size}}-s{{seed}}/metrics.json",
    log:
        f"logs/{P.scale}/train/{{training}}-{{size}}-s{{seed}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/train-{{training}}-{{size}}-s{{seed}}.tsv"
    priority: lambda w: priority(w.size)
    conda:
        "../envs/model.yaml"
    threads: cores("train_prm")
    resources:
        **asked("train_prm"),
    params:
        train={k: PARAMS["train"][k] for k in ("batch", "epochs", "learning_rate")},
        labelled=lambda w: PARAMS["train"]["sets"][w.training],
        shares=[],
        work=lambda w: f"work/{P.scale}/train/{w.training}-{w.size}-s{w.seed}",
        seed=P.seed,
    message:
        "PRM of size {wildcards.size} on {wildcards.training}, seed {wildcards.seed}"
    script:
        "../scripts/train_prm.py"


use rule train_prm as train_prm_with_checkpoints with:
    output:
        description=f"{R}/train/{{training}}-{{size}}-s{{seed}}/prm.json",
        config=f"{R}/train/{{training}}-{{size}}-s{{seed}}/config.json",
        weights=f"{R}/train/{{training}}-{{size}}-s{{seed}}/model.safetensors",
        metrics=f"{R}/train/{{training}}-{{size}}-s{{seed}}/metrics.json",
        kept=[
            f"{R}/train/{{training}}-{{size}}-s{{seed}}/step{i}/model.safetensors"
            for i in range(len(P.train.emergence))
        ],
        described=[f"{R}/train/{{training}}-{{size}}-s{{seed}}/step{i}/prm.json" for i in range(len(P.train.emergence))],
    wildcard_constraints:
        training=P.train.ladder_set,
        size=P.train.size,
    params:
        train={k: PARAMS["train"][k] for k in ("batch", "epochs", "learning_rate")},
        labelled=lambda w: PARAMS["train"]["sets"][w.training],
        shares=P.train.emergence,
        work=lambda w: f"work/{P.scale}/train/{w.training}-{w.size}-s{w.seed}",
        seed=P.seed,


ruleorder: train_prm_with_checkpoints > train_prm


# A published PRM stands where one trained here would: its description says how to load and to read it.
rule fetch_prm:
    input:
        code("fetch_prm"),
    output:
        description=f"{R}/train/{{published}}-{PUBLISHED}-s0/prm.json",
    log:
        f"logs/{P.scale}/train/{{published}}.log",
    conda:
        "../envs/model.yaml"
    threads: cores("fetch_prm")
    resources:
        **asked("fetch_prm"),
    params:
        prm=lambda w: PARAMS["train"]["published"][w.published],
    message:
        "Fetching PRM {wildcards.published}"
    script:
        "../scripts/fetch_prm.py"
