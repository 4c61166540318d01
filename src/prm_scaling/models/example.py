"""What a model is trained on: tokens, and what is to be learnt at each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """Token ids and a target a token; ``nan`` where there is none."""

    tokens: tuple[int, ...]
    targets: tuple[float, ...]
