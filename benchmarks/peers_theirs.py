"""The peers' side of ``peers.py``: its-hub and treequest, and the models that they are given."""

import asyncio
import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from its_hub.api import AbstractLanguageModel, AbstractOutcomeRewardModel, AbstractProcessRewardModel
from its_hub.core.algorithms.beam_search import BeamSearch
from its_hub.core.algorithms.bon import BestOfN
from its_hub.core.algorithms.particle_gibbs import ParticleFiltering
from its_hub.core.lms.step_generation import StepGeneration
from its_hub.core.orchestrator import LMOrchestrator
from peers_own import BRANCHING, Clock, Cost, Task, Tokens
from transformers import GenerationConfig, StoppingCriteria
from treequest import StandardMCTS


class EndOfStep(StoppingCriteria):
    """Ends the rows whose newest token holds the separator."""

    def __init__(self, completes: torch.Tensor):
        self._completes = completes

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: object) -> torch.Tensor:
        """(rows,) which of them end."""
        return self._completes[input_ids[:, -1]]


class Generator:
    """``transformers.generate`` and a plain forward pass of the PRM, on batches of token ids.

    Attributes:
        computed: tokens that both were fed so far, without padding.
    """

    def __init__(self, task: Task):
        self.computed = 0
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
                self.computed += max(0, len(made[i][0]) - 1)
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
        self.computed += sum(map(len, sequences))
        ids = np.full((len(sequences), widest), self._task.tokenizer.pad_token_id)
        mask = np.zeros((len(sequences), widest), dtype=np.int64)
        for i, sequence in enumerate(sequences):
            place = slice(widest - len(sequence), None) if left else slice(len(sequence))
            ids[i, place], mask[i, place] = sequence, 1
        return torch.from_numpy(ids), torch.from_numpy(mask)


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
        self._task, self.generator = task, Generator(task)
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
        for (prompt, _), (tokens, ended) in zip(asked, self.generator.extend(prefixes, to_the_end), strict=True):
            self.generated[self._prompts[prompt][0]] += len(tokens)
            text = self._task.tokenizer.decode(list(tokens))
            texts.append(text + self.end if ended and not to_the_end else text)
        return texts

    def _rate(self, asked: list[tuple[str, str]], every_step: bool) -> list[float]:
        starts = [len(self._prompts[prompt][1]) for prompt, _ in asked]
        sequences = [self._prompts[prompt][1] + self._task.encode(text) for prompt, text in asked]
        return self.generator.rate(sequences, starts, every_step)


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
        self._models.generator.computed = 0
        texts = [self._task.tokenizer.decode(list(prompt)) for _, prompt in questions]
        algorithm = self._algorithms[strategy](budget)
        torch.manual_seed(seed)
        random.seed(seed)

        async def all_at_once() -> list:
            return await asyncio.gather(*(algorithm.ainfer(self._policy, text, budget, False) for text in texts))

        clock = Clock(self._task.passes)
        if together:
            results = asyncio.run(all_at_once())
        else:
            results = [algorithm.infer(self._policy, text, budget, False) for text in texts]
        seconds = clock.read()
        best = [max(self._scores(result)) for result in results]
        tokens = [self._models.generated[q.id] for q, _ in questions]
        return Cost(*seconds, tokens, self._models.generator.computed, statistics.mean(best))

    @staticmethod
    def _scores(result) -> list[float]:
        weights = getattr(result, "log_weights_lst", None)
        return result.scores if weights is None else [1 / (1 + math.exp(-w)) for w in weights]


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
        self._generator.computed = 0
        clock = Clock(self._task.passes)
        for group in [trees] if together else [[tree] for tree in trees]:
            live = group
            while live:
                self._round(live)
                live = [t for t in live if t.generated < t.tokens and t.revisits < revisits]
        seconds = clock.read()
        best = statistics.mean(t.reward() for t in trees)
        return Cost(*seconds, [t.generated for t in trees], self._generator.computed, best)

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
