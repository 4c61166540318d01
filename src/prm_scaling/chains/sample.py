"""Chains sampled from a policy, each a function of (seed, problem, sample)."""

from collections.abc import Callable, Sequence

from transformers import PreTrainedTokenizerBase

from prm_scaling.chains.record import Chain
from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.interface import Extend, Policy, Sampling
from prm_scaling.problems.record import Question
from prm_scaling.search.path import Path
from prm_scaling.seeds import seed_of

# Questions a call of the engine: large enough to fill its batches, small enough to show progress.
SLICE = 256


def sample_chains(
    questions: Sequence[Question],
    policy: Policy,
    tokenizer: PreTrainedTokenizerBase,
    samples: int,
    sampling: Sampling,
    steps: Steps,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Chain]:
    """``samples`` chains a question, in order, each cut into ``steps``."""
    chains: list[Chain] = []
    for start in range(0, len(questions), SLICE):
        asked = [(q, prompt_tokens(q, tokenizer), i) for q in questions[start : start + SLICE] for i in range(samples)]
        requests = [Extend(prompt, sampling, seed_of(seed, "chain", q.id, i), q.id) for q, prompt, i in asked]
        for (question, prompt, i), extension in zip(asked, policy.extend(requests), strict=True):
            ends, finished = steps.ends(extension.tokens), extension.finish == "end"
            chains.append(as_chain(question, prompt, i, extension.tokens, ends, finished, tokenizer))
        progress(min(start + SLICE, len(questions)), len(questions))
    return chains


def of_path(question: Question, prompt: tuple[int, ...], path: Path, tokenizer: PreTrainedTokenizerBase) -> Chain:
    """The chain that a finished search path is; its sample number is the path's place among the root's children."""
    return as_chain(question, prompt, path.name[-1], path.tokens, path.ends, path.whole, tokenizer)


def as_chain(
    question: Question,
    prompt: tuple[int, ...],
    sample: int,
    tokens: tuple[int, ...],
    ends: tuple[int, ...],
    finished: bool,
    tokenizer: PreTrainedTokenizerBase,
) -> Chain:
    """A chain record; its text is that of its tokens."""
    text = tokenizer.decode(list(tokens))
    return Chain(f"{question.id}/{sample}", question.id, question.domain, prompt, tokens, ends, text, finished)
