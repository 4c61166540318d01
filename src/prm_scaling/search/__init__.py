"""Search strategies. A strategy is a function in a file of its own and one line here."""

from prm_scaling.search.beam import Beam, beam
from prm_scaling.search.dvts import Dvts, dvts
from prm_scaling.search.greedy import greedy
from prm_scaling.search.greedy_step import greedy_step
from prm_scaling.search.mcts import Mcts, mcts
from prm_scaling.search.rebase import Rebase, rebase
from prm_scaling.search.router import Router, router
from prm_scaling.search.sampling import sampling
from prm_scaling.search.snell_beam import SnellBeam, snell_beam
from prm_scaling.search.strategy import Strategy

STRATEGIES = {
    "sampling": Strategy(sampling),
    "greedy": Strategy(greedy),
    "greedy_step": Strategy(greedy_step),
    "beam": Strategy(beam, Beam),
    "snell_beam": Strategy(snell_beam, SnellBeam),
    "dvts": Strategy(dvts, Dvts),
    "rebase": Strategy(rebase, Rebase),
    "mcts": Strategy(mcts, Mcts),
    "router": Strategy(router, Router),
}
