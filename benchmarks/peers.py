"""Search against its-hub (best-of-N, beam search, particle filtering) and treequest (MCTS), in one environment.

    python3 -m venv ~/.cache/prm-scaling/peers
    ~/.cache/prm-scaling/peers/bin/pip install -r benchmarks/peers-requirements.txt
    PYTHONPATH=src ~/.cache/prm-scaling/peers/bin/python benchmarks/peers.py              # after `dvc pull`
    PYTHONPATH=src ~/.cache/prm-scaling/peers/bin/python benchmarks/peers.py --size 100m  # random weights

Each takes some eight minutes on one core. As for `./run`, PIP_EXTRA_INDEX_URL may name an index with PyTorch's smaller
build; no server and nothing of CUDA is needed.

Both sides have the same policy and PRM objects, fp32, one thread, temperature 1, the same problems, and the same ends:
a step ends with its separator, a solution with the end-of-text token, a step that is too long or the greatest depth.
They take turns, after a problem that does not count; a ratio compares two neighbours in time.

The budget is the same in tokens: best-of-N has N solutions on both sides, beam search and particle filtering N paths
a level, and treequest goes on for each problem until it has generated what this project's MCTS generated for it. What
differs all the same (lengths are sampled; its-hub's first level has N/M paths instead of N) is counted and divided
out: `times faster` is the ratio of seconds a generated token; all else is seconds of wall time.

The peers bring no model of their own that runs without a server, so theirs is `transformers.generate` here, in the
best shape that their interfaces allow:

- Whatever waits at the same time is one batch: the samples, beams or particles of a problem, the children of a node
  (treequest's `ask_batch`), and the PRM's texts. Prefixes are sorted by length, so that there is little padding.
- `one by one`: a problem after the other, as both packages are documented. `together`: all problems at once, through
  its-hub's `ainfer` in one event loop whose requests are merged, and treequest's ask and tell in lockstep. No user gets
  that from the packages: the merging is written here.
- What no interface of theirs carries is left out: keys and values from one step to the next. its-hub hands over text,
  so it is tokenized again; treequest's states are token ids. (A server that keeps prefixes would save its-hub a part of
  that; none is measured here.)
- `reward` is the mean PRM score of the best answers, 0 where a search has found none: whether both sides have searched
  equally well. treequest does not know that two nodes hold the same text, so at the same budget it gets less deep.

`one by one` takes so long that it has only the first `--alone` problems: it is linear in their number by construction,
and the ratio is of seconds a token. A claim of 5 times holds if it holds against the faster of a peer's two shapes.

How time grows with the number of problems and with the budget is measured once each, on the peers only up to `--paths`
and, one by one, `--alone`. 100 million parameters are slow on one core, so there are few problems there by default.
Records: `peers.json` and `peers-growth.json`, with random weights `peers-100m.json`.
"""

import argparse
import asyncio
import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from common import VOCABULARY, Letters, model, prompts, record
from its_hub.api import AbstractLanguageModel, AbstractOutcomeRewardModel, AbstractProcessRewardModel
from its_hub.core.algorithms.beam_search import BeamSearch
from its_hub.core.algorithms.bon import BestOfN
from its_hub.core.algorithms.particle_gibbs import ParticleFiltering
from its_hub.core.lms.step_generation import StepGeneration
from its_hub.core.orchestrator import LMOrchestrator
from transformers import GenerationConfig, PreTrainedModel, Qwen2ForTokenClassification, StoppingCriteria
from treequest import StandardMCTS

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
PEER_OF = {"best_of_n": "its-hub", "beam": "its-hub", "particles": "its-hub", "mcts": "treequest"}
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
# So that a run takes less than ten minutes on one core.
DEFAULTS = {
    "trained": {"budget": 16, "problems": 64, "alone": 8, "repeats": 3, "growth": ["beam", "mcts"]},
    "100m": {"budget": 4, "problems": 4, "alone": 2, "repeats": 3, "growth": []},
}


@dataclass(frozen=True)
class Task:
    """What both sides are given.

    Attributes:
        tokenizer: of policy and PRM.
        encode: from text to ids.
        questions: each with its prompt's ids.
        rows: sequences that are decoded together.
        ends: whether solutions end by themselves; where none does, no answer is chosen and no reward reported.
    """

    policy: PreTrainedModel
    prm: PreTrainedModel
    tokenizer: object
    encode: Callable[[str], Tokens]
    limits: Limits
    questions: list[tuple[Question, Tokens]]
    rows: int
    ends: bool


