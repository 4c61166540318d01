"""MATH-500: the test problems of MATH that Lightman et al. left to test on."""

from prm_scaling.problems.datasets import hendrycks_math
from prm_scaling.problems.datasets.record import DataSet

DATASET = DataSet(
    domain="math",
    licence="MIT",
    citation="Lightman et al., Let's Verify Step by Step, arXiv 2305.20050",
    hub="HuggingFaceH4/MATH-500",
    revision="6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be",
    files=("{split}.jsonl",),
    read=hendrycks_math.read,
)
