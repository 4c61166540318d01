"""Search strategies. A strategy is a function in a file of its own and one line here."""

from prm_scaling.search.beam import beam
from prm_scaling.search.mcts import mcts
from prm_scaling.search.sampling import sampling

STRATEGIES = {"sampling": sampling, "beam": beam, "mcts": mcts}
