"""This project's side of ``peers.py``: the task that both sides are given, and the search."""

import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from common import VOCABULARY, Letters, model, prompts
from transformers import PreTrainedModel, Qwen2ForTokenClassification

from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.transformers import TransformersPolicy, TransformersScorer
from prm_scaling.models.ladder import load_language_model, non_embedding_parameters
from prm_scaling.prm.model import load_prm
from prm_scaling.problems.record import Problem, Question
from prm_scaling.search import STRATEGIES
from prm_scaling.search.choose import aggregate, logit
from prm_scaling.search.ledger import Size
from prm_scaling.search.path import ROOT, Rate, Searching, Step
from prm_scaling.search.scheduler import Limits, Scheduler
from prm_scaling.search.settings import parameters
from prm_scaling.storage import read_records

Tokens = tuple[int, ...]
# M: continuations of each kept beam, and children of each node.
BRANCHING = 4
STRATEGY_OF = {"best_of_n": "sampling", "beam": "snell_beam", "mcts": "mcts"}
SECTIONS = {
    "snell_beam": {"continuations": BRANCHING, "lookahead": 0},
    "mcts": {
        "exploration": 1.0,
        "root_children": BRANCHING,
        "children": BRANCHING,
        "simulations": None,
        "leaf": "prm",
        "rollouts": 1,
        "mixing": 0.0,
        "aggregation": "min",
        "backup": "mean",
    },
}


class Passes:
    """The wall seconds that were spent within forward passes of some modules, reading and writing keys and values too.

    Attributes:
        seconds: so far.
    """

    def __init__(self, *modules: torch.nn.Module):
        self.seconds = self._began = 0.0
        for module in modules:
            module.register_forward_pre_hook(self._begin)
            module.register_forward_hook(self._end)

    def _begin(self, *_: object) -> None:
        self._began = time.perf_counter()

    def _end(self, *_: object) -> None:
        self.seconds += time.perf_counter() - self._began


class Clock:
    """The seconds since it was made."""

    def __init__(self, passes: Passes):
        self._passes, self._in_passes = passes, passes.seconds
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float, float]:
        """Of the wall's clock, of the processor, and of the wall's clock within forward passes."""
        wall, processor = time.perf_counter() - self._wall, time.process_time() - self._processor
        return wall, processor, self._passes.seconds - self._in_passes


@dataclass(frozen=True)
class Task:
    """What both sides are given.

    Attributes:
        tokenizer: of policy and PRM.
        encode: from text to ids.
        questions: each with its prompt's ids.
        rows: sequences that are decoded together.
        ends: whether solutions end by themselves; where none does, no answer is chosen and no reward reported.
        passes: the time of both models' forward passes.
    """

    policy: PreTrainedModel
    prm: PreTrainedModel
    tokenizer: object
    encode: Callable[[str], Tokens]
    limits: Limits
    questions: list[tuple[Question, Tokens]]
    rows: int
    ends: bool
    passes: Passes = field(init=False)

    def __post_init__(self) -> None:
        heads = self.policy.get_output_embeddings(), self.prm.score
        object.__setattr__(self, "passes", Passes(self.policy.base_model, self.prm.base_model, *heads))


@dataclass
class Cost:
    """One run.

    Attributes:
        seconds: of the wall's clock.
        processor: seconds of the processor.
        passes: seconds of the wall's clock within forward passes of the models.
        tokens: generated for each problem.
        computed: tokens that policy and PRM read or were fed, without padding.
        reward: the mean score of what was chosen.
    """

    seconds: float
    processor: float
    passes: float
    tokens: list[int]
    computed: int
    reward: float


def test_questions(folder: str) -> list[Question]:
    """Those of the split `test` of all sets of a folder, in random order."""
    files = sorted(Path(folder).glob("*.parquet"))
    if not files:
        raise SystemExit(f"{folder}: no problems there; `dvc pull` brings those of the committed run")
    tests = [p.question for path in files for p in read_records(path, Problem) if p.split == "test"]
    # its-hub knows a problem by its text alone.
    found = list({q.text: q for q in tests}.values())
    random.Random(0).shuffle(found)
    return found


