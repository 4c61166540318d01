"""Monte Carlo tree search with UCT, the PRM as leaf value."""

import math
from dataclasses import dataclass, field

from prm_scaling.search.path import Path, Rate, Searching, children, distinct


@dataclass
class Node:
    """A node of the tree: ``total`` is the sum of the ``visits`` values that were backed up."""

    path: Path
    parent: "Node | None" = None
    children: "list[Node]" = field(default_factory=list)
    visits: int = 0
    total: float = 0.0

    def uct(self, exploration: float) -> float:
        """UCT(s, a) = Q(s, a) + c sqrt(ln N(s) / N(s, a)) (paper A)."""
        assert self.parent is not None
        return self.total / self.visits + exploration * math.sqrt(math.log(self.parent.visits) / self.visits)


def mcts(budget: int, params, max_steps: int) -> Searching:
    """Select by UCT, expand the leaf by sampled steps, back up each new step's reward as its value.

    Paper A gives the UCT rule but neither the leaf value nor the budget; the leaf value is the PRM's
    reward of the step (Wu et al., appendix), every new child counts as a visit of all its ancestors, and
    a revisit of a finished leaf backs its value up again, so that UCT turns elsewhere. The budget is
    ``budget`` solutions' worth of sampled steps, a solution being as long as the first whole one.
    """
    root = Node(Path())
    sampled, length, finished = 0, max_steps, []
    revisits = 0
    while sampled < budget * length and revisits < budget * max_steps:
        leaf = _select(root, params.mcts.exploration)
        if leaf.path.finished or leaf.path.depth >= max_steps:
            _back_up(leaf, leaf.path.reward)
            revisits += 1
            continue
        count = params.mcts.root_children if leaf is root else params.mcts.children
        grown = yield children([leaf.path], [count])
        sampled += len(grown)
        for path in (yield Rate(tuple(distinct(grown)))):
            node = Node(path, parent=leaf)
            leaf.children.append(node)
            _back_up(node, path.reward)
            if path.finished:
                finished.append(path)
                # A path that was cut is no solution; one without a step still spends one.
                length = next((max(1, p.depth) for p in finished if p.whole), max_steps)
    return finished


def _select(root: Node, exploration: float) -> Node:
    node = root
    while node.children:
        node = max(node.children, key=lambda child: child.uct(exploration))
    return node


def _back_up(node: Node | None, value: float) -> None:
    while node is not None:
        node.visits += 1
        node.total += value
        node = node.parent
