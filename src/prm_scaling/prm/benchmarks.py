"""The scores of two public benchmarks of step rewards, by their authors' definitions.

ProcessBench (Zheng et al., arXiv 2412.06559): the F1 of the first error, a subset at a time, and their mean.

PRMBench (Song et al., arXiv 2501.03124): a step is accepted whose reward is above 0.5. Over all steps of a class of
errors, F1 of finding right steps and F1 of finding wrong ones; their mean is the class's score. Of the class without
errors (``multi_solutions``) the first alone is the score. The total is that of all steps together, of all classes.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from prm_scaling.prm.metrics import predicted_first_error, process_f1

ACCEPTED = 0.5
# PRMBench's subjects, whose scores are the means of their classes'; spelled as the data spell them.
SUBJECTS = {
    "simplicity": ("redundency", "circular"),
    "soundness": ("counterfactual", "step_contradiction", "domain_inconsistency", "confidence"),
    "sensitivity": ("missing_condition", "deception", "multi_solutions"),
}
WITHOUT_ERRORS = "multi_solutions"


def processbench(
    rewards: Sequence[Sequence[float]], first_errors: Sequence[int], subsets: Sequence[str], threshold: float
) -> dict[str, float]:
    """F1 of the first error: of each subset, and ``average``, their mean.

    Args:
        rewards: a reward a step, of each solution.
        first_errors: 0-based, -1 for none.
        subsets: that each solution is of.
        threshold: of a wrong step's reward; tuned on other solutions (``metrics.tuned_threshold``; the authors' on the
            subset of GSM8K).

    Returns:
        Numbers from 0 to 1; NaN of a subset that lacks solutions with or without an error, and then of the average.
    """
    found: dict[str, float] = {}
    for subset, chosen in _groups(subsets):
        predicted = [predicted_first_error(rewards[i], threshold) for i in chosen]
        found[subset] = process_f1(predicted, [first_errors[i] for i in chosen])
    return found | {"average": float(np.mean(list(found.values())))}


def prmbench(
    rewards: Sequence[Sequence[float]], right: Sequence[Sequence[bool]], classes: Sequence[str]
) -> dict[str, float]:
    """PRMScore: of each class and subject that there are solutions of, and ``total``.

    Args:
        rewards: a reward a step, of each solution.
        right: the truth of each step.
        classes: the class of errors that each solution is of.

    Returns:
        Numbers from 0 to 1; NaN where there are no steps of one kind. The authors' code has -1 in such places.

    Raises:
        ValueError: a solution has another number of rewards than of steps, or is of no class of PRMBench's.
    """
    accepted, truth = [], []
    for i, (given, known) in enumerate(zip(rewards, right, strict=True)):
        if len(given) != len(known):
            raise ValueError(f"solution {i} has {len(known)} steps and {len(given)} rewards; score it again")
        accepted.append(np.asarray(given, dtype=float) > ACCEPTED)
        truth.append(np.asarray(known, dtype=bool))
    scores = {name: _score([accepted[i] for i in of], [truth[i] for i in of], name) for name, of in _groups(classes)}
    unknown = set(scores) - {name for names in SUBJECTS.values() for name in names}
    if unknown:
        raise ValueError(f"{sorted(unknown)} are no classes of PRMBench's; these are {list(SUBJECTS.values())}")
    return scores | _subjects(scores) | {"total": _score(accepted, truth)}


def _groups(names: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """Each name, in order, and where it stands."""
    for name in dict.fromkeys(names):
        yield name, [i for i, other in enumerate(names) if other == name]


def _subjects(scores: Mapping[str, float]) -> dict[str, float]:
    found = {subject: [scores[name] for name in names if name in scores] for subject, names in SUBJECTS.items()}
    return {subject: float(np.mean(values)) for subject, values in found.items() if values}


def _score(accepted: Sequence[np.ndarray], truth: Sequence[np.ndarray], name: str = "") -> float:
    said, known = np.concatenate(accepted), np.concatenate(truth)
    of_right = _f1(said, known)
    return of_right if name == WITHOUT_ERRORS else (of_right + _f1(~said, ~known)) / 2


def _f1(said: np.ndarray, known: np.ndarray) -> float:
    """F1 of finding what is ``known``; NaN where there is nothing to find."""
    if not known.any():
        return float("nan")
    return float(2 * (said & known).sum() / (said.sum() + known.sum()))