@dataclass
class Cost:
    """One run: seconds of wall time, tokens generated for each problem, and the mean score of what was chosen."""

    seconds: float
    tokens: list[int]
    reward: float


# --- the models ---------------------------------------------------------------------------------------------------


def trained(policy: str, prm: str, problems: str, rows: int) -> Task:
    """The default scale's models on its test problems, in random order."""
    lm, tokenizer = load_language_model(policy, "float32", "cpu")
    files = sorted(Path(problems).glob("*.parquet"))
    if not files:
        raise SystemExit(f"{problems}: no problems there; `dvc pull` brings those of the committed run")
    tests = [p.question for path in files for p in read_records(path, Problem) if p.split == "test"]
    # its-hub knows a problem by its text alone.
    found = list({q.text: q for q in tests}.values())
    random.Random(0).shuffle(found)

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


# --- this project -------------------------------------------------------------------------------------------------


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

        began = time.perf_counter()
        results = scheduler.run(questions, start)
        seconds = time.perf_counter() - began
        how = "min" if strategy == "best_of_n" else "last"
        best = [max((aggregate(p.rewards, how) for p in paths if p.rewards), default=0.0) for paths, _ in results]
        return Cost(seconds, [ledger.generated for _, ledger in results], statistics.mean(best))


# --- the peers' models --------------------------------------------------------------------------------------------


class EndOfStep(StoppingCriteria):
    """Ends the rows whose newest token holds the separator."""

    def __init__(self, completes: torch.Tensor):
        self._completes = completes

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: object) -> torch.Tensor:
        """(rows,) which of them end."""
        return self._completes[input_ids[:, -1]]


class Generator:
    """``transformers.generate`` and a plain forward pass of the PRM, on batches of token ids."""

    def __init__(self, task: Task):
        self._task, self._end = task, task.tokenizer.eos_token_id
        texts = (task.tokenizer.decode([i]) for i in range(len(task.tokenizer)))
        self._completes = torch.tensor([task.limits.separator in text for text in texts])

    def extend(self, prefixes: Sequence[Tokens], to_the_end: bool) -> list[tuple[Tokens, bool]]:
        """New tokens of each prefix, and whether its path goes no further."""
        limits = self._task.limits
        most = limits.step_tokens * (limits.max_steps if to_the_end else 1)
        settings = GenerationConfig(
            do_sample=True,
            temperature=limits.temperature,
            top_k=0,
            top_p=1.0,
            max_new_tokens=most,
            eos_token_id=self._end,
            pad_token_id=self._task.tokenizer.pad_token_id,
        )
        stops = [] if to_the_end else [EndOfStep(self._completes)]
        made: dict[int, tuple[Tokens, bool]] = {}
        for chunk in self._chunks(prefixes):
            ids, mask = self._padded([prefixes[i] for i in chunk], left=True)
            with torch.inference_mode():
                out = self._task.policy.generate(
                    ids, attention_mask=mask, generation_config=settings, stopping_criteria=stops
                )
            for i, row in zip(chunk, out[:, ids.shape[1] :].tolist(), strict=True):
                made[i] = self._cut(row, to_the_end)
        return [made[i] for i in range(len(prefixes))]

    def _cut(self, row: list[int], to_the_end: bool) -> tuple[Tokens, bool]:
        """A row without what follows its end."""
        for place, token in enumerate(row):
            if token == self._end:
                return tuple(row[:place]), True
            if not to_the_end and bool(self._completes[token]):
                return tuple(row[: place + 1]), False
        return tuple(row), True

    def rate(self, sequences: Sequence[Tokens], starts: Sequence[int], every_step: bool) -> list[float]:
        """The probability after the last token of each, or the least after its steps, which begin at ``starts``."""
        rated: dict[int, float] = {}
        for chunk in self._chunks(sequences):
            ids, mask = self._padded([sequences[i] for i in chunk], left=False)
            with torch.inference_mode():
                probabilities = self._task.prm(input_ids=ids, attention_mask=mask).logits[..., 0].sigmoid()
            for i, row in zip(chunk, probabilities.numpy(), strict=True):
                last = len(sequences[i]) - 1
                places = [last]
                if every_step:
                    ends = self._completes[list(sequences[i][starts[i] : last])].numpy()
                    places += (np.flatnonzero(ends) + starts[i]).tolist()
                rated[i] = float(row[places].min())
        return [rated[i] for i in range(len(sequences))]

    def _chunks(self, sequences: Sequence[Tokens]) -> list[list[int]]:
        order = sorted(range(len(sequences)), key=lambda i: len(sequences[i]))
        return [order[i : i + self._task.rows] for i in range(0, len(order), self._task.rows)]

    def _padded(self, sequences: Sequence[Tokens], left: bool) -> tuple[torch.Tensor, torch.Tensor]:
        widest = max(map(len, sequences))
        ids = np.full((len(sequences), widest), self._task.tokenizer.pad_token_id)
        mask = np.zeros((len(sequences), widest), dtype=np.int64)
        for i, sequence in enumerate(sequences):
            place = slice(widest - len(sequence), None) if left else slice(len(sequence))
            ids[i, place], mask[i, place] = sequence, 1
        return torch.from_numpy(ids), torch.from_numpy(mask)


