# The PRMs of which checkpoints are kept: for the study of emergence in training steps, and for the grid.
KEPT = P.prms_of(P.train.ladder_set)
GRID = [prm for base in P.grid() for prm in P.prms_of(P.train.ladder_set, base)]

# How a PRM is trained, on whatever set.
HOW = ("batch", "epochs", "learning_rate", "optimizer", "precision", "micro_batch", "gradient_checkpointing", "packing")
HOW += ("lora",)


wildcard_constraints:
    training="|".join(P.train.sets),
    size="|".join([*P.models.ladder, *P.early()]),
    seed=r"\d+",
    prm="|".join([*P.prms(), *GRID]),
    published=only(P.train.published),


rule train:
    input:
        [f"{R}/train/{prm}/prm.json" for prm in {**dict.fromkeys(P.prms()), **dict.fromkeys(GRID)}],


rule train_prm:
    input:
        code("train_prm"),
        unpack(training_inputs),
    output:
        description=f"{R}/train/{{training}}-{{size}}-s{{seed}}/prm.json",
        model=model_files(f"{R}/train/{{training}}-{{size}}-s{{seed}}"),
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
        train={k: PARAMS["train"][k] for k in HOW},
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
        model=model_files(f"{R}/train/{{training}}-{{size}}-s{{seed}}"),
        metrics=f"{R}/train/{{training}}-{{size}}-s{{seed}}/metrics.json",
        kept=[f"{folder}/prm.json" for folder in checkpoint_folders("{training}-{size}-s{seed}")],
        kept_models=[f for folder in checkpoint_folders("{training}-{size}-s{seed}") for f in model_files(folder)],
    wildcard_constraints:
        training=P.train.ladder_set,
        size="|".join([P.train.size, *P.grid()]),
    params:
        train={k: PARAMS["train"][k] for k in HOW},
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
