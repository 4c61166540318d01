"""OmegaPRM's tree: whose rollouts serve whom, what is searched next, and what rollouts seed."""

import pytest
from annotating import chain_of, completer_of, ends_of
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.annotate.monte_carlo import binary
from prm_scaling.annotate.tree import Candidate, Priority, Tree, grown
from prm_scaling.engines.interface import Extension
from prm_scaling.engines.scripted import END, ScriptedPolicy, text_of, tokens_of
from prm_scaling.seeds import stream

PAPER = Priority(alpha=0.5, beta=0.9, length=500, exploration=0.125)


def cut(tokens):
    text = text_of(tokens)
    return ends_of(text), text


def grow(chains, policy, rollouts: int = 4, seeds: int = 0):
    return grown(chains, completer_of(policy, rollouts), PAPER, seeds, cut)


def test_chains_that_begin_alike_are_probed_once():
    """Wrong behaviour: the same prefix rolled out for each chain that has it."""
    tree = {"Q a\n": ["x!" + END, "x" + END], "Q a\nb\n": ["x" + END]}
    chains = [chain_of(["a", "b", "c", "d"], f"q/{i}") for i in range(3)]
    policy = ScriptedPolicy(tree)
    located = grow(chains, policy)
    alone = binary(chains, completer_of(ScriptedPolicy(tree), 4))
    assert [one.annotation(completer_of(policy, 4)) for one in located] == alone
    assert [(one.first_error, one.probed, one.correct) for one in located] == [(1, (1, 0), (0, 2))] * 3
    assert policy.calls == [4, 4]


def test_a_rollout_counts_for_the_prefixes_that_it_goes_through():
    """And not for those that it was given: they were no choice of its."""
    tree = {"Q a\n": ["b\nx!" + END, "b\nx" + END, "y" + END], "Q a\nb\n": ["z!" + END]}
    # The first chain is probed after `a`; two of its six rollouts, and the one by itself, go on with `b`.
    first, second = chain_of(["a", "c"], "q/0"), chain_of(["a", "b", "w"], "q/1")
    policy = ScriptedPolicy(tree)
    located = {one.id: one for one in grow([first, second], policy, rollouts=6)}
    assert located["q/0"].correct == (2,)
    # Four of six had gone through `a b`, two of them right: two more were asked for, both right.
    assert policy.calls == [6, 2]
    assert (located["q/1"].probed[0], located["q/1"].correct[0]) == (1, 2 + 2)
    deep = ScriptedPolicy({"Q a\nb\n": ["z" + END], "Q a\n": ["y" + END]})
    grow([second], deep, rollouts=6)
    assert deep.calls == [6, 6], "rollouts from `a b` say nothing of `a`"


def test_wrong_rollouts_of_hopeful_states_seed_chains_whose_state_needs_no_search():
    tree = {
        "Q a\n": ["b!" + END, "c\nd\ne" + END],
        "Q a\nc\n": ["f!" + END, "c" + END],
        "Q a\nc\nd\n": ["g" + END],
    }
    policy = ScriptedPolicy(tree)
    given_, seeded = grow([chain_of(["a", "z"])], policy, rollouts=2, seeds=1)
    assert (given_.id, given_.given, given_.first_error, given_.correct) == ("q/0", True, 1, (1,))
    assert (seeded.id, seeded.given, seeded.problem, seeded.text) == ("q/0.0.1", False, "q", "a\nc\nd\ne")
    assert seeded.ends == ends_of(seeded.text) and seeded.finished
    # The probe of its state is its parent's; it was itself no witness for `a c`, of which one of two was right.
    assert (seeded.probed, seeded.correct, seeded.first_error) == ((0, 2, 1), (1, 0, 1), 2)
    assert seeded.chain.tokens == tokens_of(seeded.text)
    assert seeded.annotation(completer_of(policy, 2)).labels == (1.0, 1.0, 0.0, 0.0)