# --- its-hub ------------------------------------------------------------------------------------------------------


class Merged:
    """Answers all that coroutines of one event loop wait for at the same time with one call."""

    # Turns of the event loop in which nobody new came: then everybody waits.
    QUIET = 4

    def __init__(self, answer: Callable[[list], list]):
        self._answer = answer
        self._waiting: list[tuple[list, asyncio.Future]] = []

    async def ask(self, items: list) -> list:
        """The answers to ``items``, in order."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((items, future))
        if len(self._waiting) == 1:
            await self._everybody()
            waiting, self._waiting = self._waiting, []
            answers = iter(self._answer([item for asked, _ in waiting for item in asked]))
            for asked, other in waiting:
                other.set_result([next(answers) for _ in asked])
        return await future

    async def _everybody(self) -> None:
        seen, quiet = 0, 0
        while quiet < self.QUIET:
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._waiting) == seen else 0
            seen = len(self._waiting)


class HubModels:
    """What its-hub's three model interfaces are implemented with; its problems are the texts of prompts."""

    def __init__(self, task: Task):
        self._task, self._generator = task, Generator(task)
        self.end = getattr(task.tokenizer, "eos_token", None) or "\x00"
        self._prompts = {task.tokenizer.decode(list(prompt)): (q.id, prompt) for q, prompt in task.questions}
        self.generated: dict[str, int] = {}
        self.step = Merged(lambda asked: self._write(asked, to_the_end=False))
        self.solution = Merged(lambda asked: self._write(asked, to_the_end=True))
        self.last = Merged(lambda asked: self._rate(asked, every_step=False))
        self.least = Merged(lambda asked: self._rate(asked, every_step=True))

    def _write(self, asked: list[tuple[str, str]], to_the_end: bool) -> list[str]:
        prefixes = [self._prompts[prompt][1] + self._task.encode(text) for prompt, text in asked]
        texts = []
        for (prompt, _), (tokens, ended) in zip(asked, self._generator.extend(prefixes, to_the_end), strict=True):
            self.generated[self._prompts[prompt][0]] += len(tokens)
            text = self._task.tokenizer.decode(list(tokens))
            texts.append(text + self.end if ended and not to_the_end else text)
        return texts

    def _rate(self, asked: list[tuple[str, str]], every_step: bool) -> list[float]:
        starts = [len(self._prompts[prompt][1]) for prompt, _ in asked]
        sequences = [self._prompts[prompt][1] + self._task.encode(text) for prompt, text in asked]
        return self._generator.rate(sequences, starts, every_step)


def dialogue(messages: Sequence) -> tuple[str, str]:
    """The prompt and what is written so far."""
    return messages[0].content, messages[1].content if len(messages) > 1 else ""


class HubPolicy(AbstractLanguageModel):
    """its-hub's language model: steps for lists of dialogues, whole solutions for single ones."""

    def __init__(self, models: HubModels):
        self._models = models

    async def agenerate(self, messages, stop=None, **kwargs):
        """The next step of each dialogue."""
        texts = await self._models.step.ask([dialogue(one) for one in messages])
        return [{"role": "assistant", "content": text} for text in texts]

    async def agenerate_single(self, messages, stop=None, **kwargs):
        """A whole solution."""
        (text,) = await self._models.solution.ask([dialogue(messages)])
        return {"role": "assistant", "content": text}


