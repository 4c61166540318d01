"""What the studies beside the paper's figures claim, from the effects that they store."""

from collections.abc import Callable, Mapping

import numpy as np

from prm_scaling.analysis.claims import Claim, effect
from prm_scaling.analysis.estimators import Interval

Stored = Callable[[str], np.ndarray | Interval]


def study_claims(
    effects: dict, domains: list[str], annotators: Mapping[str, str], n: int, most: int, margin: float
) -> list[Claim]:
    """The claims that the stored effects decide; one whose study had too little to go by is undecided.

    Args:
        effects: by name, as the scripts of the studies store them.
        domains: that PRMs are trained in.
        annotators: by training set.
        n: samples of best-of-n.
        most: samples of the largest budget.
        margin: a gain below this is called none.
    """

    def stored(name: str) -> np.ndarray | Interval:
        return effect(effects.get(name, []))

    audited = [name.removeprefix("monotone_") for name in effects if name.startswith("monotone_")]
    return [
        *_scaling(stored, n, margin),
        *(claim for domain in audited for claim in _labels(stored, domain, margin)),
        *(claim for domain in domains for claim in _domain(stored, domain, most)),
        *(_aggregation(stored, name, annotator, n) for name, annotator in annotators.items()),
        # Those that only some scales make.
        *(claim for claim in _further(stored, effects, n, most, margin)),
    ]


def below(values: np.ndarray | Interval, margin: float) -> np.ndarray | Interval:
    """``margin`` less an effect: above 0 where the effect is smaller.

    >>> below(Interval(2.0, 1.0, 4.0), 3.0)
    Interval(value=1.0, low=-1.0, high=2.0)
    """
    if isinstance(values, Interval):
        return Interval(margin - values.value, margin - values.high, margin - values.low)
    return margin - values


def _scaling(stored: Stored, n: int, margin: float) -> list[Claim]:
    climb = "largest climb between neighbouring checkpoints less all other climbs together (optimistic, as above)"
    return [
        Claim(
            "size_ceiling",
            "Beyond the largest PRM next to nothing is left to gain",
            "Chen et al., figure 1",
            f"{margin:.0%} less what best-of-{n} lacks to the ceiling of its saturating power law",
            "points",
            below(stored("parameters_accuracy_left"), margin),
        ),
        Claim(
            "emergence_auc",
            "The jump is there in a continuous metric too: AUC over steps",
            "Chen et al., figure 2",
            climb,
            "points",
            stored("auc_jump"),
        ),
        Claim(
            "emergence_loss",
            "The jump is there in a continuous metric too: loss of steps",
            "Chen et al., figure 2",
            climb.replace("climb", "fall"),
            "nats",
            stored("loss_jump"),
        ),
    ]


def _labels(stored: Stored, domain: str, margin: float) -> list[Claim]:
    return [
        Claim(
            f"consensus_{domain}",
            f"Agreement of all leaves less noise than weighing the annotators ({domain})",
            "beyond the papers",
            "share of wrong first errors by Dawid and Skene's aggregation, cut to as many chains, less that of ASLAF",
            "points",
            stored(f"dawid_skene_{domain}"),
        ),
        Claim(
            f"monotone_{domain}",
            f"Once a step is wrong, all that follow are: binary search finds the first error ({domain})",
            "Luo et al. (OmegaPRM)",
            f"{margin:.0%} less the share of erring chains in which it misses it, each probe answered by the truth",
            "points",
            below(stored(f"monotone_{domain}"), margin),
        ),
    ]


def _domain(stored: Stored, domain: str, most: int) -> list[Claim]:
    return [
        Claim(
            f"process_{domain}",
            f"Right answers by a wrong process are more frequent on harder problems ({domain})",
            "Zhang et al., figure 6",
            "share of right answers with an error in their steps, hardest problems less easiest",
            "points",
            stored(f"process_{domain}"),
        ),
        Claim(
            f"vote_bound_{domain}",
            f"The majority vote converges at least as fast as its bound ({domain})",
            "Wu et al., Theorem 1",
            f"bound less measured probability that {most} votes miss the likeliest answer",
            "points",
            stored(f"bound_{domain}"),
        ),
    ]


def _aggregation(stored: Stored, training: str, annotator: str, n: int) -> Claim:
    values = stored(f"last_{training}")
    by_rollouts = annotator == "monte_carlo"
    first, second = ("last step", "product") if by_rollouts else ("product", "last step")
    kind = "Monte Carlo labels" if by_rollouts else f"{annotator} labels"
    return Claim(
        f"aggregation_{training}",
        f"A PRM of {kind} chooses better by the {first} than by the {second} of its rewards ({training})",
        "Zhang et al., figure 9",
        f"best-of-{n} by the one less that by the other",
        "points",
        values if by_rollouts else below(values, 0.0),
    )


def _further(stored: Stored, effects: dict, n: int, most: int, margin: float) -> list[Claim]:
    """The claims of studies that not every scale makes: only those that have an effect."""

    def made(prefix: str) -> list[str]:
        return [name.removeprefix(prefix) for name in effects if name.startswith(prefix)]

    carried = [
        Claim(
            f"transfer_{pair}",
            f"A PRM of {pair.rpartition('_')[0]} is as good in {pair.rpartition('_')[2]} as one trained there",
            "Chen et al., Table 1, in further domains",
            f"best-of-{n} of the one less that of the other, the samples of all policies; holds if above -{margin:.0%}",
            "points",
            stored(f"transfer_{pair}"),
            -margin,
        )
        for pair in made("transfer_")
    ]
    guided = [
        Claim(
            f"guided_{strategy}",
            f"A larger PRM helps {strategy} more than best-of-N",
            "beyond the papers",
            f"gain from the smallest to the largest PRM at a budget of {most}, {strategy} less best-of-{most}",
            "points",
            stored(f"guided_{strategy}"),
        )
        for strategy in made("guided_")
    ]
    shares = [
        Claim(
            f"share_{metric}",
            f"Of a fixed compute most belongs to pre-training, by {metric}",
            "beyond the papers; Chen et al. set both kinds of FLOPs side by side",
            "50% less the best share of reward training, by a log-linear fit in both",
            "%",
            below(stored(f"share_{metric}"), 0.5),
        )
        for metric in made("share_")
    ]
    return [*carried, *guided, *shares, *_labelling(stored, effects, n, margin)]


def _labelling(stored: Stored, effects: dict, n: int, margin: float) -> list[Claim]:
    told = {
        "hard_soft_filtered": ("Hard labels beat soft ones once they are filtered", "figure 4", 0.0),
        "hard_soft_all": ("Without a filter hard labels are no better than soft ones", "figure 3", margin),
        "threshold_all": ("A threshold of 0 beats higher ones", "figure 5", 0.0),
        "filtering_hard": ("Filtering by consensus helps hard labels", "figures 3 and 4", 0.0),
        "filtering_soft": ("Filtering by consensus does not help soft labels", "figures 3 and 4", margin),
    }
    ways = {
        "hard_soft": f"best-of-{n} by hard labels at the lowest threshold less that by soft ones",
        "threshold": f"best-of-{n} at the lowest threshold less that at the highest, all chains",
        "filtering": f"best-of-{n} by filtered labels less that by all",
    }
    return [
        Claim(
            name,
            claim,
            f"Zhang et al., {place}",
            (f"{bound:.0%} less: " if bound else "") + ways[name.rpartition("_")[0]],
            "points",
            below(stored(name), bound) if bound else stored(name),
        )
        for name, (claim, place, bound) in told.items()
        if name in effects
    ]
