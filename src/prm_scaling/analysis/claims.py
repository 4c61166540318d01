"""The papers' claims, each with the effect measured here, its interval, and a verdict that follows from them."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from prm_scaling.analysis.accuracy import matrix
from prm_scaling.analysis.estimators import Interval, bootstrap, detectable, percentiles, weights

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided at this scale"


@dataclass(frozen=True)
class Claim:
    """One claim: who makes it, how it is measured here, and what effect speaks for it.

    Attributes:
        id: short name.
        claim: what the paper says.
        source: paper and place.
        statement: how the effect is measured.
        unit: of the effect.
        values: per-problem (or seeds x problems) effects, whose mean is the effect; or the effect with its interval.
        least: the claim holds if the whole interval lies above, and fails if it lies below.
    """

    id: str
    claim: str
    source: str
    statement: str
    unit: str
    values: np.ndarray | Interval
    least: float = 0.0


def verdict(interval: Interval, least: float) -> str:
    """``holds`` if the whole interval is above ``least``, ``does not hold`` if it is all below, else undecided.

    >>> verdict(Interval(2, 1, 3), 0), verdict(Interval(0, -1, 1), 0), verdict(Interval(-2, -3, -1), 0)
    ('holds', 'undecided at this scale', 'does not hold')
    """
    if interval.low > least:
        return HOLDS
    return FAILS if interval.high < least else UNDECIDED


def measure(claims: list[Claim], resamples: int, confidence: float, seed: int) -> pd.DataFrame:
    """The table of claims; effects in percentage points are of values between 0 and 1.

    ``detectable`` is the least effect that would have been told from none at 80% power.
    """
    columns = ["id", "claim", "source", "statement", "effect", "low", "high", "unit", "detectable", "verdict"]
    rows = []
    for claim in claims:
        scale = 100.0 if claim.unit in ("points", "%") else 1.0
        found = claim.values
        if not isinstance(found, Interval):
            nothing = Interval(np.nan, np.nan, np.nan)
            found = bootstrap(found, resamples, confidence, seed) if found.size else nothing
        value, low, high = (scale * end for end in (found.value, found.low, found.high))
        told = (claim.unit, detectable(low, high, confidence), verdict(found, claim.least))
        rows.append((claim.id, claim.claim, claim.source, claim.statement, value, low, high, *told))
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class Evidence:
    """What the claims are measured on; ``accuracy`` and so on are the tables of the evaluate phase."""

    accuracy: pd.DataFrame
    pool: str
    sizes: list[str]
    training: str
    size: str
    n: int
    margin: float

    def values(self, method: str, n: int, prm: str = "", pool: str | None = None) -> np.ndarray:
        """(seeds, problems) accuracies."""
        a = self.accuracy
        chosen = a[(a.method == method) & (a.n == n) & (a.prm == prm) & (a.step == 0) & (a.pool == (pool or self.pool))]
        if chosen.empty:
            raise ValueError(f"no accuracies of {method} at n={n} with PRM `{prm}` on {pool or self.pool}")
        return matrix(chosen)

    @property
    def prm(self) -> str:
        """The main PRM."""
        return f"{self.training}-{self.size}"


def size_claims(e: Evidence) -> list[Claim]:
    """Diminishing returns with PRM size (paper A, figure 1)."""
    by_size = [e.values("best_of_n", e.n, f"{e.training}-{size}") for size in e.sizes]
    gains = [b - a for a, b in pairwise(by_size)]
    first, last = gains[0], gains[-1]
    return [
        Claim(
            "size_diminishing",
            "Gains diminish as the PRM grows: a rapid rise, then a plateau",
            "Chen et al., figure 1",
            f"gain of best-of-{e.n} from {e.sizes[0]} to {e.sizes[1]} less the gain from {e.sizes[-2]} to {e.sizes[-1]}"
            if len(e.sizes) > 2
            else "needs three sizes",
            "points",
            first - last if len(gains) > 1 else np.array([]),
        ),
        Claim(
            "size_plateau",
            "The largest PRM gains next to nothing over the one before it",
            "Chen et al., figure 1; slides: under half a point",
            f"{e.margin:.0%} less the gain of best-of-{e.n} from {e.sizes[-2]} to {e.sizes[-1]}",
            "points",
            e.margin - last,
        ),
    ]


def emergence_claim(e: Evidence) -> list[Claim]:
    """Flat, then a sudden jump (paper A, figure 2)."""
    a = e.accuracy
    kept = a[(a.method == "best_of_n") & (a.step > 0) & (a.pool == e.pool)]
    steps = kept[kept.n == min(e.n, kept.n.max())]
    curves = np.stack([matrix(steps[steps.step == s]) for s in sorted(steps.step.unique())])
    values = np.array([])
    if len(curves) > 2:
        # The jump is where the mean curve climbs most; that place is fixed before the bootstrap.
        climbs = np.diff(curves, axis=0)
        jump = int(np.argmax(climbs.mean(axis=(1, 2))))
        values = climbs[jump] - (curves[-1] - curves[0] - climbs[jump])
    return [
        Claim(
            "emergence",
            "Ability emerges suddenly in the PRM's training steps",
            "Chen et al., figure 2",
            "largest climb between neighbouring checkpoints less all other climbs together "
            "(optimistic: the place of the climb is chosen on the same problems)",
            "points",
            values,
        )
    ]


def data_claims(e: Evidence, others: dict[str, str]) -> list[Claim]:
    """Diverse, filtered data is best (paper A, figure 3)."""
    best = e.values("best_of_n", e.n, e.prm)
    return [
        Claim(
            f"data_{name}",
            f"A PRM trained on diverse, filtered data (ASLAF) beats one trained on {what}",
            "Chen et al., figure 3",
            f"best-of-{e.n} of the two PRMs, same number of chains",
            "points",
            best - e.values("best_of_n", e.n, f"{name}-{e.size}"),
        )
        for name, what in others.items()
    ]


def strategy_claims(e: Evidence, budgets: list[int]) -> list[Claim]:
    """MCTS > beam > best-of-N > majority with tokens to spare (paper A, figure 4); Wu et al.: MCTS below sampling."""
    largest = max(budgets)
    value = {s: e.values(s, largest, e.prm) for s in ("mcts", "beam", "best_of_n")}
    value["majority"] = e.values("majority", largest)
    value["weighted"] = e.values("weighted", largest, e.prm)
    pairs = [("mcts", "beam"), ("beam", "best_of_n"), ("best_of_n", "majority")]
    order = [
        Claim(
            f"order_{a}_{b}",
            f"{_title(a)} beats {_title(b)} when tokens are plenty",
            "Chen et al., figure 4",
            f"accuracy at a budget of {largest} less that of the other at the same budget",
            "points",
            value[a] - value[b],
        )
        for a, b in pairs
    ]
    published = [
        ("mcts", "beam", 0.018, "MCTS gains 1.8 points over beam search"),
        ("mcts", "best_of_n", 0.032, "MCTS gains 3.2 points over best-of-N"),
    ]
    amounts = [
        Claim(
            f"amount_{a}_{b}",
            claim,
            "Chen et al., slides",
            f"accuracy gain at a budget of {largest}; holds if the interval lies above the published gain",
            "points",
            value[a] - value[b],
            least,
        )
        for a, b, least, claim in published
    ]
    wu = Claim(
        "mcts_below_sampling",
        "MCTS is below sampling with a weighted vote (contradicts Chen et al.)",
        "Wu et al., figure on MCTS",
        f"weighted vote at {largest} less MCTS at {largest}",
        "points",
        value["weighted"] - value["mcts"],
    )
    return [*order, *amounts, wu]


def time_claim(e: Evidence, seconds: pd.DataFrame) -> list[Claim]:
    """Best-of-N first under tight time (paper A, figure 5)."""
    # The tightest time at which each of the compared has a point: the largest of their least times.
    compared = seconds[seconds.strategy.isin(["best_of_n", "mcts", "beam"])]
    least = compared.groupby("strategy")["seconds"].min().max()

    def within(strategy: str) -> int:
        rows = seconds[(seconds.strategy == strategy) & (seconds.seconds <= least * (1 + 1e-9))]
        return int(rows["budget"].max())

    best = e.values("best_of_n", within("best_of_n"), e.prm)
    return [
        Claim(
            f"time_best_of_n_{rival}",
            f"Under tight time best-of-N is ahead of {_title(rival)}",
            "Chen et al., figure 5",
            f"accuracies of the largest budgets that fit {least:.3g} seconds a question",
            "points",
            best - e.values(rival, within(rival), e.prm),
        )
        for rival in ("mcts", "beam")
    ]


def transfer_claim(
    e: Evidence, pools: dict[str, str], math_prm: str, code_prm: str, n: int, margin: float
) -> list[Claim]:
    """A math PRM is as good as a code PRM on code (paper A, Table 1).

    The generators answer the same problems, so the effect of a problem is their mean: it is one draw, not several.
    """
    gaps = [
        e.values("best_of_n", n, math_prm, pool) - e.values("best_of_n", n, code_prm, pool) for pool in pools.values()
    ]
    gains = [e.values("best_of_n", n, math_prm, pool) - e.values("majority", n, "", pool) for pool in pools.values()]
    return [
        Claim(
            "transfer_parity",
            "A PRM trained on math is as good on code as one trained on code",
            "Chen et al., Table 1",
            f"best-of-{n} on code, math PRM less code PRM, all generators; holds if above -{margin:.0%}",
            "points",
            np.mean(gaps, axis=0),
            -margin,
        ),
        Claim(
            "transfer_gain",
            "A PRM trained on math improves code generation over the majority vote",
            "Chen et al., Table 1",
            f"best-of-{n} on code by the math PRM less majority of {n}, all generators",
            "points",
            np.mean(gains, axis=0),
        ),
    ]


def response_claims(effects: dict) -> list[Claim]:
    """Self-critique preferred and more often right; PRM-selected responses more alike (paper A, figure 6, Table 2)."""
    named = [
        (
            "gradient",
            "PRM-selected responses are more alike in the gradient metric",
            "Chen et al., Table 2",
            "similarity of PRM-selected math and code responses less that of unselected ones",
            "x 100",
            "similarity",
        ),
        (
            "critique_preferred",
            "PRMs prefer responses with self-critique",
            "Chen et al., slides",
            "rate of self-correction in PRM-selected responses less that in all they are chosen from",
            "points",
            "selection",
        ),
        (
            "critique_right",
            "Responses with self-critique are more often right",
            "Chen et al., slides",
            "rate of right answers with a self-correction less that without, same problem",
            "points",
            "correctness",
        ),
        (
            "critique_scored",
            "Self-critique steps score higher than other steps",
            "Chen et al., figure 6",
            "mean reward of right self-correcting steps less that of the chain's other right steps",
            "probability",
            "preference",
        ),
    ]
    return [Claim(i, claim, source, how, unit, effect(effects[key])) for i, claim, source, how, unit, key in named]


def effect(stored: list | dict) -> np.ndarray | Interval:
    """An effect as it is stored: values by problem, or a value with its interval."""
    return Interval(**stored) if isinstance(stored, dict) else np.array(stored)


def noise_claims(counts: list[dict], resamples: int, confidence: float, seed: int) -> list[Claim]:
    """Consensus cuts the label noise of one model by 18% (paper A, slides), by domain.

    Args:
        counts: per domain and problem, [wrong, kept] of single judges and of the consensus.
    """
    found = []
    for entry in counts:
        single, agreed = np.array(entry["single"], dtype=float), np.array(entry["consensus"], dtype=float)

        def reduction(times: np.ndarray, single: np.ndarray = single, agreed: np.ndarray = agreed) -> np.ndarray:
            one, both = times @ single, times @ agreed
            with np.errstate(invalid="ignore", divide="ignore"):
                return 1.0 - (both[..., 0] / both[..., 1]) / (one[..., 0] / one[..., 1])

        # Without an error of the single judges, or without a chain that is agreed on, there is no such ratio.
        effect = float(reduction(np.ones(len(single))))
        again = reduction(weights(len(single), resamples, seed)) if np.isfinite(effect) else np.array([np.nan])
        found.append(
            Claim(
                f"noise_{entry['domain']}",
                f"Consensus cuts label noise by 18% against one model ({entry['domain']})",
                "Chen et al., slides",
                "relative fall of the share of wrong first errors, consensus against single judges; "
                "holds if the interval lies above 18%",
                "%",
                percentiles(effect, again, confidence),
                0.18,
            )
        )
    return found


def _title(method: str) -> str:
    return {"mcts": "MCTS", "beam": "beam search", "best_of_n": "best-of-N", "majority": "the majority vote"}[method]
