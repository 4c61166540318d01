"""Diverse verifier tree search: a beam split into subtrees that do not compete."""

from typing import ClassVar

from prm_scaling.search.path import ROOT, Path, Rate, Searching, Step, children, distinct
from prm_scaling.search.strategy import Parameters
from prm_scaling.strict import Count


class Dvts(Parameters):
    """DVTS (Beeching et al., 2024: M = 4).

    Attributes:
        continuations: M, the samples among which a subtree keeps the best; there are N/M subtrees.
    """

    divisor: ClassVar[str] = "continuations"
    continuations: Count


def dvts(budget: int, params, max_steps: int, root: Path = ROOT) -> Searching:
    """N/M independent subtrees; each keeps, step by step, the best of its M samples by the new step's reward.

    Source: Beeching et al., "Scaling test-time compute with open models" (Hugging Face, 2024), and its code
    (search-and-learn), where the candidates are all M samples of each subtree's last level; of these the finished
    ones. N = ``budget``. Subtrees may hold the same path; as a candidate it counts once.
    """
    each = params.dvts.continuations
    grown = yield Step((root,) * budget, tuple(range(budget)))
    found: list[Path] = []
    for depth in range(1, max_steps + 1):
        subtrees = [distinct(grown[i : i + each]) for i in range(0, len(grown), each)]
        rated = yield Rate(tuple(p for subtree in subtrees for p in subtree))
        chosen = []
        for subtree in subtrees:
            level, rated = [p for p in rated[: len(subtree)] if p.scored], rated[len(subtree) :]
            best = min(level, key=lambda p: (-p.reward, p.name), default=None)
            if best is None or best.finished or depth == max_steps:
                found += [p for p in level if p.finished]
            else:
                chosen.append(best)
        if not chosen:
            break
        grown = yield children(chosen, [each] * len(chosen))
    return distinct(found)
