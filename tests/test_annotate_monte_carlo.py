"""Step labels by rollouts: binary search for the first error, and rollouts after every step."""

import math

import pytest
from annotating import chain_of, completer_of
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.annotate.counts import bracket, hard_labels, rises, soft_values
from prm_scaling.annotate.monte_carlo import Bisection, binary, full
from prm_scaling.annotate.record import Annotation
from prm_scaling.chains.record import Chain
from prm_scaling.engines.interface import Extend, Extension
from prm_scaling.engines.scripted import END, ScriptedPolicy, text_of
from prm_scaling.seeds import seed_of

# --- binary search ---


def bisect(steps: int, hopeful) -> Bisection:
    search = Bisection(0, steps - 1)
    while not search.done:
        search.tell(0, hopeful(search.middle))
    return search


@given(st.integers(1, 200), st.data())
def test_bisection_finds_the_first_error_of_a_monotone_oracle(steps, data):
    first_error = data.draw(st.integers(0, steps - 1))
    search = bisect(steps, lambda step: step < first_error)
    assert search.low == first_error
    assert len(search.probed) <= math.ceil(math.log2(steps))
    assert len(set(search.probed)) == len(search.probed) == len(search.correct)


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_bisection_ends_at_a_hopeless_step_after_a_hopeful_one_also_where_hope_returns(hopes):
    """A non-monotone oracle: what is found is an error, if not the first; the probes tell which it was."""
    hopes[-1] = False  # the chain's own answer is wrong
    search = bisect(len(hopes), lambda step: hopes[step])
    assert not hopes[search.low] and (search.low == 0 or hopes[search.low - 1])
    assert all(hopes[p] == (p < search.low) for p in search.probed)


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_failures_of_the_assumption_can_be_counted_from_what_is_kept(hopes):
    """Where the search misses the first hopeless step, some hopeless step stands before the one it found."""
    hopes[-1] = False
    found = bisect(len(hopes), lambda step: hopes[step]).low
    monotone = sorted(hopes, reverse=True) == hopes
    assert found == hopes.index(False) or not monotone


# --- rollouts ---

# Eight rollouts after "a": 3 right; after "a b": 1 right; after "a b c": none.
ROLLOUTS = {
    "Q a\n": ["x!" + END, "x" + END] * 3 + ["y" + END] * 2,
    "Q a\nb\n": ["x!" + END] + ["x" + END] * 6 + ["!" * 100],  # the last is never finished
    "Q a\nb\nc\n": ["x" + END],
}


def label(chains: list[Chain], threshold: float, tree=None, rollouts: int = 8, seed: int = 0) -> list[Annotation]:
    policy = ScriptedPolicy(ROLLOUTS if tree is None else tree)
    return binary(chains, completer_of(policy, rollouts, threshold, seed))


def test_rollouts_are_counted_and_kept():
    wrong = chain_of(["a", "b", "c", "d"])
    (annotation,) = label([wrong], 0.0)
    # 4 steps: after b (1 of 8 right: hope), after c (none): the first error is c.
    assert annotation == Annotation(
        "q/0", "monte_carlo", 2, (1.0, 1.0, 0.0, 0.0), rollouts=8, probed=(1, 2), correct=(1, 0), seed=0
    )


@pytest.mark.parametrize(
    ("threshold", "first_error", "probed", "correct"),
    [(0.0, 2, (1, 2), (1, 0)), (1 / 8, 1, (1, 0), (1, 3)), (0.3, 1, (1, 0), (1, 3)), (3 / 8, 0, (1, 0), (1, 3))],
)
def test_a_prefix_is_right_if_more_than_the_threshold_is(threshold, first_error, probed, correct):
    (annotation,) = label([chain_of(["a", "b", "c", "d"])], threshold)
    assert (annotation.first_error, annotation.probed, annotation.correct) == (first_error, probed, correct)


@pytest.mark.parametrize(("right", "rollouts"), [(29, 100), (57, 100), (29, 50), (7, 25), (1, 3), (7, 10)])
def test_a_share_equal_to_the_threshold_is_not_more(right, rollouts):
    """Wrong behaviour: `int(0.29 * 100)` is 28, and 29 of 100 counts as more than 0.29."""
    tree = {"Q a\n": ["x!" + END] * right + ["x" + END] * (rollouts - right)}
    chain = chain_of(["a", "b"])
    assert label([chain], right / rollouts, tree, rollouts)[0].first_error == 0
    assert label([chain], (right - 1) / rollouts, tree, rollouts)[0].first_error == 1


def test_a_chain_whose_answer_is_right_has_no_error_and_costs_nothing():
    policy = ScriptedPolicy(ROLLOUTS)
    chains = [chain_of(["a", "b!"]), chain_of(["a", "b!"], "q/1", finished=False)]
    right, unfinished = binary(chains, completer_of(policy, 8, seed=0))
    assert (right.first_error, right.labels, right.probed) == (-1, (1.0, 1.0), ())
    # Unfinished is not right, whatever stands at its end.
    assert unfinished.first_error == 1
    assert policy.calls == [8]


