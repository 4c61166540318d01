import ast
import os
import re
import sys
from dataclasses import fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

# The next major versions may change what is relied on: Snakemake's own objects, which tools/jobs.py reads because
# nothing public tells the graph; and how DVC writes dvc.lock and templates dvc.yaml.
BELOW = {"snakemake": 10, "dvc": 4}


def refuse_untried_versions():
    """An error that names a package whose major version is above what this workflow was written for."""
    for package, bound in BELOW.items():
        try:
            installed = version(package)
        except PackageNotFoundError:  # DVC: Snakemake alone makes all results too
            continue
        if int(installed.split(".")[0]) >= bound:
            raise WorkflowError(
                f"{package} {installed} is installed, and this workflow is written for {package} below {bound}: "
                f'`./run setup` installs the pinned one, or `pip install "{package}<{bound}"`'
            )


refuse_untried_versions()

BASE = Path(workflow.basedir)
# The package is that of this checkout, here and in jobs, also inside a conda environment.
sys.path.insert(0, str(BASE / "src"))
os.environ.update(PYTHONPATH=str(BASE / "src"))

from prm_scaling.annotate.formats import VERDICTS, prompt_file
from prm_scaling.config import load_params
from prm_scaling.models.settings import early_step
from prm_scaling.prm.settings import PUBLISHED
from prm_scaling.problems.datasets import DATASETS
from prm_scaling.problems.datasets.source import local_files
from prm_scaling.resources import Asked, Needs

P = load_params(BASE)
PARAMS = P.model_dump(mode="json")
R = P.results
NEEDS = Needs.of(P, BASE)
# What says how a job went, not what comes of it: a change there reruns nothing.
BOOKKEEPING = {"src/prm_scaling/job.py"}


@cache
def used_by(path):
    """The package's files that one of its modules, or a script, imports or names."""
    found = set()
    if not path.endswith(".py"):
        return found
    for node in ast.walk(ast.parse((BASE / path).read_text())):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            modules = []
        for module in modules:
            place = Path("src", *module.split("."))
            found |= {f"{place}.py", f"{place}/__init__.py"}
        if isinstance(node, ast.Constant) and re.fullmatch(r"\w+\.[\w.]+", str(node.value)):
            found.add(f"{Path(path).parent}/{node.value}")
    return {name for name in found - BOOKKEEPING if name.startswith("src/") and (BASE / name).is_file()}


@cache
def modules_of(script):
    """The package's files that a script uses, directly or not."""
    found, fresh = set(), {f"workflow/scripts/{script}.py"}
    while fresh:
        fresh = set().union(*map(used_by, fresh)) - found
        found |= fresh
    return sorted(found)


def code(script):
    """What a script uses of the package: Snakemake itself sees a change in the script only.

    A function, so that a job on a cluster, which has this file read anew, looks for its own only.
    """
    return lambda wildcards: modules_of(script)


def cores(rule):
    """The cores of a job of ``rule``, as a function of its wildcards."""
    return lambda wildcards: NEEDS.asked(rule, dict(wildcards.items())).cpus


def asked(rule):
    """What else a job of ``rule`` asks a cluster for, as functions of its wildcards and of the attempt."""

    def named(field):
        return lambda wildcards, attempt: getattr(NEEDS.asked(rule, dict(wildcards.items()), attempt), field)

    return {field.name: named(field.name) for field in fields(Asked) if field.name != "cpus"}


def problem_files(sets):
    """The problem files of these sets."""
    return [f"{R}/problems/{name}.parquet" for name in sets]


# What a split must not share problems with.
HELD_OUT = {"pretrain": ["validation", "test"], "train": ["validation", "test"], "validation": ["test"], "test": []}
SETS = {name: DATASETS.get(s.source) for name, s in P.problems.sets.items()}


def held_out(name):
    """The sets that a set must not share problems with."""
    splits = HELD_OUT[P.problems.sets[name].split]
    return [other for other, s in P.problems.sets.items() if s.split in splits]


def solution_files(sets):
    """The rated solutions that came with these sets."""
    return [f"{R}/problems/{name}.solutions.parquet" for name in sets]


def only(names):
    """A pattern of these names, which matches nothing if there are none."""
    return "|".join(names) or "(?!)"


def model_files(folder):
    """All files of a PRM made here: whoever reads it depends on its weights too."""
    return [f"{folder}/{name}" for name in ("config.json", "model.safetensors")]


def language_model_files(folder):
    """All files of a language model made here, but for its tokenizer's."""
    return [*model_files(folder), f"{folder}/generation_config.json"]


def tokenizer_files(folder):
    """All files of a tokenizer made here."""
    return [f"{folder}/{name}" for name in ("tokenizer.json", "tokenizer_config.json")]


def is_hub(model):
    """Whether a model comes from the hub."""
    return model in P.models.bases and bool(P.models.bases[model].hub)


def described(model):
    """The parameters of a model that is not a variant."""
    return {**PARAMS["models"]["ladder"], **PARAMS["models"]["others"]}[model]


def model_inputs(model):
    """What a job needs of a policy, judge or PRM base: its description, and its files if made here."""
    folder = f"{R}/models/{model}"
    made = [] if is_hub(model) else [*language_model_files(folder), *tokenizer_files(folder)]
    return [f"{folder}/model.json", *made]


