"""Chat models as judges: each reads the whole solution in one message and writes a critique (`annotate/formats.py`)."""

from collections.abc import Callable, Mapping, Sequence
from string import Template

from transformers import PreTrainedTokenizerBase

from prm_scaling.annotate.critique import read_critique
from prm_scaling.annotate.formats import message
from prm_scaling.annotate.votes import Vote
from prm_scaling.chains.record import Chain
from prm_scaling.chains.steps import prompt_tokens
from prm_scaling.engines.interface import Extend, Policy, Sampling
from prm_scaling.problems.record import Problem, Question
from prm_scaling.seeds import seed_of

# Critiques a call of the engine: enough to fill its batches, few enough to show progress.
CALL = 1024


def ask(
    chains: Sequence[tuple[Chain, Sequence[str]]],
    problems: Mapping[str, Problem],
    judge: Policy,
    tokenizer: PreTrainedTokenizerBase,
    prompt: Template,
    votes: int,
    sampling: Sampling,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Vote]:
    """So many critiques of each chain that has steps, read.

    Args:
        chains: with the texts of their steps, which the judge reads in its own tokens.
        problems: by id.
        judge: the engine that generates.
        tokenizer: of the judge.
        sampling: of a critique, to the end of the text.
        seed: each critique has a stream of its own, named by chain and vote.
    """
    asked = [(chain, steps, vote) for chain, steps in chains if steps for vote in range(votes)]
    read: list[Vote] = []
    for start in range(0, len(asked), CALL):
        some = asked[start : start + CALL]
        requests = []
        for chain, steps, vote in some:
            text = message(prompt, problems[chain.problem].text, steps)
            tokens = prompt_tokens(Question(chain.problem, chain.domain, text), tokenizer)
            requests.append(Extend(tokens, sampling, seed_of(seed, chain.id, vote), chain.problem))
        for (chain, steps, vote), extension in zip(some, judge.extend(requests), strict=True):
            text = tokenizer.decode(list(extension.tokens))
            said = read_critique(text, len(steps), extension.finish != "length")
            read.append(Vote(chain.id, vote, said.outcome, said.first_error, said.right, said.wrong, text))
        progress(len(read), len(asked))
    return read
