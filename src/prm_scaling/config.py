"""The parameters of a run: ``params.yaml`` with the overlay of its scale, checked before anything runs."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from prm_scaling.analysis.settings import Studies
from prm_scaling.annotate.settings import Annotate
from prm_scaling.chains.segmentation import SEGMENTERS, SEPARATOR
from prm_scaling.models.settings import LanguageModel, Models, early_step
from prm_scaling.prm.settings import ANNOTATORS, PUBLISHED, Lora, PublishedPrm, TrainingSet
from prm_scaling.problems.datasets import DATASETS
from prm_scaling.problems.datasets.settings import DomainName, Problems
from prm_scaling.search.settings import Search
from prm_scaling.strict import Count, Share, Strict, known


class ConfigError(ValueError):
    """The parameters are not usable; the message names file, field, value and the way out."""


class EngineParams(Strict):
    """Who runs the models.

    Attributes:
        name: of the policies' engine.
        scorer: of the PRMs'.
        rows: paths that are decoded together; fewer where memory runs out.
        cache_megabytes: for the keys and values that each model keeps, in units of 2**20 bytes.
        context: tokens of a sequence at most; 0 takes each model's own limit (transformers: always).
    """

    name: Literal["transformers", "vllm"]
    scorer: Literal["transformers", "vllm"] = "transformers"
    rows: Count
    cache_megabytes: Count
    context: Annotated[int, Field(ge=0)] = 0
    dtype: Literal["float32", "bfloat16"]
    device: str


class Chains(Strict):
    """The chains phase: what is sampled to be labelled; ``policies`` names those of sets that have another."""

    policy: str
    policies: dict[str, str] = Field(default_factory=dict)
    sets: dict[str, Annotated[list[str], Field(min_length=1)]]
    samples: Count
    temperature: Annotated[float, Field(ge=0)]
    max_tokens: Count
    separator: Annotated[str, Field(min_length=1)]
    segmentation: dict[DomainName, str]

    @model_validator(mode="after")
    def _segmenters_exist(self) -> "Chains":
        for domain, name in self.segmentation.items():
            known(f"segmentation.{domain}", [name], [SEPARATOR, *SEGMENTERS], "chains/segmentation.py")
        return self


class Train(Strict):
    """The train phase, and which PRMs there are."""

    sets: dict[str, TrainingSet]
    published: dict[str, PublishedPrm] = Field(default_factory=dict)
    chains: Count
    batch: Count
    epochs: Annotated[float, Field(gt=0)]
    learning_rate: Annotated[float, Field(gt=0)]
    optimizer: Literal["muon", "adamw"]
    precision: Literal["float32", "bfloat16"]
    micro_batch: Count | None
    gradient_checkpointing: bool
    packing: bool
    lora: Lora | None
    seeds: list[Annotated[int, Field(ge=0)]] = Field(min_length=1)
    size: str
    ladder_set: str
    emergence: list[Share]


class SandboxParams(Strict):
    """Where programs run, see :class:`prm_scaling.verify.sandbox.Sandbox`."""

    mode: Literal["bubblewrap", "process"]
    seconds: Annotated[float, Field(gt=0)]
    megabytes: Count


class Table1(Strict):
    """Paper A's Table 1: which PRMs choose among the generators' solutions, in which domain."""

    domain: DomainName
    math_prm: str
    code_prm: str


class Evaluate(Strict):
    """The evaluate phase."""

    table1: Table1
    emergence_samples: Count
    bootstrap: Count
    confidence: Annotated[float, Field(gt=0, lt=1)]
    gradient_pairs: Count
    plateau_margin: Annotated[float, Field(gt=0, lt=1)]


class Params(Strict):
    """All of ``params.yaml``."""

    scale: str
    results: str
    seed: Annotated[int, Field(ge=0)]
    engine: EngineParams
    sandbox: SandboxParams
    problems: Problems
    models: Models
    chains: Chains
    annotate: Annotate
    train: Train
    search: Search
    evaluate: Evaluate
    studies: Studies

    @model_validator(mode="after")
    def _names_resolve(self) -> "Params":
        expected = "results" if self.scale == "default" else f"results/{self.scale}"
        if self.results != expected:
            raise ValueError(
                f"results `{self.results}` does not fit scale `{self.scale}`; use `./run scale {self.scale}`"
            )
        models = [*self.models.ladder, *self.models.variants, *self.models.others]
        wanted = {
            "chains.policy": [self.chains.policy],
            "chains.policies": list(self.chains.policies.values()),
            "search.policy": [self.search.policy],
            "search.generators": self.search.generators,
            "search.front.policies": self.search.front.policies,
            "annotate.completer.model": [self.annotate.completer.model],
            "annotate.judges": [judge.model for judge in self.annotate.judging().values()],
            "studies.transfer.policies": self.studies.transfer.policies,
        }
        for field, names in wanted.items():
            known(field, names, models, "models")
        known("train.size", [self.train.size], list(self.models.ladder), "models.ladder")
        known("train.ladder_set", [self.train.ladder_set], list(self.train.sets), "train.sets")
        known("chains.policies", self.chains.policies, list(self.chains.sets), "chains.sets")
        known("annotate.audit", self.annotate.audit, list(self.chains.sets), "chains.sets")
        table1 = self.evaluate.table1
        if hyphened := [name for name in self.train.published if "-" in name]:
            raise ValueError(f"train.published: {hyphened}: a hyphen parts the name from the size; use underscores")
        if both := sorted(set(self.train.published) & set(self.train.sets)):
            raise ValueError(f"train.published: {both} are names in train.sets too; rename one")
        known("evaluate.table1", [table1.math_prm, table1.code_prm], list(self.train.sets), "train.sets")
        known("studies.transfer.trainings", self.studies.transfer.trainings, self.main_trainings(), "train.sets")
        known("studies.pretraining", self.studies.pretraining, list(self.models.ladder), "models.ladder")
        for name, training in self.train.sets.items():
            known(f"train.sets.{name}.chains", training.chains, list(self.chains.sets), "chains.sets")
            known(
                f"train.sets.{name}.annotator", [training.annotator], [*ANNOTATORS, *self.annotate.judges], "annotators"
            )
            known(
                f"train.sets.{name}.size", [training.size or self.train.size], list(self.models.ladder), "models.ladder"
            )
            known(f"train.sets.{name}.judges", training.judges, list(self.annotate.judges), "annotate.judges")
        for name, sets in self.chains.sets.items():
            known(f"chains.sets.{name}", sets, list(self.problems.sets), "problems.sets")
            tested = [n for n in sets if self.problems.sets[n].split == "test"]
            if tested:
                raise ValueError(f"chains.sets.{name}: {tested} are test sets; PRMs are not trained on what tests them")
        return self

    @model_validator(mode="after")
    def _studies_can_be_done(self) -> "Params":
        if self.train.sets[self.train.ladder_set].size:
            raise ValueError(f"train.sets.{self.train.ladder_set}.size: the set of the size study has every size")
        known("studies.guided", self.studies.guided, self.search.strategies, "search.strategies")
        for name in self.studies.guided:
            section = self.search.sections(name).get("router")
            if name == "sampling" or (section and section["thresholds"] is None):
                raise ValueError(f"studies.guided: `{name}` is no search that a PRM of any size guides; leave it out")
        for size in self.studies.pretraining:
            if self.models.ladder[size].hub:
                raise ValueError(f"studies.pretraining: `{size}` comes from the hub; its pre-training is not known")
        return self

    @model_validator(mode="after")
    def _splits_stay_apart(self) -> "Params":
        splits = {name: {n: self.problems.sets[n].split for n in sets} for name, sets in self.chains.sets.items()}
        for name, found in splits.items():
            if len(set(found.values())) > 1:
                raise ValueError(f"chains.sets.{name}: its problems are of several splits ({found}); set them apart")
        for name, training in self.train.sets.items():
            for chains in training.chains:
                if others := {n: split for n, split in splits[chains].items() if split != "train"}:
                    raise ValueError(
                        f"train.sets.{name}.chains: `{chains}` is not of the train split ({others}), and PRMs are "
                        "chosen and tested on the others; train on chains of train problems"
                    )
        return self

    @model_validator(mode="after")
    def _labels_exist(self) -> "Params":
        kinds = {name: self.kind_of_chains(name) for name in self.chains.sets}
        for name, sets in self.chains.sets.items():
            rated = [s for s in sets if self._is_rated(s)]
            if kinds[name] != "rated" and rated:
                raise ValueError(f"chains.sets.{name}: {rated} come with rated solutions, the others do not: set apart")
        needs = {"human": "world", "ratings": "rated"}
        for name, training in self.train.sets.items():
            if training.annotator == "seeded" and self.annotate.mode != "tree":
                raise ValueError(
                    f"train.sets.{name}.annotator `seeded`: only rollouts in a tree seed chains; set annotate.mode to "
                    f"`tree` (it is `{self.annotate.mode}`), or choose another annotator"
                )
            kind = needs.get(training.annotator)
            without = [c for c in training.chains if kind not in (None, kinds[c])]
            if without:
                raise ValueError(
                    f"train.sets.{name}.annotator `{training.annotator}`: {without} have no such labels; `human` is "
                    "for problems made here, `ratings` for data sets with rated solutions, or choose another annotator"
                )
        unknown = [c for c in self.annotate.audit if kinds[c] == "read"]
        if unknown:
            raise ValueError(f"annotate.audit: of {unknown} the truth is not known, so that no noise can be measured")
        return self

    @model_validator(mode="after")
    def _programs_can_run(self) -> "Params":
        sets = [n for n, s in self.problems.sets.items() if s.source in DATASETS and DATASETS[s.source].unittests]
        if sets and self.sandbox.mode == "process":
            raise ValueError(
                f"sandbox.mode `process`: the unittest classes of {sets} write files and start processes, which it "
                "denies; use `bubblewrap`, or leave these sets out"
            )
        return self

    def _is_rated(self, problem_set: str) -> bool:
        source = self.problems.sets[problem_set].source
        return source in DATASETS and DATASETS[source].labelled

    def policy_of_chains(self, chain_set: str) -> str:
        """The policy that a chain set is sampled from."""
        return self.chains.policies.get(chain_set, self.chains.policy)

    def domain_of_chains(self, chain_set: str) -> str:
        """The domain of a chain set: that of its first problem set."""
        return self.problems.sets[self.chains.sets[chain_set][0]].domain

    def count_of_chains(self, chain_set: str) -> int:
        """How many chains a chain set has; rated ones come with their problems, one a record."""
        problems = sum(self.problems.sets[name].count for name in self.chains.sets[chain_set])
        return problems * (1 if self.kind_of_chains(chain_set) == "rated" else self.chains.samples)

    def shards_of(self, chain_set: str) -> list[str]:
        """The shards in which a chain set is annotated, ``1-of-3`` and so on; none if one job does all of it."""
        shards = -(-self.count_of_chains(chain_set) // self.annotate.chains_a_shard)
        return [f"{i + 1}-of-{shards}" for i in range(shards)] if shards > 1 else []

    def kind_of_chains(self, chain_set: str) -> str:
        """``world`` if sampled for problems made here, ``rated`` if they come with ratings, else ``read``."""
        sets = self.chains.sets[chain_set]
        if all(self.problems.sets[name].source == "world" for name in sets):
            return "world"
        return "rated" if all(map(self._is_rated, sets)) else "read"

    def domain_of_training(self, training_set: str) -> str:
        """The domain of a training set, or of a published PRM."""
        if training_set in self.train.published:
            return self.train.published[training_set].domain
        return self.domain_of_chains(self.train.sets[training_set].chains[0])

    def only_domain_of(self, training_set: str) -> str:
        """The domain of a training set, empty where its chains are of several."""
        domains = set(map(self.domain_of_chains, self.train.sets[training_set].chains))
        return domains.pop() if len(domains) == 1 else ""

    def main_sets(self) -> dict[str, str]:
        """The training set that stands for each domain that PRMs are trained on."""
        named = [self.train.ladder_set, self.evaluate.table1.math_prm, self.evaluate.table1.code_prm, *self.train.sets]
        return {self.domain_of_training(name): name for name in reversed(named)}

    def main_trainings(self) -> list[str]:
        """The training sets whose PRMs are of the common size."""
        return [name for name, training in self.train.sets.items() if training.size is None]

    def prms(self) -> list[str]:
        """The names of the PRMs, ``<training set>-<size>-s<seed>``: of the size study, the other sets, published ones.

        Those on checkpoints of the pre-training are in :meth:`grid` alone.
        """
        ladder = [(self.train.ladder_set, size) for size in self.models.ladder]
        others = [(n, t.size or self.train.size) for n, t in self.train.sets.items() if n != self.train.ladder_set]
        trained = [f"{name}-{size}-s{seed}" for name, size in ladder + others for seed in self.train.seeds]
        return trained + [f"{name}-{PUBLISHED}-s0" for name in self.train.published]

    def early(self) -> dict[str, tuple[str, int]]:
        """The checkpoints of pre-training that PRMs start from, ``<size>@<step>``: (size, number of the checkpoint)."""
        shares = self.models.pretraining.checkpoints
        return {
            f"{size}@{early_step(share, self.models.ladder[size])}": (size, number)
            for size in self.studies.pretraining
            for number, share in enumerate(shares)
        }

    def grid(self) -> list[str]:
        """What the PRMs of the grid of pre-training and reward training start from: checkpoints, and whole models."""
        return [*self.early(), *self.studies.pretraining]

    def language_model(self, name: str) -> LanguageModel:
        """The shape of a model of the run: of the ladder, a variant, another, or a checkpoint of :meth:`early`."""
        base = self.early()[name][0] if name in self.early() else name
        return self.models.bases[self.models.variants[base].base if base in self.models.variants else base]

    def prms_of(self, training_set: str, size: str | None = None) -> list[str]:
        """The PRMs, one a seed, on ``training_set`` at ``size`` (the common size if not given)."""
        return [f"{training_set}-{size or self.train.size}-s{seed}" for seed in self.train.seeds]

    def pools(self) -> list[str]:
        """The pools of samples, ``<policy>-<domain>``."""
        domains = dict.fromkeys(self.problems.sets[n].domain for n in self.test_sets())
        own = [f"{self.search.policy}-{d}" for d in domains]
        return list(dict.fromkeys(own + self.table1_pools() + self.front_pools() + self.transfer_pools()))

    def front_pools(self) -> list[str]:
        """The pools of the policies that are held against compute, in the domain of the main training set."""
        domain = self.domain_of_training(self.train.ladder_set)
        return [f"{policy}-{domain}" for policy in self.search.front.policies]

    def samples_of(self, pool: str) -> int:
        """How many samples of each problem a pool has: fewer where it only serves the comparison of policies."""
        policy, search = pool.rsplit("-", 1)[0], self.search
        if policy == search.policy or pool in self.table1_pools():
            return search.pool
        return max(
            search.front.samples if pool in self.front_pools() else 0,
            search.table_samples if pool in self.transfer_pools() else 0,
        )

    def table1_pools(self) -> list[str]:
        """The pools of Table 1's generators."""
        return [f"{generator}-{self.evaluate.table1.domain}" for generator in self.search.generators]

    def transfer_pools(self) -> list[str]:
        """The pools that show how PRMs carry over: of each of its policies in each domain that PRMs are trained on."""
        transfer = self.studies.transfer
        domains = dict.fromkeys(filter(None, map(self.only_domain_of, transfer.trainings)))
        return [f"{policy}-{domain}" for policy in transfer.policies for domain in domains]

    def pools_of(self, training_set: str, size: str) -> list[str]:
        """The pools that such PRMs score: their own domain's, and Table 1's for the PRMs that stand there."""
        own = [f"{self.search.policy}-{self.domain_of_training(training_set)}"]
        if training_set == self.train.ladder_set and size == self.train.size:
            own += self.front_pools()
        table1 = self.evaluate.table1
        if training_set in (table1.math_prm, table1.code_prm) and size == self.train.size:
            own += self.table1_pools()
        if training_set in self.studies.transfer.trainings and size == self.train.size:
            own += self.transfer_pools()
        return list(dict.fromkeys(own))

    def test_sets(self, domain: str | None = None) -> list[str]:
        """The names of the test sets, of one domain if given."""
        return [n for n, s in self.problems.sets.items() if s.split == "test" and domain in (None, s.domain)]

    def fingerprint(self, *sections: str) -> str:
        """A hash of the named sections' values."""
        values = {s: self.model_dump(mode="json")[s] for s in sections}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def merged(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """``base`` with ``overlay`` laid over it, mapping by mapping; a value of null takes a key out.

    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": None}})
    {'a': {'b': 3}}
    """
    result = dict(base)
    for key, value in overlay.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            old = base.get(key)
            result[key] = merged(old if isinstance(old, dict) else {}, value)
        else:
            result[key] = value
    return result


def raw_params(folder: Path) -> dict[str, Any]:
    """``params.yaml`` of ``folder``, with the overlay of the scale that it names."""
    base = _mapping(folder / "params.yaml")
    scale = base.get("scale")
    path = folder / "config" / f"{scale}.yaml"
    if not path.is_file():
        scales = sorted(p.stem for p in (folder / "config").glob("*.yaml"))
        raise ConfigError(f"params.yaml: scale `{scale}` has no {path.name} in config/; there are {', '.join(scales)}")
    return merged(base, _mapping(path))


def _mapping(path: Path) -> dict[str, Any]:
    try:
        value = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: expected a mapping of parameters")
    return value


def load_params(folder: Path = Path()) -> Params:
    """The checked parameters of a checkout; :class:`ConfigError` lists all that is wrong with them."""
    raw = raw_params(folder)
    try:
        return Params.model_validate(raw)
    except ValidationError as error:
        lines = []
        for item in error.errors():
            field = ".".join(str(part) for part in item["loc"]) or "(whole)"
            value = "" if isinstance(item["input"], dict) else f" (value: {item['input']!r})"
            reason = "unknown key; remove it or correct its name" if item["type"] == "extra_forbidden" else item["msg"]
            if item["type"] == "float_type" and isinstance(item["input"], str):
                reason += "; YAML wants a point in it, as in 1.0e-5"
            lines.append(f"  {field}: {reason}{value}")
        raise ConfigError(
            f"params.yaml + config/{raw.get('scale')}.yaml: these parameters cannot be used:\n" + "\n".join(lines)
        ) from None
