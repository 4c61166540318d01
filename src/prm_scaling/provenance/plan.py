"""What the active scale will take, without running it: jobs, hours, tokens, disk, and the longest chain of jobs."""

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import log2
from pathlib import Path
from typing import Any

import yaml

from prm_scaling.config import Params
from prm_scaling.provenance.graph import Job, data_of, makers


@dataclass(frozen=True)
class Load:
    """The work of one job: tokens trained on, generated and rated, by a model of ``parameters``; rows; bytes kept."""

    parameters: float = 0
    train: float = 0
    generate: float = 0
    reward: float = 0
    rows: float = 0
    bytes: float = 0


@dataclass(frozen=True)
class Cost:
    """What one job takes: seconds of a core or GPU, and whether that was measured."""

    job: Job
    load: Load
    seconds: float
    on_gpu: bool
    measured: bool


def stated_rates() -> dict[str, Any]:
    """The content of rates.yaml."""
    return yaml.safe_load((Path(__file__).parent / "rates.yaml").read_text())


class Plan:
    """The costs of all jobs of a graph: measured ones from the folder ``benchmarks``, the others by ``rates``."""

    def __init__(self, params: Params, graph: list[Job], rates: dict[str, Any], benchmarks: Path | None) -> None:
        self.params = params
        self.rates = rates
        self.made = makers(graph)
        hub = any(model.hub for model in params.models.bases.values())
        self.texts = rates["tokens"]["hub" if hub else "embedded"]
        self.costs = {job.output[0]: self.cost(job, benchmarks) for job in graph}

    # --- sizes ---

    def parameters(self, model: str) -> float:
        """A model's non-embedding parameters, of the embedded ladder's by its shape."""
        if model in self.params.models.variants:
            model = self.params.models.variants[model].base
        shape = self.params.models.bases[model]
        return shape.parameters or 10 * (shape.layers or 0) * (shape.width or 0) ** 2

    def problems(self, sets: list[str]) -> int:
        """How many problems these sets have together."""
        return sum(self.params.problems.sets[name].count for name in sets)

    def chains(self, name: str) -> int:
        """How many chains a chain set has."""
        return self.problems(self.params.chains.sets[name]) * self.params.chains.samples

    def tests(self, domain: str) -> int:
        """How many test problems a domain has."""
        return self.problems(self.params.test_sets(domain))

    def training_chains(self, training: str) -> int:
        """How many chains a PRM is trained on: at most what is wanted and what its sets have."""
        there = sum(map(self.chains, self.params.train.sets[training].chains))
        return min(self.params.train.chains, there)

    # --- one job ---

    def load(self, job: Job) -> Load:
        """The work of a job, by its rule."""
        known: dict[str, Callable[[dict[str, str]], Load]] = {
            "make_problems": self._problems,
            "pretrain": self._pretrain,
            "train_variant": self._pretrain,
            "make_documents": self._documents,
            "sample_chains": self._sample,
            "annotate_monte_carlo": self._monte_carlo,
            "annotate_judge": self._judge,
            "train_prm": partial(self._train, kept=0),
            "train_prm_with_checkpoints": partial(self._train, kept=len(self.params.train.emergence)),
            "sample_pool": self._pool,
            "score_pool": self._scores,
            "score_checkpoints": self._checkpoints,
            "search_tree": self._tree,
            "time_searches": self._times,
        }
        return known[job.rule](job.wildcards) if job.rule in known else Load()

    def _problems(self, w: dict[str, str]) -> Load:
        count = self.params.problems.sets[w["set"]].count
        return Load(rows=count, bytes=count * self.rates["bytes"]["problem"])

    def _documents(self, w: dict[str, str]) -> Load:
        models = self.params.models
        trained = [models.variants[w["corpus"]]] if w["corpus"] in models.variants else models.bases.values()
        count = models.pretraining.batch * max((m.steps or 0) for m in trained)
        return Load(rows=count, bytes=count * self.rates["bytes"]["problem"])

    def _pretrain(self, w: dict[str, str]) -> Load:
        models = self.params.models
        steps = (models.variants[w["model"]] if w["model"] in models.variants else models.bases[w["model"]]).steps or 0
        size = self.parameters(w["model"])
        kept = 1 if w["model"] in models.variants else 1 + len(models.pretraining.checkpoints)
        tokens = steps * models.pretraining.batch * self.texts["document"]
        return Load(size, train=tokens, bytes=kept * size * self.rates["bytes"]["parameter"])

    def _sample(self, w: dict[str, str]) -> Load:
        count = self.chains(w["chains"])
        size = self.parameters(self.params.chains.policy)
        return Load(size, generate=count * self.texts["chain"], bytes=count * self.rates["bytes"]["chain"])

    def _monte_carlo(self, w: dict[str, str]) -> Load:
        # Binary search: one more prefix each time the steps double; a rollout is half a chain long on average.
        prefixes = log2(self.texts["steps"]) + 1
        rollouts = self.chains(w["chains"]) * prefixes * self.params.annotate.rollouts
        size = self.parameters(self.params.annotate.completer.model)
        return Load(size, generate=rollouts * self.texts["chain"] / 2)

    def _judge(self, w: dict[str, str]) -> Load:
        length = self.rates["critique"] * self.texts["chain"]
        size = self.parameters(self.params.annotate.judges[w["judge"]])
        return Load(size, generate=self.chains(w["chains"]) * length)

    def _train(self, w: dict[str, str], kept: int) -> Load:
        length = self.texts["chain"] + self.texts["prompt"]
        tokens = self.training_chains(w["training"]) * self.params.train.epochs * length
        size = self.parameters(w["size"])
        return Load(size, train=tokens, bytes=(1 + kept) * size * self.rates["bytes"]["parameter"])

    def _pool(self, w: dict[str, str]) -> Load:
        policy, domain = w["pool"].rsplit("-", 1)
        count = self.tests(domain) * self.params.samples_of(w["pool"])
        size = self.parameters(policy)
        return Load(size, generate=count * self.texts["chain"], bytes=count * self.rates["bytes"]["chain"])

    def _scores(self, w: dict[str, str]) -> Load:
        pools = self.params.pools_of(w["training"], w["size"])
        chains = sum(self.tests(pool.rsplit("-", 1)[1]) * self.params.samples_of(pool) for pool in pools)
        return self._rated(w["size"], chains * len(self.params.train.seeds))

    def _checkpoints(self, w: dict[str, str]) -> Load:
        train = self.params.train
        chains = self.tests(self.params.domain_of_training(train.ladder_set)) * self.params.evaluate.emergence_samples
        return self._rated(train.size, chains * len(train.emergence) * len(train.seeds))

    def _rated(self, size: str, chains: int) -> Load:
        tokens = chains * (self.texts["chain"] + self.texts["prompt"] / 2)
        return Load(self.parameters(size), reward=tokens, bytes=chains * 32)

    def _tree(self, w: dict[str, str]) -> Load:
        train = self.params.train
        return self._searched(self.tests(self.params.domain_of_training(train.ladder_set)) * len(train.seeds))

    def _times(self, w: dict[str, str]) -> Load:
        timing = self.params.search.timing
        return self._searched(timing.questions * timing.repeats * len(self.params.search.strategies))

    def _searched(self, questions: int) -> Load:
        tokens = questions * sum(self.params.search.budgets) * self.texts["chain"]
        # One size stands for both models: the larger, which is the PRM.
        size = self.parameters(self.params.train.size)
        return Load(size, generate=tokens, reward=tokens * self.rates["tree_reward"])

    def cost(self, job: Job, benchmarks: Path | None) -> Cost:
        """What a job takes, measured if there is a record of it."""
        load = self.load(job)
        on_gpu = self.params.engine.device != "cpu" and load.parameters > 0
        device = self.params.engine.device if on_gpu else "cpu"
        record = benchmarks / Path(job.benchmark).name if benchmarks and job.benchmark else None
        if record and record.is_file():
            with record.open() as file:
                took = [float(row["s"]) for row in csv.DictReader(file, delimiter="\t")]
            return Cost(job, load, sum(took) / len(took), on_gpu, True)
        seconds = self.rates["start"][device] + load.rows * self.rates["rows"]
        for kind, operations in (("train", 6), ("generate", 2), ("reward", 2)):
            rate = self.rates[device][kind]
            seconds += getattr(load, kind) * (rate["fixed"] + operations * load.parameters / rate["flops"])
        return Cost(job, load, seconds, on_gpu, False)

    # --- all jobs ---

    def longest(self) -> list[Cost]:
        """The chain of jobs, each of which waits for the one before it, that takes longest."""
        reached: dict[str, tuple[float, str]] = {}  # first output -> seconds until the job is done, job before it

        def until(name: str) -> float:
            if name not in reached:
                cost = self.costs[name]
                before = {self.made[path].output[0] for path in data_of(cost.job, self.made)}
                last = max(before, key=until, default="")
                reached[name] = (until(last) if last else 0.0) + cost.seconds, last
            return reached[name][0]

        name = max(self.costs, key=until, default="")
        chain = []
        while name:
            chain.append(self.costs[name])
            name = reached[name][1]
        return chain[::-1]

    def report(self, cores: int) -> str:
        """What `plan` prints; ``cores`` is how many jobs run at once."""
        rows: list[tuple[str, ...]] = [("phase", "jobs", "CPU h", "GPU h", "tokens", "MB")]
        jobs = Counter(cost.job.phase for cost in self.costs.values())
        for phase in [*dict.fromkeys(p for p in PHASES if p in jobs), "all"]:
            rows.append(self._row(phase, [c for c in self.costs.values() if phase in ("all", c.job.phase)]))
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(
                text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        chain = self.longest()
        alone = sum(cost.seconds for cost in chain)
        work = sum(cost.seconds for cost in self.costs.values())
        measured = sum(cost.measured for cost in self.costs.values())
        lines += ["", f"The longest chain of jobs takes {_time(alone)}:"]
        lines += [f"  {_time(cost.seconds):>9}  {cost.job.name}" for cost in chain]
        lines += [f"With {cores} jobs at once: about {_time(max(alone, work / cores))}."]
        lines += [
            f"Of {len(self.costs)} jobs {measured} are reckoned by what they took before, the others by rates.yaml."
        ]
        return "\n".join(lines)

    @staticmethod
    def _row(phase: str, costs: list[Cost]) -> tuple[str, ...]:
        cpu, gpu = (sum(c.seconds for c in costs if c.on_gpu is on) / 3600 for on in (False, True))
        tokens = sum(c.load.train + c.load.generate + c.load.reward for c in costs)
        size = sum(c.load.bytes for c in costs) / 1e6
        return phase, str(len(costs)), f"{cpu:,.2f}", f"{gpu:,.1f}", f"{tokens:,.0f}", f"{size:,.0f}"


PHASES = ("problems", "models", "chains", "annotate", "filter", "train", "search", "evaluate", "figures")


def _time(seconds: float) -> str:
    """Seconds as people say them."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
