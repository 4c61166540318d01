rule problems:
    input:
        problem_files(P.problems.sets),
        f"{R}/problems/duplicates.csv",


rule make_problems:
    input:
        code("make_problems"),
        held_out=lambda w: problem_files(held_out(w.set)),
    output:
        problems=f"{R}/problems/{{set}}.parquet",
        account=f"{R}/problems/{{set}}.json",
    log:
        f"logs/{P.scale}/problems/{{set}}.log",
    wildcard_constraints:
        set=only(name for name, dataset in SETS.items() if dataset is None),
    conda:
        "../envs/model.yaml"
    threads: cores("make_problems")
    resources:
        **asked("make_problems"),
    params:
        set=lambda w: PARAMS["problems"]["sets"][w.set],
        surfaces=PARAMS["problems"]["surfaces"],
        modulus=P.problems.modulus,
        seed=P.seed,
    message:
        "Problems of {wildcards.set}"
    script:
        "../scripts/make_problems.py"


READING = dict(
    set=lambda w: PARAMS["problems"]["sets"][w.set],
    malformed=P.problems.malformed,
    near=PARAMS["problems"]["duplicates"],
)


rule read_problems:
    input:
        code("read_problems"),
        held_out=lambda w: problem_files(held_out(w.set)),
        data=lambda w: local_files(SETS[w.set], P.problems.sets[w.set].data),
    output:
        problems=f"{R}/problems/{{set}}.parquet",
        account=f"{R}/problems/{{set}}.json",
        quarantine=f"{R}/problems/{{set}}.malformed.jsonl",
    log:
        f"logs/{P.scale}/problems/{{set}}.log",
    wildcard_constraints:
        set=only(name for name, dataset in SETS.items() if dataset is not None and not dataset.labelled),
    conda:
        "../envs/model.yaml"
    threads: cores("read_problems")
    resources:
        **asked("read_problems"),
    params:
        **READING,
    message:
        "Problems of {wildcards.set}"
    script:
        "../scripts/read_problems.py"


use rule read_problems as read_solutions with:
    output:
        problems=f"{R}/problems/{{set}}.parquet",
        account=f"{R}/problems/{{set}}.json",
        quarantine=f"{R}/problems/{{set}}.malformed.jsonl",
        solutions=f"{R}/problems/{{set}}.solutions.parquet",
    wildcard_constraints:
        set=only(name for name, dataset in SETS.items() if dataset is not None and dataset.labelled),
    message:
        "Problems and labelled solutions of {wildcards.set}"


rule list_duplicates:
    input:
        code("list_duplicates"),
        accounts=expand(f"{R}/problems/{{set}}.json", set=P.problems.sets),
    output:
        f"{R}/problems/duplicates.csv",
    log:
        f"logs/{P.scale}/problems/duplicates.log",
    conda:
        "../envs/model.yaml"
    threads: cores("list_duplicates")
    resources:
        **asked("list_duplicates"),
    message:
        "Duplicates of held-out problems"
    script:
        "../scripts/list_duplicates.py"
