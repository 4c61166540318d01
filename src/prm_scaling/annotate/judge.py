"""LM as a judge: it reads a problem and its steps and generates a verdict after each, its critique.

It reads a chain's own tokens, as everything here does. A verdict stands between a step and its separator, as in
pre-training; where one token holds the end of a step and its separator too, the step is read with that token.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from prm_scaling.annotate.critique import Outcome
from prm_scaling.annotate.record import Annotation, labels_until
from prm_scaling.annotate.votes import Vote
from prm_scaling.chains.record import Chain
from prm_scaling.chains.steps import Steps
from prm_scaling.engines.interface import Extend, Policy, Sampling
from prm_scaling.problems.world.solutions import CHECK, RIGHT, WRONG
from prm_scaling.seeds import seed_of


@dataclass
class Critique:
    """A critique under way: the tokens read and generated so far, and the verdicts."""

    chain: Chain
    steps: list[str]
    tokens: tuple[int, ...]
    verdicts: list[str]
    vote: int = 0

    @property
    def text(self) -> str:
        """The critique as it was generated, a line a step."""
        return "\n".join(step + verdict for step, verdict in zip(self.steps, self.verdicts, strict=False))

    @property
    def first_error(self) -> int | None:
        """The first of the steps found wrong at its end, -1 if all ends well, ``None`` for no verdict."""
        if not self.verdicts or any(v not in (RIGHT, WRONG) for v in self.verdicts):
            return None
        first = len(self.verdicts)
        while first > 0 and self.verdicts[first - 1] == WRONG:
            first -= 1
        if first < len(self.verdicts):
            return first
        return -1 if first == len(self.steps) else None


def annotate(
    chains: Sequence[Chain],
    name: str,
    judge: Policy,
    tokenizer: PreTrainedTokenizerBase,
    steps: Steps,
    takes_back: Callable[[Chain, str], bool],
    separator: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Annotation]:
    """One greedy critique a chain; ``name`` of the judge is kept with each. For the rest see :func:`critiques`."""
    made = critiques(chains, judge, tokenizer, steps, takes_back, separator, progress=progress)
    return [_annotation(critique, name) for critique in made]


def votes(made: Sequence[Critique]) -> list[Vote]:
    """The critiques of chains that have steps as votes."""
    return [_vote(critique) for critique in made if critique.steps]


def critiques(
    chains: Sequence[Chain],
    judge: Policy,
    tokenizer: PreTrainedTokenizerBase,
    steps: Steps,
    takes_back: Callable[[Chain, str], bool],
    separator: str,
    number: int = 1,
    temperature: float = 0.0,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Critique]:
    """So many critiques of each chain, one after the other; a round judges the next step of all at once.

    The critique ends at the first step found wrong that the next step does not take back (Zhang et al.,
    appendix C, stop at the first error), and at anything that is not a verdict.

    Args:
        judge: the engine that generates.
        tokenizer: of the judge and of the chains.
        steps: tells the chains' steps.
        takes_back: whether a step of a chain's domain is marked as a correction of the one before it.
        separator: between judged steps.
        number: critiques of a chain.
        temperature: 0 is greedy.
        seed: each verdict has a stream of its own, named by chain, critique and step.
    """
    asking, between = map(tuple, tokenizer([CHECK, separator], add_special_tokens=False).input_ids)
    texts = [steps.of_chain(chain) for chain in chains]
    made = [
        Critique(chain, text, chain.prompt + asking, [], i)
        for chain, text in zip(chains, texts, strict=True)
        for i in range(number)
    ]
    live = [c for c in made if c.steps]
    sampling = Sampling(temperature, 1.0, max_tokens=4, stop=(RIGHT, WRONG))
    while live:
        for critique in live:
            start, end = critique.chain.spans[len(critique.verdicts)]
            critique.tokens += between if critique.verdicts else ()
            critique.tokens += without_separator(critique.chain.tokens[start:end], separator, tokenizer)
        extensions = judge.extend(
            [
                Extend(c.tokens, sampling, seed_of(seed, c.chain.id, c.vote, len(c.verdicts)), c.chain.problem)
                for c in live
            ]
        )
        for critique, extension in zip(live, extensions, strict=True):
            critique.tokens += extension.tokens
            critique.verdicts.append(tokenizer.decode(list(extension.tokens)))
        live = [c for c in live if _goes_on(c, takes_back)]
        progress(len(made) - len(live), len(made))
    return made


def without_separator(step: tuple[int, ...], separator: str, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """A step's tokens without the last ones if these are its separator and nothing else."""
    # A token is a byte at least, so no separator has more tokens than bytes.
    for size in range(1, min(len(step), len(separator.encode())) + 1):
        if tokenizer.decode(list(step[-size:])) == separator:
            return step[:-size]
    return step


def _goes_on(critique: Critique, takes_back: Callable[[Chain, str], bool]) -> bool:
    judged, verdict = len(critique.verdicts), critique.verdicts[-1]
    if judged == len(critique.steps) or verdict not in (RIGHT, WRONG):
        return False
    return verdict == RIGHT or takes_back(critique.chain, critique.steps[judged])


def _annotation(critique: Critique, name: str) -> Annotation:
    first_error = critique.first_error
    labels = () if first_error is None else labels_until(first_error, len(critique.steps))
    return Annotation(critique.chain.id, name, first_error, labels, text=critique.text)


def _vote(critique: Critique) -> Vote:
    """Anything but a verdict is garbage here, where a model has only two words to choose from."""
    outcome: Outcome = "garbage" if critique.first_error is None else "verdict"
    right, wrong = (tuple(i for i, v in enumerate(critique.verdicts) if v == word) for word in (RIGHT, WRONG))
    return Vote(critique.chain.id, critique.vote, outcome, critique.first_error, right, wrong, critique.text)
