"""Monte Carlo tree search with UCT."""

import math
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from pydantic import Field

from prm_scaling.search.choose import aggregate
from prm_scaling.search.path import ROOT, Path, Rate, Request, Searching, Solve, children, distinct
from prm_scaling.search.strategy import Parameters
from prm_scaling.strict import Count, Share


class Mcts(Parameters):
    """MCTS (paper A gives UCT only; Wu et al.: c = 1, 4 to 16 children of the root, 2 elsewhere, PRM leaf value).

    Attributes:
        exploration: c of UCT.
        root_children: expansion width at the root.
        children: expansion width elsewhere.
        simulations: selections at the most, those of finished leaves included; ``None`` leaves it to the budget.
        leaf: what a new node is worth: the PRM's reward of its step, the score of rollouts from it, or both mixed.
        rollouts: whole solutions sampled from a new node.
        mixing: the rollouts' share of a mixed value.
        aggregation: from a rollout's rewards to its score.
        backup: whether Q(s, a) is the mean or the greatest of the values below.
        answer: see :func:`prm_scaling.analysis.trees.correctness`.
    """

    exploration: Annotated[float, Field(ge=0)]
    root_children: Count
    children: Count
    simulations: Count | None
    leaf: Literal["prm", "rollout", "mixed"]
    rollouts: Count
    mixing: Share
    aggregation: Literal["last", "min", "product", "mean"]
    backup: Literal["mean", "max"]
    answer: Literal["best_leaf", "weighted_vote", "visits"] = "best_leaf"  # type: ignore[assignment]


@dataclass(slots=True, eq=False)
class Node:
    """A node of the tree; ``total`` is the sum, ``best`` the greatest of the ``visits`` values backed up.

    Attributes:
        own: the value that it had when it was new.
    """

    path: Path
    parent: "Node | None" = None
    own: float = 0.0
    children: "list[Node]" = field(default_factory=list)
    visits: int = 0
    total: float = 0.0
    best: float = -math.inf

    def uct(self, log_parent: float, exploration: float, backup: str = "mean") -> float:
        """UCT(s, a) = Q(s, a) + c sqrt(ln N(s) / N(s, a)) (paper A), where ``log_parent`` is ln N(s)."""
        value = self.best if backup == "max" else self.total / self.visits
        return value + exploration * math.sqrt(log_parent / self.visits)


class Leaves:
    """The finished paths, each once, with what had been spent at each visit: the answer at any time comes from them."""

    def __init__(self) -> None:
        self._visits: dict[tuple[int, ...], tuple[Path, list[int]]] = {}

    def visit(self, path: Path, spent: int) -> None:
        """Note that a finished path was made or selected once ``spent`` tokens had been generated."""
        self._visits.setdefault(path.tokens, (path, []))[1].append(spent)

    def found(self) -> list[Path]:
        """The candidates in the order in which they were found."""
        return [replace(path, visits=tuple(visits)) for path, visits in self._visits.values()]


def mcts(budget: int, params, max_steps: int, root: Path = ROOT) -> Searching:
    """Select a leaf by UCT, expand it by sampled steps, value each new node, and back the values up.

    Paper A gives the UCT rule and "rollouts and value backup", but neither the leaf value nor the budget. Here each
    new child backs its value up through all its ancestors, and counts as one visit of each. A finished leaf is worth
    its last reward, where rollouts count also its own score; a revisit of it backs the same value up again, so
    that UCT turns elsewhere. The PRM alone values anything: no reference is at hand. A node that has no child that
    the PRM can score is a dead end and leaves the tree.

    The budget is ``budget`` solutions' worth of sampled steps, those of rollouts too, a solution being as long as the
    first whole one. Only the end of the search depends on it, so the candidates that a search has found, with the
    tokens spent at each visit, say what a search of any smaller budget would have answered.
    """
    spec, top, leaves = params.mcts, Node(root), Leaves()
    sampled, length, simulations, revisits, spent = 0, 0, 0, 0, 0
    while sampled < budget * (length or max_steps) and revisits < budget * max_steps:
        if simulations == spec.simulations:
            break
        simulations += 1
        leaf = _select(top, spec)
        if leaf.path.finished or leaf.path.depth >= max_steps:
            _back_up(leaf, leaf.own)
            revisits += 1
            if leaf.path.finished:
                leaves.visit(leaf.path, spent)
            continue
        grown = yield children([leaf.path], [spec.root_children if leaf is top else spec.children])
        new = [p for p in (yield Rate(tuple(distinct(grown)))) if p.scored]
        rolled = yield from _roll_out(new, spec)
        ends = [p for rollouts in rolled for p in rollouts]
        # An empty last step spends one too.
        sampled += len(grown) + sum(max(1, p.depth - leaf.path.depth - 1) for p in ends)
        spent = max(p.spent for p in grown + ends)
        for path, rollouts in zip(new, rolled, strict=True):
            node = Node(path, leaf, _value(path, rollouts, spec))
            leaf.children.append(node)
            _back_up(node, node.own)
            for end in [path, *rollouts]:
                if end.finished:
                    leaves.visit(end, spent)
                    # A path that was cut is no solution; one without a step still spends one.
                    length = length or (max(1, end.depth) if end.whole else 0)
        if not leaf.children and not _leave(leaf):
            break
    return leaves.found()


def _select(root: Node, spec: Mcts) -> Node:
    node = root
    exploration, backup = spec.exploration, spec.backup
    while node.children:
        log = math.log(node.visits)
        node = max(node.children, key=lambda child: child.uct(log, exploration, backup))
    return node


def _roll_out(paths: list[Path], spec: Mcts) -> Generator[Request, list[Path], list[list[Path]]]:
    """The rollouts from each path that is not finished, rated; those that the PRM cannot score are left out."""
    rolled: list[list[Path]] = [[] for _ in paths]
    open_ = [i for i, p in enumerate(paths) if not p.finished]
    if spec.leaf == "prm" or not open_:
        return rolled
    owners = [i for i in open_ for _ in range(spec.rollouts)]
    # A node's children are its samples 0, 1, ...: its rollouts have numbers, and so randomness, of their own.
    samples = tuple(range(spec.children, spec.children + spec.rollouts)) * len(open_)
    ends = yield Solve(tuple(paths[i] for i in owners), samples)
    for i, end in zip(owners, (yield Rate(tuple(ends))), strict=True):
        if end.scored:
            rolled[i].append(end)
    return rolled


def _value(path: Path, rollouts: list[Path], spec: Mcts) -> float:
    """What a new node is worth: its reward, the mean score of the rollouts from it (its own if it is finished)."""
    ends = [path] if path.finished else rollouts
    if spec.leaf == "prm" or not ends:
        return path.reward
    score = sum(aggregate(p.rewards, spec.aggregation) if p.rewards else 0.0 for p in ends) / len(ends)
    return score if spec.leaf == "rollout" else (1 - spec.mixing) * path.reward + spec.mixing * score


def _back_up(node: Node | None, value: float) -> None:
    while node is not None:
        node.visits += 1
        node.total += value
        node.best = max(node.best, value)
        node = node.parent


def _leave(node: Node) -> bool:
    """Take a dead end out of the tree, with the ancestors that it leaves without a child; whether a tree is left."""
    while node.parent is not None:
        node.parent.children.remove(node)
        node = node.parent
        if node.children:
            return True
    return False
