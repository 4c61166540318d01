"""How much work each job of the graph is, by its rule: tokens, rows, and which models it holds in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import log2
from typing import Any

from prm_scaling.config import Params
from prm_scaling.prm.settings import PUBLISHED


@dataclass(frozen=True)
class Load:
    """The work of one job.

    Attributes:
        parameters: non-embedding ones of the largest model that computes.
        held: those of all models that are in memory at once.
        train, generate, reward: tokens trained on (all epochs), generated, rated.
        examples: tokens of the training set, which is in memory where it is made and where a model is fitted to it.
        rows: records read or made without a model.
        graded, tested: answers held against their problem, and programs that run through a public set's tests.
        bytes: kept of the results.
    """

    parameters: float = 0
    held: float = 0
    train: float = 0
    generate: float = 0
    reward: float = 0
    examples: float = 0
    rows: float = 0
    graded: float = 0
    tested: float = 0
    bytes: float = 0


class Work:
    """The loads of the jobs of a scale; ``rates`` is the content of rates.yaml."""

    def __init__(self, params: Params, rates: dict[str, Any]) -> None:
        self.params = params
        self.rates = rates
        self.hub = any(model.hub for model in params.models.bases.values())
        self.texts = rates["tokens"]["hub" if self.hub else "embedded"]

    # --- sizes ---

    def parameters(self, model: str) -> float:
        """A model's non-embedding parameters."""
        return self.params.language_model(model).size

    def problems(self, sets: list[str]) -> int:
        """How many problems these sets have together."""
        return sum(self.params.problems.sets[name].count for name in sets)

    def chains(self, name: str) -> int:
        """How many chains a chain set has."""
        return self.params.count_of_chains(name)

    def annotated(self, w: Mapping[str, str]) -> float:
        """How many chains a job annotates: a set, or a shard of it."""
        return self.chains(w["chains"]) / (len(self.params.shards_of(w["chains"])) if "shard" in w else 1)

    def tests(self, domain: str) -> int:
        """How many test problems a domain has."""
        return self.problems(self.params.test_sets(domain))

    def pool(self, name: str) -> int:
        """How many chains a pool of samples has."""
        return self.tests(name.rsplit("-", 1)[1]) * self.params.samples_of(name)

    def guided(self) -> str:
        """The domain that is searched."""
        return self.params.domain_of_training(self.params.train.ladder_set)

    # --- one job ---

    def load(self, rule: str, wildcards: Mapping[str, str]) -> Load:
        """The work of the job of ``rule`` with ``wildcards``; none is known of rules that only put tables together."""
        known: dict[str, Callable[[Mapping[str, str]], Load]] = {
            "make_problems": self._problems,
            "read_problems": self._problems,
            "read_solutions": self._problems,
            "make_tokenizer": self._tokenizer,
            "make_documents": self._documents,
            "pretrain": self._pretrain,
            "train_variant": self._pretrain,
            "fetch_model": self._fetch,
            "sample_chains": self._sample,
            "annotate_monte_carlo": self._monte_carlo,
            "annotate_monte_carlo_shard": self._monte_carlo,
            "annotate_judge": self._judge,
            "annotate_votes": self._judge,
            "annotate_votes_shard": self._judge,
            "fetch_prm": lambda w: Load(bytes=2 * self.params.train.published[w["published"]].parameters),
            "train_prm": partial(self._train, kept=0),
            "train_prm_with_checkpoints": partial(self._train, kept=len(self.params.train.emergence)),
            "sample_pool": self._pool,
            "score_pool": self._scores,
            "score_published": self._published,
            "score_checkpoints": self._checkpoints,
            "score_grid": self._grid,
            "tune_router": self._tune,
            "search_tree": self._tree,
            "time_searches": self._times,
            "grade_pool": self._grade,
            "grade_tree": self._grade_tree,
            "gradients": self._gradients,
        }
        return known[rule](wildcards) if rule in known else Load()

    def _problems(self, w: Mapping[str, str]) -> Load:
        count = self.params.problems.sets[w["set"]].count
        return Load(rows=count, bytes=count * self.rates["bytes"]["problem"])

    def _pretraining_problems(self) -> int:
        return self.problems([name for name, s in self.params.problems.sets.items() if s.split == "pretrain"])

    def _tokenizer(self, w: Mapping[str, str]) -> Load:
        return Load(rows=self._pretraining_problems())

    def _trained_documents(self, corpus: str) -> int:
        models = self.params.models
        trained = [models.variants[corpus]] if corpus in models.variants else models.bases.values()
        return models.pretraining.batch * max((m.steps or 0) for m in trained)

    def _documents(self, w: Mapping[str, str]) -> Load:
        count = self._trained_documents(w["corpus"])
        return Load(rows=count, examples=count * self.texts["document"], bytes=count * self.rates["bytes"]["problem"])

    def _pretrain(self, w: Mapping[str, str]) -> Load:
        models, name = self.params.models, w["model"]
        steps = (models.variants[name] if name in models.variants else models.bases[name]).steps or 0
        size = self.parameters(name)
        kept = 1 if name in models.variants else 1 + len(models.pretraining.checkpoints)
        documents = self._trained_documents(name if name in models.variants else "ladder")
        return Load(
            size,
            size,
            train=steps * models.pretraining.batch * self.texts["document"],
            examples=documents * self.texts["document"],
            bytes=kept * size * self.rates["bytes"]["parameter"],
        )

    def _fetch(self, w: Mapping[str, str]) -> Load:
        # Hub models are in bfloat16.
        return Load(bytes=2 * self.parameters(w["model"]))

    def _sample(self, w: Mapping[str, str]) -> Load:
        count = self.chains(w["chains"])
        size = self.parameters(self.params.policy_of_chains(w["chains"]))
        return Load(size, size, generate=count * self.texts["chain"], bytes=count * self.rates["bytes"]["chain"])

    def _monte_carlo(self, w: Mapping[str, str]) -> Load:
        # Binary search: one more prefix each time the steps double; a rollout is half a chain long on average. A tree
        # searches its seeds too, and what it saves is not known before.
        annotate, steps = self.params.annotate, self.texts["steps"]
        prefixes = steps - 1 if annotate.mode == "full" else log2(steps) + 1
        chains = self.annotated(w)
        if annotate.mode == "tree":
            chains += chains / self.params.chains.samples * annotate.tree.seeds
        rollouts = chains * prefixes * annotate.rollouts
        size = self.parameters(annotate.completer.model)
        graded, tested = self._graded(self.params.domain_of_chains(w["chains"]), rollouts)
        return Load(size, size, generate=rollouts * self.texts["chain"] / 2, graded=graded, tested=tested)

    def _judge(self, w: Mapping[str, str]) -> Load:
        length = self.rates["critique"] * self.texts["chain"]
        judge = self.params.annotate.judging()[w["judge"]]
        size = self.parameters(judge.model)
        return Load(size, size, generate=self.annotated(w) * judge.votes * length)

    def _train(self, w: Mapping[str, str], kept: int) -> Load:
        train = self.params.train
        there = sum(map(self.chains, train.sets[w["training"]].chains))
        tokens = min(train.chains, there) * (self.texts["chain"] + self.texts["prompt"])
        size = self.parameters(w["size"])
        kept_bytes = (1 + kept) * size * self.rates["bytes"]["parameter"]
        return Load(size, size, train=tokens * train.epochs, examples=tokens, bytes=kept_bytes)

    def _pool(self, w: Mapping[str, str]) -> Load:
        count = self.pool(w["pool"])
        size = self.parameters(w["pool"].rsplit("-", 1)[0])
        return Load(size, size, generate=count * self.texts["chain"], bytes=count * self.rates["bytes"]["chain"])

    def _scores(self, w: Mapping[str, str]) -> Load:
        chains = sum(map(self.pool, self.params.pools_of(w["training"], w["size"])))
        return self._rated(self.parameters(w["size"]), chains * len(self.params.train.seeds))

    def _published(self, w: Mapping[str, str]) -> Load:
        chains = sum(map(self.pool, self.params.pools_of(w["published"], PUBLISHED)))
        return self._rated(self.params.train.published[w["published"]].parameters, chains)

    def _checkpoints(self, w: Mapping[str, str]) -> Load:
        train = self.params.train
        chains = self.tests(self.guided()) * self.params.evaluate.emergence_samples
        return self._rated(self.parameters(train.size), chains * len(train.emergence) * len(train.seeds))

    def _grid(self, w: Mapping[str, str]) -> Load:
        train = self.params.train
        chains = self.tests(self.guided()) * self.params.evaluate.emergence_samples
        return self._rated(self.parameters(w["size"]), chains * len(train.emergence) * len(train.seeds))

    def _rated(self, parameters: float, chains: int) -> Load:
        tokens = chains * (self.texts["chain"] + self.texts["prompt"] / 2)
        return Load(parameters, parameters, reward=tokens, bytes=chains * 32)

    def _tree(self, w: Mapping[str, str]) -> Load:
        return self._searched(self.tests(self.guided()) * len(self.params.train.seeds), w["size"])

    def _tune(self, w: Mapping[str, str]) -> Load:
        sets = [name for name, s in self.params.problems.sets.items() if s.split == "validation"]
        return self._searched(self.problems([n for n in sets if self.params.problems.sets[n].domain == self.guided()]))

    def _times(self, w: Mapping[str, str]) -> Load:
        timing = self.params.search.timing
        return self._searched(timing.questions * timing.repeats * len(self.params.search.strategies))

    def _searched(self, questions: int, size: str | None = None) -> Load:
        tokens = questions * sum(self.params.search.budgets) * self.texts["chain"]
        policy, prm = self.parameters(self.params.search.policy), self.parameters(size or self.params.train.size)
        # One size stands for both models: the larger.
        return Load(max(policy, prm), policy + prm, generate=tokens, reward=tokens * self.rates["tree_reward"])

    def _grade(self, w: Mapping[str, str]) -> Load:
        name = w["graded"]
        if name in self.params.pools():
            graded, tested = self._graded(name.rsplit("-", 1)[1], self.pool(name))
        else:
            graded, tested = self._graded(self.params.domain_of_chains(name), self.chains(name))
        return Load(graded=graded, tested=tested)

    def _graded(self, domain: str, answers: float) -> tuple[float, float]:
        return (0, answers) if self.hub and domain == "code" else (answers, 0)

    def _grade_tree(self, w: Mapping[str, str]) -> Load:
        questions = self.tests(self.guided()) * len(self.params.train.seeds)
        graded, tested = self._graded(self.guided(), questions * sum(self.params.search.budgets))
        return Load(graded=graded, tested=tested)

    def _gradients(self, w: Mapping[str, str]) -> Load:
        # By the second generator, where there is one.
        size = self.parameters((self.params.search.generators * 2)[1])
        # Of each pair of a math and a code response, one by the PRM's choice and one not: each trained on once.
        responses = 4 * self.params.evaluate.gradient_pairs
        # Its gradients stand beside the model.
        return Load(size, 2 * size, train=responses * (self.texts["chain"] + self.texts["prompt"]))