def trained(policy: str, prm: str, problems: str, rows: int) -> Task:
    """The default scale's models on its test problems, in random order."""
    lm, tokenizer = load_language_model(policy, "float32", "cpu")
    found = test_questions(problems)

    def encode(text: str) -> Tokens:
        return tuple(tokenizer(text, add_special_tokens=False, split_special_tokens=True).input_ids)

    limits = Limits(temperature=1.0, step_tokens=24, max_steps=12, separator="\n")
    questions = [(q, prompt_tokens(q, tokenizer)) for q in found]
    return Task(lm, load_prm(prm, tokenizer, "float32", "cpu"), tokenizer, encode, limits, questions, rows, True)


def forced(size: str, rows: int, count: int) -> Task:
    """Random weights, but each step has 8 tokens and each solution 3 steps, whatever is sampled.

    Every token but the separator belongs to one of 7 places in a step. One dimension of the embedding a place, far
    larger than all else, says which place a token has, and the head's rows read there who may follow.
    """
    length, steps = 8, 3
    lm = model(size)
    place = torch.arange(VOCABULARY).sub(1).remainder(length - 1)
    place[0] = length - 1
    with torch.no_grad():
        head = lm.get_input_embeddings().weight.clone()
        lm.get_input_embeddings().weight[torch.arange(VOCABULARY), place] = 1000.0
        head[:, :length] = 0.0
        head[torch.arange(VOCABULARY), (place - 1) % length] = 10.0
    lm.config.tie_word_embeddings = False
    lm.lm_head.weight = torch.nn.Parameter(head)
    asked = [(Question(f"random-{i}", "math", ""), (*p, 0)) for i, p in enumerate(prompts(count, 31))]

    def encode(text: str) -> Tokens:
        return tuple(0 if character == "\n" else ord(character) - 0xE000 for character in text)

    limits = Limits(temperature=1.0, step_tokens=length, max_steps=steps, separator="\n")
    return Task(lm, model(size, Qwen2ForTokenClassification, 1), Letters(), encode, limits, asked, rows, False)


def particles(budget: int, seed: int, max_steps: int) -> Searching:
    """its-hub's particle filtering as a strategy: after each step, ``budget`` paths are drawn by softmax(logit reward).

    Source: Puri et al. (arXiv 2502.01618), algorithm 1.
    """
    draw, kept = random.Random(seed), [ROOT] * budget
    for _ in range(max_steps):
        growing = [i for i, p in enumerate(kept) if not p.finished]
        if not growing:
            break
        grown = yield Step(tuple(kept[i] for i in growing), tuple(growing))
        for i, path in zip(growing, (yield Rate(tuple(grown))), strict=True):
            kept[i] = path
        weights = [math.exp(logit(p.reward)) for p in kept]
        kept = draw.choices(kept, weights, k=budget)
    return kept


class Project:
    """This project's scheduler, strategies and engine."""

    def __init__(self, task: Task):
        self._policy = TransformersPolicy(task.policy, task.tokenizer, task.rows)
        self._scorer = TransformersScorer(task.prm)
        self._task = task
        self._sizes = (Size(non_embedding_parameters(task.policy)), Size(non_embedding_parameters(task.prm)))

    def run(self, strategy: str, budget: int, questions: Sequence[tuple[Question, Tokens]], seed: int) -> Cost:
        """All questions at once; the scheduler has the engines forget what they held before."""
        task, depth = self._task, self._task.limits.max_steps
        segment = Steps(task.tokenizer, task.limits.separator).ends
        scheduler = Scheduler(self._policy, self._scorer, segment, task.limits, self._sizes, seed)

        def start() -> Searching:
            if strategy == "particles":
                return particles(budget, seed, depth)
            return STRATEGIES[STRATEGY_OF[strategy]](budget, parameters(SECTIONS), depth)

        clock = Clock(task.passes)
        results = scheduler.run(questions, start)
        seconds = clock.read()
        how = "min" if strategy == "best_of_n" else "last"
        best = [max((aggregate(p.rewards, how) for p in paths if p.rewards), default=0.0) for paths, _ in results]
        ledgers = [ledger for _, ledger in results]
        # The last token of a step is fed when its path goes on, and counts among the prompt's then.
        computed = sum(x.prompt_computed + x.generated - x.policy_calls + x.prm_computed for x in ledgers)
        return Cost(*seconds, [ledger.generated for ledger in ledgers], computed, statistics.mean(best))
