"""What tests of annotation share: chains over code points, and who rolls out from them."""

from collections.abc import Sequence

from prm_scaling.annotate.rollouts import Completer
from prm_scaling.chains.record import Chain
from prm_scaling.engines.interface import Sampling
from prm_scaling.engines.scripted import text_of, tokens_of

SAMPLING = Sampling(temperature=1.0, top_p=1.0, max_tokens=50)


def ends_of(text: str) -> tuple[int, ...]:
    """Each step ends with a line break but the last."""
    return tuple(i + 1 for i, c in enumerate(text) if c == "\n") + (
        (len(text),) if text and not text.endswith("\n") else ()
    )


def chain_of(steps: Sequence[str], name: str = "q/0", prompt: str = "Q ", finished: bool = True) -> Chain:
    """A chain over code points."""
    text = "\n".join(steps)
    problem = name.split("/")[0]
    return Chain(name, problem, "math", tokens_of(prompt), tokens_of(text), ends_of(text), text, finished)


def grade_right(answers) -> list[bool]:
    """Right is what ends with an exclamation mark and was finished."""
    return [finished and text_of(tokens).endswith("!") for _, tokens, finished in answers]


def completer_of(policy, rollouts: int = 8, threshold: float = 0.0, seed: int = 0, grade=grade_right) -> Completer:
    """Rolls out with ``policy``."""
    return Completer(policy, grade, rollouts, threshold, SAMPLING, seed)


def ids(tokenizer, text: str) -> tuple[int, ...]:
    """The tokens of a text."""
    return tuple(tokenizer(text, add_special_tokens=False).input_ids)
