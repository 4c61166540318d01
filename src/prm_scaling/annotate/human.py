"""Human labels; in the embedded world the generator's own truth plays their part."""

from collections.abc import Sequence

from prm_scaling.annotate.record import Annotation
from prm_scaling.chains.record import Chain
from prm_scaling.chains.steps import Steps
from prm_scaling.problems.record import Problem
from prm_scaling.problems.world.truth import truth_of


def annotate(chains: Sequence[Chain], problems: dict[str, Problem], steps: Steps) -> list[Annotation]:
    """The exact label of every step, and the first error that the chain does not take back."""
    result = []
    for chain in chains:
        if not chain.ends:
            result.append(Annotation(chain.id, "human", None, ()))
            continue
        truth = truth_of(problems[chain.problem], steps.of_chain(chain))
        result.append(Annotation(chain.id, "human", truth.first_error, tuple(map(float, truth.on_track))))
    return result
