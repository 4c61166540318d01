"""The public data sets: one module each. Another one is a module with a ``DATASET``, and one line here."""

from prm_scaling.problems.datasets import (
    apps,
    bigcodebench,
    code_contests,
    gsm8k,
    hendrycks_math,
    humaneval,
    humaneval_plus,
    livecodebench,
    math500,
    math_shepherd,
    mbpp,
    mbpp_plus,
    prm800k,
    prmbench,
    processbench,
    taco,
)

DATASETS = {
    "math": hendrycks_math.DATASET,
    "math500": math500.DATASET,
    "gsm8k": gsm8k.DATASET,
    "apps": apps.DATASET,
    "taco": taco.DATASET,
    "code_contests": code_contests.DATASET,
    "humaneval": humaneval.DATASET,
    "humaneval_plus": humaneval_plus.DATASET,
    "mbpp": mbpp.DATASET,
    "mbpp_plus": mbpp_plus.DATASET,
    "livecodebench": livecodebench.DATASET,
    "bigcodebench": bigcodebench.DATASET,
    "prm800k": prm800k.DATASET,
    "math_shepherd": math_shepherd.DATASET,
    "processbench": processbench.DATASET,
    "prmbench": prmbench.DATASET,
}
