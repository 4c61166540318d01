rule problems:
    input:
        problem_files(P.problems.sets),


rule make_problems:
    input:
        code("make_problems"),
    output:
        f"{R}/problems/{{set}}.parquet",
    log:
        f"logs/{P.scale}/problems/{{set}}.log",
    conda:
        "../envs/model.yaml"
    params:
        set=lambda w: PARAMS["problems"]["sets"][w.set],
        surfaces=PARAMS["problems"]["surfaces"],
        modulus=P.problems.modulus,
        seed=P.seed,
    message:
        "Problems of {wildcards.set}"
    script:
        "../scripts/make_problems.py"
