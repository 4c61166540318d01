"""Searches on scripted engines, for the tests of the strategies and of the scheduler."""

import time
from contextlib import contextmanager
from types import SimpleNamespace

import torch

from prm_scaling.engines.interface import Extension, Scored
from prm_scaling.engines.scripted import END, ScriptedPolicy, ScriptedScorer, text_of, tokens_of
from prm_scaling.problems.record import Question
from prm_scaling.search.ledger import Size
from prm_scaling.search.scheduler import Limits, Scheduler
from prm_scaling.search.settings import parameters
from prm_scaling.seeds import stream

LIMITS = Limits(temperature=1.0, step_tokens=20, max_steps=9, separator="\n")
SIZES = (Size(1000, 2, 8), Size(10, 1, 4))


def params(
    width: int = 2, exploration: float = 1.0, root_children: int = 2, children: int = 2, **sections: dict
) -> SimpleNamespace:
    """Parameters of every strategy; ``sections`` change some, as ``rebase={"rounding": "released"}``."""
    plain = {
        "beam": {"width": width},
        "snell_beam": {"continuations": width, "lookahead": 0},
        "dvts": {"continuations": width},
        "rebase": {"temperature": 0.1, "rounding": "paper"},
        "mcts": {
            **{"exploration": exploration, "root_children": root_children, "children": children, "simulations": None},
            **{"leaf": "prm", "rollouts": 1, "mixing": 0.5, "aggregation": "min", "backup": "mean"},
        },
        "router": {
            **{"probe": 2, "tree": "rebase", "aggregation": "min", "tokens": None},
            "thresholds": {"agreement": 1.0, "score": 0.5, "tree": 0.9},
        },
    }
    return parameters({name: section | sections.get(name, {}) for name, section in plain.items()})


def last_lines(asked) -> list[str | None]:
    """The answer of a scripted path is its last line, if the policy ended it."""
    return [text_of(p.tokens).split("\n")[-1] or None if p.whole else None for _, p in asked]


def random_tokens(seed: int, *lengths: int) -> list[tuple[int, ...]]:
    generator = torch.Generator().manual_seed(seed)
    return [tuple(torch.randint(2, 500, (n,), generator=generator).tolist()) for n in lengths]


@contextmanager
def fed(model):
    """The shapes (rows, tokens) of what a model is fed meanwhile."""
    shapes: list[tuple[int, int]] = []

    def note(module, args, kwargs) -> None:
        shapes.append(tuple(kwargs["input_ids"].shape))

    handle = model.base_model.register_forward_pre_hook(note, with_kwargs=True)
    try:
        yield shapes
    finally:
        handle.remove()


def line_ends(tokens: tuple[int, ...]) -> tuple[int, ...]:
    ends = [i + 1 for i, t in enumerate(tokens) if chr(t) == "\n"]
    return (*ends, len(tokens)) if tokens and (not ends or ends[-1] != len(tokens)) else tuple(ends)


class Run:
    """One strategy over questions ``Q0 ``, ``Q1 ``, ... (or ``Q ``) on scripted engines."""

    def __init__(
        self,
        strategy,
        budget,
        tree,
        rewards,
        questions=("Q ",),
        limits=LIMITS,
        seed=0,
        clock=time.perf_counter,
        **options,
    ):
        self.policy, self.scorer = ScriptedPolicy(tree), ScriptedScorer(rewards)
        given = (limits, SIZES, seed, last_lines, text_of, clock)
        scheduler = Scheduler(self.policy, self.scorer, line_ends, *given)
        asked = [(Question(text, "math", text), tokens_of(text)) for text in questions]
        self.results = scheduler.run(asked, lambda: strategy(budget, params(**options), limits.max_steps))
        self.paths, self.ledger = self.results[0]

    @property
    def texts(self) -> list[str]:
        return [text_of(p.tokens) for p in self.paths]


# Level 1: a .9, b .8, c .1, d .2: a and b stay. Level 2 (two children each): ae 1.0, af 1.2, bg 1.3 (ends),
# bh 1.4: bh and bg stay. Level 3 (all four of bh): bhi 1.45, bhj 1.6, each sampled twice; bg keeps its 1.3.
BEAM_TREE = {
    "Q ": ["a\n", "b\n", "c\n", "d\n"],
    "Q a\n": ["e\n", "f\n"],
    "Q b\n": ["g" + END, "h\n"],
    "Q b\nh\n": ["i" + END, "j" + END],
}
BEAM_REWARDS = {
    **{"Q a\n": 0.9, "Q b\n": 0.8, "Q c\n": 0.1, "Q d\n": 0.2},
    **{"Q a\ne\n": 0.1, "Q a\nf\n": 0.3, "Q b\ng": 0.5, "Q b\nh\n": 0.6},
    **{"Q b\nh\ni": 0.05, "Q b\nh\nj": 0.2},
}

# c = 1. After the root: N(root)=2, a .9, b .1: a by UCT. After a: N(a)=3, Q(a)=(.9+.9+.1)/3=.633, N(root)=4:
# a .633+sqrt(ln4/3)=1.313, b .1+sqrt(ln4)=1.277: a again; below it c, a finished leaf: revisited with .9, so
# N(a)=4, Q(a)=.7, N(root)=5: a .7+sqrt(ln5/4)=1.334, b .1+sqrt(ln5)=1.369: b, at last.
MCTS_TREE = {
    "Q ": ["a\n", "b\n"],
    "Q a\n": ["c" + END, "d" + END],
    "Q b\n": ["e" + END, "f" + END],
}
MCTS_REWARDS = {"Q a\n": 0.9, "Q b\n": 0.1, "Q a\nc": 0.9, "Q a\nd": 0.1, "Q b\ne": 0.5, "Q b\nf": 0.6}


class RandomEngine:
    """Steps and rewards that are a function of the seed alone: some steps end, some are cut."""

    context, halvings = 1 << 20, 0
    unscored = 0.0  # the share of steps that the PRM cannot score

    def forget(self):
        pass

    def extend(self, requests):
        made = []
        for request in requests:
            rng = stream("engine", request.seed)
            size, finish = int(rng.integers(0, 3)), str(rng.choice(["stop", "stop", "end", "length"]))
            text = "".join(rng.choice(["a", "b"], size)) + ("\n" if finish == "stop" else "")
            if not request.sampling.stop and finish == "stop":
                finish = "end"
            made.append(Extension(tokens_of(text), finish, len(request.prefix), 0))
        return made

    def score(self, requests):
        return [Scored(tuple(self._reward(r.tokens[: p + 1]) for p in r.positions), len(r.tokens), 0) for r in requests]

    def _reward(self, tokens) -> float:
        rng = stream("reward", tokens)
        return float("nan") if rng.random() < self.unscored else float(rng.random())
