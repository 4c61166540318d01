import os
from pathlib import Path

from prm_scaling.config import load_params

# Jobs import the package from the checkout, also inside a conda environment.
os.environ["PYTHONPATH"] = str(Path(workflow.basedir) / "src")

P = load_params(Path(workflow.basedir))
PARAMS = P.model_dump(mode="json")
R = P.results
# Package modules by folder: a change in one reruns the rules that import it.
SOURCES = Path(workflow.basedir) / "src" / "prm_scaling"


def code(*folders):
    """The package's modules in these folders (or of that name), as inputs of the rules that use them."""
    files = []
    for folder in folders:
        path = SOURCES / folder
        files += sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]
    return [str(f.relative_to(workflow.basedir)) for f in files]


def problem_files(sets):
    """The problem files of these sets."""
    return [f"{R}/problems/{name}.parquet" for name in sets]


def model_files(folder):
    """All files of a model made here: whoever reads it depends on its weights too."""
    return [f"{folder}/{name}" for name in ("config.json", "model.safetensors")]


def is_hub(model):
    """Whether a model comes from the hub."""
    known = {**P.models.ladder, **P.models.others}
    return model in known and bool(known[model].hub)


def model_inputs(model):
    """What a job needs of a policy, judge or PRM base: its description, and its files if made here."""
    folder = f"{R}/models/{model}"
    return [f"{folder}/model.json"] + ([] if is_hub(model) else model_files(folder))


def tokenizer_of_run():
    """The tokenizer that steps are read with: the chains' policy's."""
    return f"{R}/models/{P.chains.policy}/model.json"


def priority(model):
    """Large models first, so that the longest job does not start last."""
    return list(P.models.ladder).index(model) if model in P.models.ladder else 0


def prm_outputs(folder):
    return {
        "description": f"{folder}/prm.json",
        "config": f"{folder}/config.json",
        "weights": f"{folder}/model.safetensors",
    }
