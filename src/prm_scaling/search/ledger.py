"""What a search costs and what went wrong in it, counted in one place for every strategy alike."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

# The counts of a ledger that say what went wrong, or was out of the ordinary.
FAULTS = ("refused", "cut", "unfinished", "stepless", "empty_steps", "garbled", "unscored", "translated", "halvings")


@dataclass(frozen=True)
class Size:
    """A model as far as FLOPs are concerned.

    Attributes:
        parameters: N, without the embeddings.
        layers: number of layers.
        width: of attention, all heads together.
    """

    parameters: int
    layers: int = 0
    width: int = 0

    def flops(self, start: int, end: int) -> int:
        """FLOPs of computing the tokens at positions ``start`` to ``end`` (exclusive) of a sequence.

        2 N a token, and for attention 4 layers width context a token, the context being the tokens up to and with
        itself (Kaplan et al. 2020, table 1, which counts the scores alone; here the weighted sum of values too).
        """
        contexts = (end - start) * (start + end + 1) // 2
        return 2 * self.parameters * (end - start) + 4 * self.layers * self.width * contexts


@dataclass
class Ledger:
    """The cost of one question's search, and its faults.

    Attributes:
        generated: tokens that the policy sampled.
        prompt_computed: prefix tokens that the policy computed, the last sampled token of a step among them: it is
            computed when the path is continued.
        prompt_reused: prefix tokens whose keys and values were already there.
        prm_computed: tokens that the PRM computed.
        prm_reused: tokens that the PRM did not have to compute again.
        policy_calls: requests to the policy.
        prm_calls: requests to the PRM.
        policy_flops: of every token that the policy computed, see :meth:`Size.flops`.
        prm_flops: the same for the PRM, kept apart (Wu et al. count the policy alone).
        generate_seconds: this question's share, by tokens, of the policy's time.
        score_seconds: this question's share, by tokens, of the PRM's time.
        verify_seconds: its share, by paths, of the time that telling answers apart took.
        scheduler_seconds: its share, in equal parts, of the time of strategies and scheduler themselves.
        refused: 1 for a question that was not searched: its prompt fills the policy's context.
        cut: paths that ran into a limit of tokens, or into the policy's context.
        unfinished: candidates that the policy did not end.
        stepless: paths that the policy ended before any step.
        empty_steps: steps without text, a separator alone; they count as steps.
        garbled: steps whose text is not valid UTF-8.
        unscored: paths to which the PRM gave no number; they are never chosen.
        translated: paths that were rated in tokens of the PRM's own, as its tokenizer is another than the policy's.
        halvings: how often an engine halved its batch, for want of memory, while the question was searched.
    """

    generated: int = 0
    prompt_computed: int = 0
    prompt_reused: int = 0
    prm_computed: int = 0
    prm_reused: int = 0
    policy_calls: int = 0
    prm_calls: int = 0
    policy_flops: float = 0.0
    prm_flops: float = 0.0
    generate_seconds: float = 0.0
    score_seconds: float = 0.0
    verify_seconds: float = 0.0
    scheduler_seconds: float = 0.0
    refused: int = 0
    cut: int = 0
    unfinished: int = 0
    stepless: int = 0
    empty_steps: int = 0
    garbled: int = 0
    unscored: int = 0
    translated: int = 0
    halvings: int = 0

    def values(self) -> dict[str, float]:
        """The counts by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def shares(total: float, weights: Sequence[float]) -> list[float]:
    """``total`` in parts as ``weights`` are; in equal parts where all of them are 0.

    >>> shares(6.0, [1, 2]), shares(6.0, [0, 0])
    ([2.0, 4.0], [3.0, 3.0])
    """
    whole = sum(weights)
    return [total * w / whole if whole else total / len(weights) for w in weights]
