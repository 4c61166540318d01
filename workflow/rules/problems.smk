rule problems:
    input:
        problem_files(P.problems.sets),


rule make_problems:
    input:
        code("problems", "seeds", "storage"),
    output:
        f"{R}/problems/{{set}}.parquet",
    params:
        set=lambda w: PARAMS["problems"]["sets"][w.set],
        surfaces=PARAMS["problems"]["surfaces"],
        modulus=P.problems.modulus,
        seed=P.seed,
    log:
        f"logs/{P.scale}/problems/{{set}}.log",
    conda:
        "../envs/model.yaml"
    message:
        "Problems of {wildcards.set}"
    script:
        "../scripts/make_problems.py"
