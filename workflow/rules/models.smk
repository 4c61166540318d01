EMBEDDED = [name for name in P.models.bases if not is_hub(name)]
HUB = [name for name in P.models.bases if is_hub(name)]
SHARES = P.models.pretraining.checkpoints


wildcard_constraints:
    model="|".join([*P.models.ladder, *P.models.variants, *P.models.others, *P.early()]),


rule models:
    input:
        [f"{R}/models/{m}/model.json" for m in (*EMBEDDED, *P.models.variants, *HUB, *P.early())],


PRETRAINING_PROBLEMS = problem_files(n for n, s in P.problems.sets.items() if s.split == "pretrain")


rule make_tokenizer:
    input:
        code("make_tokenizer"),
        problems=PRETRAINING_PROBLEMS,
    output:
        tokenizer_files(f"{R}/models/tokenizer"),
    log:
        f"logs/{P.scale}/models/tokenizer.log",
    conda:
        "../envs/model.yaml"
    threads: cores("make_tokenizer")
    resources:
        **asked("make_tokenizer"),
    params:
        rates=rates("ladder"),
        vocabulary=P.models.pretraining.tokenizer_vocabulary,
        seed=P.seed,
    message:
        "Tokenizer"
    script:
        "../scripts/make_tokenizer.py"


rule make_documents:
    input:
        code("make_documents"),
        problems=PRETRAINING_PROBLEMS,
        tokenizer=rules.make_tokenizer.output,
    output:
        f"{R}/models/documents/{{corpus}}.parquet",
    log:
        f"logs/{P.scale}/models/documents-{{corpus}}.log",
    wildcard_constraints:
        corpus="|".join(["ladder", *P.models.variants]),
    conda:
        "../envs/model.yaml"
    threads: cores("make_documents")
    resources:
        **asked("make_documents"),
    params:
        rates=lambda w: rates(w.corpus),
        most=lambda w: most_documents(w.corpus),
        seed=P.seed,
    message:
        "Pre-training documents for {wildcards.corpus}"
    script:
        "../scripts/make_documents.py"


rule pretrain:
    input:
        code("pretrain"),
        tokenizer=rules.make_tokenizer.output,
        documents=f"{R}/models/documents/ladder.parquet",
    output:
        description=f"{R}/models/{{model}}/model.json",
        model=language_model_files(f"{R}/models/{{model}}"),
        tokenizer=tokenizer_files(f"{R}/models/{{model}}"),
        metrics=f"{R}/models/{{model}}/metrics.json",
        kept=[f for i in range(len(SHARES)) for f in language_model_files(f"{R}/models/{{model}}/checkpoint{i}")],
    log:
        f"logs/{P.scale}/models/{{model}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/pretrain-{{model}}.tsv"
    wildcard_constraints:
        model="|".join(EMBEDDED) or "none",
    priority: lambda w: 10 + priority(w.model)
    conda:
        "../envs/model.yaml"
    threads: cores("pretrain")
    resources:
        **asked("pretrain"),
    params:
        shape=lambda w: described(w.model),
        pretraining={k: PARAMS["models"]["pretraining"][k] for k in ("batch", "learning_rate")},
        keep=lambda w: [early_step(share, P.models.bases[w.model]) for share in SHARES],
        work=lambda w: f"work/{P.scale}/models/{w.model}",
        seed=P.seed,
    message:
        "Pre-training of {wildcards.model}"
    script:
        "../scripts/pretrain.py"


use rule pretrain as train_variant with:
    input:
        code("pretrain"),
        tokenizer=rules.make_tokenizer.output,
        documents=f"{R}/models/documents/{{model}}.parquet",
        files=lambda w: model_inputs(P.models.variants[w.model].base),
        base=lambda w: f"{R}/models/{P.models.variants[w.model].base}/model.json",
    output:
        description=f"{R}/models/{{model}}/model.json",
        model=language_model_files(f"{R}/models/{{model}}"),
        tokenizer=tokenizer_files(f"{R}/models/{{model}}"),
        metrics=f"{R}/models/{{model}}/metrics.json",
    wildcard_constraints:
        model="|".join(P.models.variants) or "none",
    params:
        shape=lambda w: PARAMS["models"]["variants"][w.model],
        pretraining={k: PARAMS["models"]["pretraining"][k] for k in ("batch", "learning_rate")},
        keep=[],
        work=lambda w: f"work/{P.scale}/models/{w.model}",
        seed=P.seed,
    message:
        "Further training of {wildcards.model}"


rule early_model:
    input:
        code("early_model"),
        files=lambda w: model_inputs(P.early()[w.model][0]),
        kept=lambda w: language_model_files(f"{R}/models/{P.early()[w.model][0]}/checkpoint{P.early()[w.model][1]}"),
    output:
        description=f"{R}/models/{{model}}/model.json",
        model=language_model_files(f"{R}/models/{{model}}"),
        tokenizer=tokenizer_files(f"{R}/models/{{model}}"),
    log:
        f"logs/{P.scale}/models/{{model}}.log",
    benchmark:
        f"logs/{P.scale}/benchmarks/early-{{model}}.tsv"
    wildcard_constraints:
        model=only(P.early()),
    conda:
        "../envs/model.yaml"
    threads: cores("early_model")
    resources:
        **asked("early_model"),
    params:
        step=lambda w: int(w.model.rsplit("@", 1)[1]),
        steps=lambda w: P.language_model(w.model).steps,
    message:
        "Checkpoint {wildcards.model} as a model of its own"
    script:
        "../scripts/early_model.py"


rule fetch_model:
    input:
        code("fetch_model"),
    output:
        description=f"{R}/models/{{model}}/model.json",
    log:
        f"logs/{P.scale}/models/{{model}}.log",
    wildcard_constraints:
        model="|".join(HUB) or "none",
    conda:
        "../envs/model.yaml"
    threads: cores("fetch_model")
    resources:
        **asked("fetch_model"),
    params:
        model=lambda w: described(w.model),
    message:
        "Fetching {wildcards.model}"
    script:
        "../scripts/fetch_model.py"
