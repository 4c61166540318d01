"""problems: one data set, made by the embedded generator or read through `datasets`."""

from prm_scaling.problems.hub import load_hub
from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.domain import Surface
from prm_scaling.problems.world.generate import generate
from prm_scaling.storage import write_records

name, spec = snakemake.wildcards.set, snakemake.params.set
if spec["source"] == "world":
    surface = snakemake.params.surfaces[spec["surface"]]
    problems = generate(
        name,
        spec["domain"],
        spec["split"],
        Surface(spec["surface"], surface["verbs"], tuple(surface["frames"]), surface["distractors"]),
        tuple(spec["steps"]),
        spec["count"],
        snakemake.params.modulus,
        snakemake.params.seed,
    )
else:
    keys = ("domain", "split", "path", "revision", "hub_split", "fields", "count")
    problems = load_hub(name, config=spec["name"], **{key: spec[key] for key in keys})
write_records(snakemake.output[0], problems, Problem)
print(f"{name}: {len(problems)} problems")
