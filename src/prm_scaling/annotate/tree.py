"""OmegaPRM's tree: the rollouts made for one chain of a problem serve its others, and seed new ones.

Source: Luo et al., "Improve Mathematical Reasoning in Language Models by Automated Process Supervision"
(arXiv 2406.06592), section 3.3. A state is a prefix, a candidate a wrong solution that was rolled out from a state.
The candidate with the highest Q + U is searched next for its first error, by bisection of its own steps:

    Q(s, r) = alpha^(1 - MC(s)) * beta^(len(r) / L)        U(s) = c_puct * sqrt(sum_i N(s_i)) / (1 + N(s))

MC(s) is the share of right rollouts of s, len(r) the tokens of r beyond s, N(s) how often a candidate of s was chosen.

Ours: the chains to be labelled are the root's rollouts, and all of them are searched, so that the other annotators
have labels of the same chains. Each probe is answered by k outcomes as in the other modes; only who made them differs:
a rollout counts for every prefix that it went through after it was started, but not for those of the chain that it is.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from prm_scaling.annotate.monte_carlo import NAME, Bisection, annotation
from prm_scaling.annotate.record import Annotation
from prm_scaling.annotate.rollouts import Completer, Rollout
from prm_scaling.chains.record import Chain

# The ends of the steps of a solution's tokens, and its text.
Cut = Callable[[tuple[int, ...]], tuple[tuple[int, ...], str]]


@dataclass(frozen=True)
class Priority:
    """Which candidate is next: the paper's alpha, beta, L (tokens) and c_puct."""

    alpha: float
    beta: float
    length: float
    exploration: float


@dataclass(frozen=True)
class Located(Chain):
    """A chain, one of those given or one that a rollout seeded, with what its search found."""

    given: bool
    first_error: int | None
    probed: tuple[int, ...]
    correct: tuple[int, ...]

    @property
    def chain(self) -> Chain:
        """The chain alone."""
        return Chain(self.id, self.problem, self.domain, self.prompt, self.tokens, self.ends, self.text, self.finished)

    def annotation(self, completer: Completer) -> Annotation:
        """The record of what was found."""
        if self.first_error is None:
            return Annotation(self.id, NAME, None, (), completer.rollouts, seed=completer.seed)
        return annotation(self, self.first_error, self.probed, self.correct, completer)


@dataclass
class Candidate:
    """A wrong chain; ``start`` of its tokens are the state that it was rolled out from, ``own`` is it as a rollout."""

    chain: Chain
    start: int = 0
    own: Rollout | None = None

    @property
    def state(self) -> tuple[int, ...]:
        """The prefix that it was rolled out from."""
        return self.chain.tokens[: self.start]