def test_nothing_is_seeded_by_what_is_hopeless_unfinished_known_or_at_its_end():
    hopeless = ScriptedPolicy({"Q a\n": ["c\nd" + END]})
    assert len(grow([chain_of(["a", "z"])], hopeless, rollouts=2, seeds=9)) == 1
    others = ScriptedPolicy({"Q a\n": ["b!" + END, "z" + END, END, "!" * 100]})
    assert len(grow([chain_of(["a", "z"])], others, rollouts=4, seeds=9)) == 1


def test_right_answers_and_empty_chains_cost_nothing():
    policy = ScriptedPolicy({})
    right, empty = grow([chain_of(["a", "b!"]), chain_of([], "q/1")], policy)
    assert (right.first_error, empty.first_error, policy.calls) == (-1, None, [])
    assert empty.annotation(completer_of(policy)).labels == ()


def test_the_paper_s_priority_by_hand():
    """Q = alpha^(1 - MC) beta^(len / L), U = c_puct sqrt(sum N) / (1 + N)."""
    chains = [chain_of(["abc", "defg"]), chain_of(["abc", "d!"], "q/1")]
    tree = Tree(chains, [False, True], completer_of(ScriptedPolicy({})), PAPER, 0, cut)
    candidate = Candidate(chains[0])
    assert tree._value(candidate) == pytest.approx(0.5**0.5 * 0.9 ** (8 / 500))
    tree._visits.update([(), (), (), tokens_of("abc\n")])
    assert tree._value(candidate) == pytest.approx(0.5**0.5 * 0.9 ** (8 / 500) + 0.125 * 4**0.5 / (1 + 3))


def test_the_shorter_rollout_and_the_more_hopeful_state_come_first():
    short, long = chain_of(["a", "b"], "q/0"), chain_of(["c", "d" * 400], "q/1")
    policy = ScriptedPolicy({"Q a\n": ["x" + END], "Q c\n": ["x" + END]})
    tree = Tree([long, short], [False, False], completer_of(policy), PAPER, 0, cut)
    assert tree.asks()[0].id == "q/0"


class Chances:
    """A policy that writes letters by its seed, an exclamation mark now and then."""

    def __init__(self):
        self.asked = 0

    def extend(self, requests):
        self.asked += len(requests)
        found = []
        for request in requests:
            rng = stream("chances", request.seed)
            text = "\n".join(rng.choice(list("ab"), rng.integers(1, 4)))
            found.append(Extension(tokens_of(text + ("!" if rng.random() < 0.3 else "")), "end", 0, 0))
        return found


problems = st.lists(
    st.lists(st.lists(st.sampled_from(["a", "b"]), min_size=1, max_size=5), min_size=1, max_size=4),
    min_size=1,
    max_size=3,
)


@given(problems, st.integers(0, 3))
def test_a_tree_by_property(texts, seeds):
    chains = [chain_of(steps, f"q{i}/{j}") for i, some in enumerate(texts) for j, steps in enumerate(some)]
    policy = Chances()
    located = grow(chains, policy, rollouts=3, seeds=seeds)
    assert [one.id for one in located if one.given] == [c.id for c in chains]
    assert [one.chain for one in located if one.given] == chains
    for one in located:
        assert 0 <= one.first_error < len(one.ends) and all(0 <= c <= 3 for c in one.correct)
        assert one.ends == ends_of(one.text) and len(set(one.probed)) == len(one.probed)
        for step, correct in zip(one.probed, one.correct, strict=True):
            assert (correct > 0) == (step < one.first_error)
    for i in range(len(texts)):
        assert sum(not one.given for one in located if one.problem == f"q{i}") <= seeds
    if not seeds:
        plain = Chances()
        binary(chains, completer_of(plain, 3))
        assert policy.asked <= plain.asked
    # Problems share nothing, so that what one gets does not depend on the others.
    alone = [
        one for i in range(len(texts)) for one in grow([c for c in chains if c.problem == f"q{i}"], Chances(), 3, seeds)
    ]
    assert sorted(alone, key=lambda one: one.id) == sorted(located, key=lambda one: one.id)