def tokenizer_of_run(w):
    """The tokenizer that steps are read with: the chains' policy's, by its description; and its files if made here."""
    folder = f"{R}/models/{P.chains.policy}"
    files = [] if is_hub(P.chains.policy) else tokenizer_files(folder)
    return {"tokenizer": f"{folder}/model.json", "tokenizer_files": files}


def priority(model):
    """Policies first, as chains wait for them, then large models, so that the longest job does not start last."""
    sizes, model = list(P.models.ladder), model.split("@")[0]
    if model in {P.chains.policy, P.search.policy}:
        return len(sizes)
    return sizes.index(model) if model in sizes else 0


def rates(corpus):
    """How the documents of a corpus are written: the ladder's, or a variant's."""
    models = PARAMS["models"]
    return models["variants"].get(corpus, models["pretraining"])["documents"]


def most_documents(corpus):
    """As many documents as the longest training on a corpus can read."""
    trained = [P.models.variants[corpus]] if corpus in P.models.variants else P.models.bases.values()
    return P.models.pretraining.batch * max((m.steps or 0) for m in trained)


# Who judges, in full.
JUDGES = P.annotate.judging()
# Consensus (ASLAF) asks Monte Carlo and every judge.
AGREEING = ["monte_carlo", *P.annotate.judges]
ANNOTATION = f"{R}/annotate/{{chains}}/{{annotator}}.parquet"


# Chain sets whose chains come, rated, with public data; and who stands for the truth: the generator, or these ratings.
RATED = [c for c in P.chains.sets if P.kind_of_chains(c) == "rated"]
TRUTH = {c: {"rated": ["ratings"], "world": ["human"]}.get(P.kind_of_chains(c), []) for c in P.chains.sets}


def labelling(training):
    """Who labels a training set: its annotator, or Monte Carlo with those judges who must agree with it."""
    if training.annotator != "consensus":
        return [training.annotator]
    return ["monte_carlo", *training.judges] if training.judges else AGREEING


def annotators(chain_set):
    """Who annotates a chain set: whom its training sets ask, everyone for an audit, and always who knows the truth."""
    wanted = dict.fromkeys([*TRUTH.get(chain_set, []), *(AGREEING if chain_set in P.annotate.audit else [])])
    for training in P.train.sets.values():
        if chain_set in training.chains:
            wanted.update(dict.fromkeys(labelling(training)))
    return list(wanted)


def annotations():
    """All annotation files."""
    return [expand(ANNOTATION, chains=c, annotator=annotators(c)) for c in P.chains.sets]


def chains_to_train(training):
    """Where the chains of a training set are: sampled, or seeded by the rollouts of Monte Carlo's trees."""
    place = f"{R}/annotate/{{}}/seeded_chains.parquet" if training.annotator == "seeded" else f"{R}/chains/{{}}.parquet"
    return [place.format(c) for c in training.chains]


def work_of(name):
    """Where a job keeps what it has until it is done, of its own for each shard."""

    def folder(w):
        parts = dict(w.items())
        return f"work/{P.scale}/annotate/{name.format(**parts)}" + (f".{parts['shard']}" if "shard" in parts else "")

    return folder


def prompt_of(judge):
    """The prompt file of a judge that has one."""
    return [] if judge.prompt == VERDICTS else [str(prompt_file(judge.prompt).relative_to(BASE))]


def training_inputs(w):
    """The training set, its chains, and the base model."""
    return {
        "files": model_inputs(w.size),
        "base": f"{R}/models/{w.size}/model.json",
        **tokenizer_of_run(w),
        "selected": f"{R}/filter/{w.training}.parquet",
        "chains": chains_to_train(P.train.sets[w.training]),
    }


def of_seeds(pattern):
    """A pattern of files, one for each seed of a PRM."""
    return expand(pattern, seed=P.train.seeds, allow_missing=True)


def checkpoint_folders(prm):
    """Where the kept checkpoints of a PRM are."""
    return [f"{R}/train/{prm}/step{i}" for i in range(len(P.train.emergence))]


def checkpoints_of(size):
    """The same for all seeds of a size, one PRM after the other."""
    return [folder for prm in P.prms_of(P.train.ladder_set, size) for folder in checkpoint_folders(prm)]


def steps_of(domain):
    """How the chains of a domain fall into steps."""
    return {"separator": P.chains.separator, "segmentation": P.chains.segmentation[domain]}


def thresholds_of(w):
    """The thresholds of a router that leaves them to validation (with the PRM of the first seed)."""
    return [f"{R}/search/router/{w.strategy}.json"] if w.strategy in TUNED else []


def policy_of(pool):
    """The policy of a pool."""
    return pool.rsplit("-", 1)[0]


def domain_of(pool):
    """The domain of a pool."""
    return pool.rsplit("-", 1)[1]


# Chain sets that no PRM is trained on.
VALIDATION = [c for c in P.chains.sets if P.problems.sets[P.chains.sets[c][0]].split == "validation"]


def validation_chains(domain):
    """The held-out chains of a domain."""
    return [f"{R}/chains/{c}.parquet" for c in VALIDATION if P.domain_of_chains(c) == domain]


def chains_of(name):
    """The chains of a pool or a chain set."""
    return f"{R}/search/pools/{name}.parquet" if name in P.pools() else f"{R}/chains/{name}.parquet"


def domain_of_graded(name):
    """The domain of a pool or a chain set."""
    return domain_of(name) if name in P.pools() else P.domain_of_chains(name)


def problems_of(name):
    """The problems of a pool or a chain set."""
    return problem_files(P.test_sets(domain_of(name)) if name in P.pools() else P.chains.sets[name])