def test_a_chain_without_steps_has_no_label():
    (annotation,) = label([chain_of([])], 0.0)
    assert annotation.first_error is None and annotation.labels == ()


def test_a_chain_of_one_step_needs_no_rollout():
    policy = ScriptedPolicy({})
    (annotation,) = binary([chain_of(["a"])], completer_of(policy, 8, seed=0))
    assert (annotation.first_error, annotation.probed) == (0, ()) and policy.calls == []


def test_all_chains_advance_together():
    """Wrong behaviour: as many engine calls as chains."""
    policy = ScriptedPolicy({f"Q{i} a\n{tail}": ["x" + END] for i in range(9) for tail in ("", "b\n", "b\nc\n")})
    chains = [chain_of(["a", "b", "c", "d"], f"q{i}/0", f"Q{i} ") for i in range(9)]
    annotations = binary(chains, completer_of(policy, 4, seed=0))
    assert policy.calls == [9 * 4, 9 * 4]
    assert [a.chain for a in annotations] == [c.id for c in chains]


class Recording:
    """A policy that ends every text at once and remembers what it was asked."""

    def __init__(self):
        self.asked: list[Extend] = []

    def extend(self, requests):
        self.asked += requests
        return [Extension((), "end", 0, 0) for _ in requests]


def test_rollout_seeds_belong_to_chain_step_and_rollout():
    """Wrong behaviour: seeds by order of work, or one seed for all rollouts of a prefix."""
    chains = [chain_of(["a", "b", "c"], f"q/{i}") for i in range(3)]
    seeds = []
    for order in (chains, chains[::-1]):
        policy = Recording()
        binary(order, completer_of(policy, 4, seed=7))
        seeds.append({(text_of(r.prefix), r.seed) for r in policy.asked})
        assert len({r.seed for r in policy.asked}) == len(policy.asked)
    assert seeds[0] == seeds[1]
    assert {s for _, s in seeds[0]} >= {seed_of(7, "q/0", 1, j) for j in range(4)}


# --- rollouts after every step ---


def test_every_step_of_every_chain_is_probed_and_the_end_speaks_for_itself():
    """Wrong behaviour: chains whose answer is right left without soft values."""
    chains = [chain_of(["a", "b", "c", "d"]), chain_of(["a", "b", "c", "d!"], "q/1"), chain_of([], "q/2")]
    policy = ScriptedPolicy(ROLLOUTS)
    wrong, right, empty = full(chains, completer_of(policy))
    counts = {"rollouts": 8, "probed": (0, 1, 2, 3), "seed": 0}
    assert wrong == Annotation("q/0", "monte_carlo", 2, (1.0, 1.0, 0.0, 0.0), correct=(3, 1, 0, 0), **counts)
    # Its answer is right, and nobody gets there from its third step: an error, by estimation alone.
    assert right == Annotation("q/1", "monte_carlo", 2, (1.0, 1.0, 0.0, 0.0), correct=(3, 1, 0, 8), **counts)
    assert (empty.first_error, empty.labels, empty.probed) == (None, (), ())
    assert soft_values(wrong) == {0: 3 / 8, 1: 1 / 8, 2: 0.0, 3: 0.0}
    assert rises(right, 0.0) and not rises(wrong, 0.0)
    # A round does a step of both chains at once.
    assert policy.calls == [16, 16, 16]


chains_of_counts = st.lists(st.integers(0, 4), min_size=1, max_size=6)


@given(counts=chains_of_counts, own=st.booleans(), threshold=st.sampled_from([0.0, 0.25, 0.5, 0.75]))
def test_stored_counts_give_the_labels_of_any_threshold(counts, own, threshold):
    """Labels at another threshold are those that annotating with it would have given: nothing is sampled again."""
    steps = [str(i) for i in range(len(counts))] + ["end!" if own else "end"]
    tree = {
        "Q " + "".join(f"{i}\n" for i in range(step + 1)): ["x!" + END] * right + ["x" + END] * (4 - right)
        for step, right in enumerate(counts)
    }
    stored, told = (full([chain_of(steps)], completer_of(ScriptedPolicy(tree), 4, t))[0] for t in (0.0, threshold))
    assert stored.correct == told.correct == (*counts, 4 if own else 0)
    assert hard_labels(stored, threshold) == told.labels
    first, last = bracket(stored, threshold)
    assert first == last == told.first_error


@given(counts=chains_of_counts)
def test_binary_search_and_full_estimation_agree_where_hope_never_returns(counts):
    steps, counts = [str(i) for i in range(len(counts) + 1)], sorted(counts, reverse=True)
    tree = {
        "Q " + "".join(f"{i}\n" for i in range(step + 1)): ["x!" + END] * right + ["x" + END] * (4 - right)
        for step, right in enumerate(counts)
    }
    by = [mode([chain_of(steps)], completer_of(ScriptedPolicy(tree), 4))[0] for mode in (binary, full)]
    assert by[0].first_error == by[1].first_error and by[0].labels == by[1].labels
    assert set(zip(by[0].probed, by[0].correct, strict=True)) <= set(zip(by[1].probed, by[1].correct, strict=True))