class Tree:
    """The chains and rollouts of one problem."""

    def __init__(
        self,
        chains: Sequence[Chain],
        answers: Sequence[bool],
        completer: Completer,
        priority: Priority,
        seeds: int,
        cut: Cut,
    ) -> None:
        """
        Args:
            chains: of the problem, to be labelled.
            answers: whether the answer of each is right.
            seeds: how many new chains are searched besides, at most.
            cut: cuts the tokens of a new chain into steps.
        """
        self._completer, self._priority, self._cut = completer, priority, cut
        self._seeds = seeds
        self._rollouts: list[Rollout] = []
        self._root = sum(answers) / len(answers)
        self._visits: Counter[tuple[int, ...]] = Counter()
        self._pool = [Candidate(c) for c, right in zip(chains, answers, strict=True) if c.ends and not right]
        self._seen = {c.tokens for c in chains}
        self._live: Candidate | None = None
        self._search = Bisection(0, 0)
        self.located = [
            Located(**vars(c), given=True, first_error=-1 if c.ends else None, probed=(), correct=())
            for c, right in zip(chains, answers, strict=True)
            if right or not c.ends
        ]

    def asks(self) -> tuple[Chain, int, int] | None:
        """The next (chain, step, rollouts that are lacking); ``None`` when all is done."""
        while self._live is not None or self._next():
            assert self._live is not None
            chain, k = self._live.chain, self._completer.rollouts
            while not self._search.done:
                step = self._search.middle
                known = self._outcomes(chain.tokens[: chain.ends[step]], self._live.own)[:k]
                if len(known) < k:
                    return chain, step, k - len(known)
                self._search.tell(sum(known), self._completer.hopeful(sum(known)))
            found = self._search
            self.located.append(
                Located(
                    **vars(chain),
                    given=self._live.own is None,
                    first_error=found.low,
                    probed=tuple(found.probed),
                    correct=tuple(found.correct),
                )
            )
            self._live = None
        return None

    def take(self, asked: tuple[Chain, int, int], made: Sequence[Rollout]) -> None:
        """The rollouts that were asked for; each wrong one that was ended is a candidate."""
        chain, step, _ = asked
        self._rollouts += made
        for j, rollout in enumerate(made):
            new = len(rollout.tokens) > rollout.start and rollout.tokens not in self._seen
            if self._seeds and new and rollout.ended and not rollout.right:
                self._seen.add(rollout.tokens)
                own = replace(chain, id=f"{chain.id}.{step}.{j}", tokens=rollout.tokens, finished=True)
                self._pool.append(Candidate(own, rollout.start, rollout))

    def _outcomes(self, prefix: tuple[int, ...], without: Rollout | None) -> list[bool]:
        """Of the rollouts that went through ``prefix`` after they were started, whether each is right."""
        size = len(prefix)
        return [r.right for r in self._rollouts if r.start <= size and r is not without and r.tokens[:size] == prefix]

    def _share(self, state: tuple[int, ...]) -> float:
        """MC(s); the root's rollouts are the chains."""
        if not state:
            return self._root
        outcomes = self._outcomes(state, None)
        return sum(outcomes) / len(outcomes)

    def _value(self, candidate: Candidate) -> float:
        """Q + U."""
        p, state = self._priority, candidate.state
        beyond = len(candidate.chain.tokens) - candidate.start
        quality = p.alpha ** (1 - self._share(state)) * p.beta ** (beyond / p.length)
        return quality + p.exploration * self._visits.total() ** 0.5 / (1 + self._visits[state])

    def _able(self, candidate: Candidate) -> bool:
        """Chains that were given always are; others if seeds are left and their state is hopeful."""
        if candidate.own is None:
            return True
        outcomes = self._outcomes(candidate.state, None)[: self._completer.rollouts]
        return self._seeds > 0 and self._completer.hopeful(sum(outcomes))

    def _next(self) -> bool:
        """Begins the search of the best candidate, if there is any."""
        able = [i for i, candidate in enumerate(self._pool) if self._able(candidate)]
        if not able:
            return False
        candidate = self._pool.pop(max(able, key=lambda i: self._value(self._pool[i])))
        self._visits[candidate.state] += 1
        if candidate.own is None:
            self._search = Bisection(0, len(candidate.chain.ends) - 1)
        else:
            self._seeds -= 1
            candidate = self._whole(candidate)
            before = sum(end <= candidate.start for end in candidate.chain.ends)
            # Its state was probed for the chain that it comes from.
            known = self._outcomes(candidate.state, None)[: self._completer.rollouts]
            self._search = Bisection(before, len(candidate.chain.ends) - 1, [before - 1], [sum(known)])
        self._live = candidate
        return True

    def _whole(self, candidate: Candidate) -> Candidate:
        """A seeded candidate with the steps and the text of its tokens; those of its state are its parent's."""
        ends, text = self._cut(candidate.chain.tokens)
        before = tuple(end for end in candidate.chain.ends if end <= candidate.start)
        ends = before + tuple(end for end in ends if end > candidate.start)
        return replace(candidate, chain=replace(candidate.chain, ends=ends, text=text))


def grown(
    chains: Sequence[Chain],
    completer: Completer,
    priority: Priority,
    seeds: int,
    cut: Cut,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Located]:
    """The first errors of all ``chains``, in order, and of up to ``seeds`` new ones a problem after them.

    The trees of all problems advance together, a probe of each at a time.

    Args:
        chains: all of a problem's come in one call.
        priority, seeds, cut: see :class:`Tree`.
    """
    groups: dict[str, list[tuple[Chain, bool]]] = {}
    for chain, right in zip(chains, completer.answers(chains), strict=True):
        groups.setdefault(chain.problem, []).append((chain, right))
    trees = [
        Tree([c for c, _ in group], [right for _, right in group], completer, priority, seeds, cut)
        for group in groups.values()
    ]
    while asked := [(tree, probe) for tree in trees if (probe := tree.asks()) is not None]:
        progress(len(trees) - len(asked), len(trees))
        for (tree, probe), made in zip(asked, completer.roll_out([p for _, p in asked]), strict=True):
            tree.take(probe, made)
    located = [one for tree in trees for one in tree.located]
    place = {chain.id: i for i, chain in enumerate(chains)}
    return sorted(located, key=lambda one: place.get(one.id, len(place)))
