"""The parameters of a run: ``params.yaml`` with the overlay of its scale, checked before anything runs."""

import hashlib
import json
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from prm_scaling.chains.segmentation import SEGMENTERS, SEPARATOR
from prm_scaling.prm.settings import PUBLISHED, PublishedPrm, TrainingSet
from prm_scaling.problems.datasets import DATASETS
from prm_scaling.problems.datasets.settings import DomainName, Problems
from prm_scaling.search.settings import Search
from prm_scaling.strict import Count, Share, Strict, known


class ConfigError(ValueError):
    """The parameters are not usable; the message names file, field, value and the way out."""


class LanguageModel(Strict):
    """A causal LM: a shape to train from scratch, or a hub model's name."""

    layers: Count | None = None
    width: Count | None = None
    heads: Count | None = None
    steps: Count | None = None
    hub: str = ""
    revision: str = ""
    parameters: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _one_kind(self) -> "LanguageModel":
        shape = [self.layers, self.width, self.heads, self.steps]
        if self.hub and any(v is not None for v in shape):
            raise ValueError("give either `hub` or a shape (layers, width, heads, steps), not both")
        if not self.hub and any(v is None for v in shape):
            raise ValueError("a model needs layers, width, heads and steps, or `hub`")
        if self.width and self.heads and self.width % (2 * self.heads):
            raise ValueError(f"width {self.width} does not split into {self.heads} heads of even size")
        return self

    @property
    def size(self) -> int:
        """Non-embedding parameters: as stated for a hub model, else those of a Qwen2 of this shape."""
        if self.hub:
            return self.parameters
        assert self.layers and self.width
        d = self.width
        attention, mlp = 4 * d * d + 3 * d, 3 * d * 2 * d
        return self.layers * (attention + mlp + 2 * d) + d


class DocumentRates(Strict):
    """How the documents that LMs are trained on are written."""

    critiques: Share
    reviews: Share
    drills: Share
    error_rate: Share
    broken_off: Share
    self_correction_rate: Share
    misconceptions: Share

    @model_validator(mode="after")
    def _shares_fit(self) -> "DocumentRates":
        if (judged := self.critiques + self.reviews + self.drills) > 1:
            raise ValueError(f"critiques, reviews and drills are {judged:g} of all documents; at most 1 is possible")
        return self


class Variant(Strict):
    """A further LM: ``base`` trained on for ``steps``, with ``documents`` in place of those of pre-training."""

    base: str
    steps: Count
    documents: DocumentRates


class Pretraining(Strict):
    """How the ladder's causal LMs are trained."""

    tokenizer_vocabulary: Count
    batch: Count
    learning_rate: Annotated[float, Field(gt=0)]
    documents: DocumentRates
    checkpoints: list[Share]


class Models(Strict):
    """The models phase: the sizes of the PRMs, variants of them, and other policies and judges."""

    ladder: dict[str, LanguageModel]
    variants: dict[str, Variant]
    others: dict[str, LanguageModel] = Field(default_factory=dict)
    pretraining: Pretraining

    @model_validator(mode="after")
    def _ladder_ascends(self) -> "Models":
        sizes = {name: m.size for name, m in self.ladder.items()}
        for (a, n), (b, m) in pairwise(sizes.items()):
            if n >= m:
                raise ValueError(
                    f"ladder: `{b}` ({m:,} non-embedding parameters) stands after `{a}` ({n:,}); "
                    "list the sizes from the smallest to the largest"
                )
        for name, variant in self.variants.items():
            if variant.base not in self.bases:
                raise ValueError(
                    f"variants.{name}.base `{variant.base}` is not in ladder or others: {list(self.bases)}"
                )
        return self

    @property
    def bases(self) -> dict[str, LanguageModel]:
        """All but the variants, by name."""
        return {**self.ladder, **self.others}


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
    """The chains phase: what is sampled to be labelled."""

    policy: str
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


class Completer(Strict):
    """Who rolls out for Monte Carlo labels (Math-Shepherd's completer), and at which temperature."""

    model: str
    temperature: Annotated[float, Field(ge=0)]


class Annotate(Strict):
    """The annotate phase."""

    completer: Completer
    rollouts: Count
    threshold: Share
    neutral_right: bool
    judges: dict[str, str]
    audit: list[str] = Field(min_length=1)