class HubPrm(AbstractProcessRewardModel):
    """its-hub's PRM: the reward of the newest step."""

    def __init__(self, models: HubModels):
        self._models = models

    def score(self, prompt_or_messages, steps):
        """The same, for those who do not wait."""
        return asyncio.run(self.ascore(prompt_or_messages, steps))

    async def ascore(self, prompt_or_messages, steps):
        """One probability a text."""
        return await self._models.last.ask([(prompt_or_messages, text) for text in steps])


class HubOutcome(AbstractOutcomeRewardModel):
    """its-hub's outcome reward model: the least reward of a solution's steps."""

    def __init__(self, models: HubModels):
        self._models = models

    def score(self, messages, **kwargs):
        """The same, for those who do not wait."""
        return asyncio.run(self.ascore(messages))

    async def ascore(self, messages, orchestrator=None, **kwargs):
        """One score a dialogue."""
        return await self._models.least.ask([dialogue(one) for one in messages])


class Hub:
    """its-hub: one problem after the other (``infer``), or all in one event loop (``ainfer``)."""

    def __init__(self, task: Task):
        self._task, self._models = task, HubModels(task)
        self._policy, prm = HubPolicy(self._models), HubPrm(self._models)
        # It looks at the depth before it adds a step.
        steps = StepGeneration(
            task.limits.max_steps - 1,
            step_token=task.limits.separator,
            stop_token=self._models.end,
            temperature=task.limits.temperature,
            include_stop_str_in_output=True,
        )
        self._algorithms = {
            "best_of_n": lambda budget: BestOfN(HubOutcome(self._models), LMOrchestrator(max_concurrency=-1)),
            "beam": lambda budget: BeamSearch(steps, prm, budget // BRANCHING),
            "particles": lambda budget: ParticleFiltering(steps, prm),
        }

    def run(self, strategy: str, budget: int, questions, together: bool, seed: int) -> Cost:
        """One search a question."""
        self._models.generated = {q.id: 0 for q, _ in questions}
        texts = [self._task.tokenizer.decode(list(prompt)) for _, prompt in questions]
        algorithm = self._algorithms[strategy](budget)
        torch.manual_seed(seed)
        random.seed(seed)

        async def all_at_once() -> list:
            return await asyncio.gather(*(algorithm.ainfer(self._policy, text, budget, False) for text in texts))

        began = time.perf_counter()
        if together:
            results = asyncio.run(all_at_once())
        else:
            results = [algorithm.infer(self._policy, text, budget, False) for text in texts]
        seconds = time.perf_counter() - began
        best = [max(self._scores(result)) for result in results]
        return Cost(seconds, [self._models.generated[q.id] for q, _ in questions], statistics.mean(best))

    @staticmethod
    def _scores(result) -> list[float]:
        weights = getattr(result, "log_weights_lst", None)
        return result.scores if weights is None else [1 / (1 + math.exp(-w)) for w in weights]


# --- treequest ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class State:
    """A node's path; treequest keeps it and hands it back."""

    tokens: Tokens = ()
    depth: int = 0
    finished: bool = False
    reward: float = 0.0


@dataclass
class Tree:
    """One question's search under way: what it may generate, and what it has."""

    prompt: Tokens
    algorithm: StandardMCTS
    tokens: int
    state: object = field(init=False)
    generated: int = 0
    revisits: int = 0

    def __post_init__(self) -> None:
        self.state = self.algorithm.init_tree()

    def reward(self) -> float:
        """That of the best leaf."""
        found = [s for s, _ in self.algorithm.get_state_score_pairs(self.state)]
        return max((s.reward for s in found if s.finished), default=0.0)


class Quest:
    """treequest's standard MCTS, in its ask-and-tell form."""

    def __init__(self, task: Task):
        self._task, self._generator = task, Generator(task)

    def run(self, tokens: Sequence[int], revisits: int, questions, together: bool, seed: int) -> Cost:
        """One tree a question, each until it has generated ``tokens`` or has been at finished leaves for too long."""
        algorithm = StandardMCTS(samples_per_action=BRANCHING, exploration_weight=1.0)
        trees = [Tree(prompt, algorithm, most) for (_, prompt), most in zip(questions, tokens, strict=True)]
        torch.manual_seed(seed)
        began = time.perf_counter()
        for group in [trees] if together else [[tree] for tree in trees]:
            live = group
            while live:
                self._round(live)
                live = [t for t in live if t.generated < t.tokens and t.revisits < revisits]
        seconds = time.perf_counter() - began
        return Cost(seconds, [t.generated for t in trees], statistics.mean(t.reward() for t in trees))

    def _round(self, trees: Sequence[Tree]) -> None:
        """Every tree expands one node."""
        asked = []
        for tree in trees:
            tree.state, trials = tree.algorithm.ask_batch(tree.state, BRANCHING, ["step"])
            for trial in trials:
                above = trial.parent_state or State()
                if above.finished:
                    # It knows no end: a finished leaf's children are the leaf itself.
                    tree.revisits += 1
                    tree.state = tree.algorithm.tell(tree.state, trial.trial_id, (above, above.reward))
                else:
                    asked.append((tree, trial, above))
        if not asked:
            return
        grown = self._generator.extend([t.prompt + above.tokens for t, _, above in asked], to_the_end=False)
        states = [
            State(above.tokens + new, above.depth + 1, ended or above.depth + 1 >= self._task.limits.max_steps)
            for (_, _, above), (new, ended) in zip(asked, grown, strict=True)
        ]
        sequences = [t.prompt + state.tokens for (t, _, _), state in zip(asked, states, strict=True)]
        rewards = self._generator.rate(sequences, [len(t.prompt) for t, _, _ in asked], every_step=False)
        for (tree, trial, above), state, reward in zip(asked, states, rewards, strict=True):
            tree.generated += len(state.tokens) - len(above.tokens)
            tree.state = tree.algorithm.tell(tree.state, trial.trial_id, (replace(state, reward=reward), reward))


# --- measuring ----------------------------------------------------------------------------------------------------


class Contest:
    """Both sides on one task.

    Attributes:
        ends: see :class:`Task`.
    """

    def __init__(self, task: Task):
        self._task, self.ends = task, task.ends
        self._project, self._hub, self._quest = Project(task), Hub(task), Quest(task)

    def project(self, strategy: str, budget: int, count: int, seed: int) -> Cost:
        """This project on the first ``count`` questions."""
        return self._project.run(strategy, budget, self._task.questions[:count], seed)

    def peer(self, strategy: str, budget: int, own: Cost, together: bool, seed: int) -> Cost:
        """The peer on the questions that ``own`` is of, or on the first of them."""
        questions = self._task.questions[: len(own.tokens)]
        if PEER_OF[strategy] == "its-hub":
            return self._hub.run(strategy, budget, questions, together, seed)
        return self._quest.run(own.tokens, budget * self._task.limits.max_steps, questions, together, seed)

    def warm_up(self, strategy: str, budget: int) -> None:
        """What is done once is done here."""
        own = self.project(strategy, budget, 1, 0)
        for together in (False, True):
            self.peer(strategy, budget, own, together, 0)


def times_faster(own: Cost, peer: Cost) -> float:
    """The ratio of seconds a generated token."""
    return (peer.seconds / sum(peer.tokens)) / (own.seconds / sum(own.tokens))


def compared(contest: Contest, strategy: str, budget: int, count: int, alone: int, repeats: int) -> list[dict]:
    """A row for each of the peer's shapes; ``one by one`` has the first ``alone`` problems only."""
    turns = []
    for seed in range(repeats):
        own = contest.project(strategy, budget, count, seed)
        few = Cost(own.seconds, own.tokens[:alone], own.reward)
        theirs = {"one by one": contest.peer(strategy, budget, few, False, seed)}
        theirs["together"] = contest.peer(strategy, budget, own, True, seed)
        turns.append((own, theirs))
    rows = []
    for shape in ("one by one", "together"):
        pairs = [(own, theirs[shape]) for own, theirs in turns]
        problems = len(pairs[0][1].tokens)
        faster = [times_faster(a, b) for a, b in pairs]
        row = {
            "strategy": strategy,
            "peer": f"{PEER_OF[strategy]}, {shape}",
            "budget": budget,
            "problems": f"{count}, peer {problems}" if problems < count else str(count),
            "s": statistics.median(a.seconds for a, _ in pairs),
            "peer s": statistics.median(b.seconds for _, b in pairs),
            "tokens a problem": statistics.median(statistics.mean(a.tokens) for a, _ in pairs),
            "peer tokens": statistics.median(statistics.mean(b.tokens) for _, b in pairs),
        }
        if contest.ends:
            row["reward"] = statistics.median(a.reward for a, _ in pairs)
            row["peer reward"] = statistics.median(b.reward for _, b in pairs)
        row |= {"times faster": statistics.median(faster), "least": min(faster), "most": max(faster)}
        rows.append(row)
    return rows


def grown(contest: Contest, strategy: str, budget: int, count: int, alone: int, paths: int) -> dict:
    """How long each contender takes for so many problems of such a budget; the peers up to their bounds."""
    own = contest.project(strategy, budget, count, 0)
    row = {"strategy": strategy, "budget": budget, "problems": count, "tokens": sum(own.tokens), "s": own.seconds}
    within = {"one by one": count <= alone and count * budget <= paths, "together": count * budget <= paths}
    for shape, measured in within.items():
        theirs = contest.peer(strategy, budget, own, shape == "together", 0) if measured else None
        row[f"peer {shape} s"] = theirs.seconds if theirs else None
        row[f"times faster, {shape}"] = times_faster(own, theirs) if theirs else None
    return row


def main() -> None:
    """Measures and records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(DEFAULTS), default="trained")
    parser.add_argument("--policy", default="results/models/policy")
    parser.add_argument("--prm", default="results/train/aslaf-124k-s0")
    parser.add_argument("--problem-sets", default="results/problems", help="folder; those of split `test` are taken")
    parser.add_argument("--rows", type=int, default=512, help="sequences decoded together, on both sides")
    parser.add_argument("--strategies", nargs="+", choices=list(PEER_OF), default=list(PEER_OF))
    parser.add_argument("--budget", type=int, help=f"solutions, or paths a level; a multiple of {BRANCHING}")
    parser.add_argument("--problems", type=int)
    parser.add_argument("--alone", type=int, help="problems at most of the peers' one-by-one shape")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--growth", nargs="*", choices=list(PEER_OF), help="strategies")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 8, 64, 512], help="of problems, for the growth")
    parser.add_argument("--budgets", type=int, nargs="+", default=[4, 16, 64], help="for the growth")
    parser.add_argument("--paths", type=int, default=1024, help="problems times budget at most of the peers' growth")
    parser.set_defaults(**DEFAULTS[parser.parse_known_args()[0].size])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    most = max([arguments.problems, *(arguments.counts if arguments.growth else [])])
    for budget in {arguments.budget, *arguments.budgets}:
        if budget < 1 or budget % BRANCHING:
            parser.error(f"a budget of {budget}: its-hub's beam search needs a multiple of {BRANCHING}")
    if arguments.size == "trained":
        task = trained(arguments.policy, arguments.prm, arguments.problem_sets, arguments.rows)
    else:
        task = forced(arguments.size, arguments.rows, most)
    if len(task.questions) < most:
        parser.error(f"{most} problems are asked for, {arguments.problem_sets} has {len(task.questions)} to test on")
    contest = Contest(task)
    given = {**vars(arguments), "versions": {p: version(p) for p in ("its-hub", "treequest")}}
    rows = []
    for strategy in arguments.strategies:
        contest.warm_up(strategy, arguments.budget)
        rows += compared(contest, strategy, arguments.budget, arguments.problems, arguments.alone, arguments.repeats)
    suffix = "" if arguments.size == "trained" else f"-{arguments.size}"
    record(f"peers{suffix}", given, rows)
    points = [(arguments.budget, n) for n in arguments.counts] + [(b, arguments.problems) for b in arguments.budgets]
    grows = [
        grown(contest, strategy, budget, count, arguments.alone, arguments.paths)
        for strategy in arguments.growth
        for budget, count in dict.fromkeys(points)
    ]
    if grows:
        record(f"peers-growth{suffix}", given, grows)


if __name__ == "__main__":
    main()