class Train(Strict):
    """The train phase, and which PRMs there are."""

    sets: dict[str, TrainingSet]
    published: dict[str, PublishedPrm] = Field(default_factory=dict)
    chains: Count
    batch: Count
    epochs: Annotated[float, Field(gt=0)]
    learning_rate: Annotated[float, Field(gt=0)]
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
            "search.policy": [self.search.policy],
            "search.generators": self.search.generators,
            "search.front.policies": self.search.front.policies,
            "annotate.completer.model": [self.annotate.completer.model],
            "annotate.judges": list(self.annotate.judges.values()),
        }
        for field, names in wanted.items():
            known(field, names, models, "models")
        known("train.size", [self.train.size], list(self.models.ladder), "models.ladder")
        known("train.ladder_set", [self.train.ladder_set], list(self.train.sets), "train.sets")
        known("annotate.audit", self.annotate.audit, list(self.chains.sets), "chains.sets")
        table1 = self.evaluate.table1
        if hyphened := [name for name in self.train.published if "-" in name]:
            raise ValueError(f"train.published: {hyphened}: a hyphen parts the name from the size; use underscores")
        if both := sorted(set(self.train.published) & set(self.train.sets)):
            raise ValueError(f"train.published: {both} are names in train.sets too; rename one")
        known("evaluate.table1", [table1.math_prm, table1.code_prm], list(self.train.sets), "train.sets")
        for name, training in self.train.sets.items():
            known(f"train.sets.{name}.chains", training.chains, list(self.chains.sets), "chains.sets")
            known(f"train.sets.{name}.judges", training.judges, list(self.annotate.judges), "annotate.judges")
        for name, sets in self.chains.sets.items():
            known(f"chains.sets.{name}", sets, list(self.problems.sets), "problems.sets")
            tested = [n for n in sets if self.problems.sets[n].split == "test"]
            if tested:
                raise ValueError(f"chains.sets.{name}: {tested} are test sets; PRMs are not trained on what tests them")
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

    def _is_rated(self, problem_set: str) -> bool:
        source = self.problems.sets[problem_set].source
        return source in DATASETS and DATASETS[source].labelled

    def domain_of_chains(self, chain_set: str) -> str:
        """The domain of a chain set: that of its first problem set."""
        return self.problems.sets[self.chains.sets[chain_set][0]].domain

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

    def main_sets(self) -> dict[str, str]:
        """The training set that stands for each domain that PRMs are trained on."""
        named = [self.train.ladder_set, self.evaluate.table1.math_prm, self.evaluate.table1.code_prm, *self.train.sets]
        return {self.domain_of_training(name): name for name in reversed(named)}

    def prms(self) -> list[str]:
        """The names of all PRMs, ``<training set>-<size>-s<seed>``: the size study, the other sets, published ones."""
        ladder = [(self.train.ladder_set, size) for size in self.models.ladder]
        others = [(name, self.train.size) for name in self.train.sets if name != self.train.ladder_set]
        trained = [f"{name}-{size}-s{seed}" for name, size in ladder + others for seed in self.train.seeds]
        return trained + [f"{name}-{PUBLISHED}-s0" for name in self.train.published]

    def prms_of(self, training_set: str, size: str | None = None) -> list[str]:
        """The PRMs, one a seed, on ``training_set`` at ``size`` (the common size if not given)."""
        return [f"{training_set}-{size or self.train.size}-s{seed}" for seed in self.train.seeds]

    def pools(self) -> list[str]:
        """The pools of samples, ``<policy>-<domain>``."""
        domains = dict.fromkeys(self.problems.sets[n].domain for n in self.test_sets())
        own = [f"{self.search.policy}-{d}" for d in domains]
        return list(dict.fromkeys(own + self.table1_pools() + self.front_pools()))

    def front_pools(self) -> list[str]:
        """The pools of the policies that are held against compute, in the domain of the main training set."""
        domain = self.domain_of_training(self.train.ladder_set)
        return [f"{policy}-{domain}" for policy in self.search.front.policies]

    def samples_of(self, pool: str) -> int:
        """How many samples of each problem a pool has: fewer where it only serves the comparison of policies."""
        policy, search = pool.rsplit("-", 1)[0], self.search
        only_front = pool in self.front_pools() and policy != search.policy and pool not in self.table1_pools()
        return search.front.samples if only_front else search.pool

    def table1_pools(self) -> list[str]:
        """The pools of Table 1's generators."""
        return [f"{generator}-{self.evaluate.table1.domain}" for generator in self.search.generators]

    def pools_of(self, training_set: str, size: str) -> list[str]:
        """The pools that such PRMs score: their own domain's, and Table 1's for the PRMs that stand there."""
        own = [f"{self.search.policy}-{self.domain_of_training(training_set)}"]
        if training_set == self.train.ladder_set and size == self.train.size:
            own += self.front_pools()
        table1 = self.evaluate.table1
        if training_set in (table1.math_prm, table1.code_prm) and size == self.train.size:
            own += self.table1_pools()
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
