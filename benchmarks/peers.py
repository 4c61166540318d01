"""Search against its-hub (best-of-N, beam search, particle filtering) and treequest (MCTS), in one environment.

    python3 -m venv ~/.cache/prm-scaling/peers
    ~/.cache/prm-scaling/peers/bin/pip install -r benchmarks/peers-requirements.txt
    PYTHONPATH=src ~/.cache/prm-scaling/peers/bin/python benchmarks/peers.py              # after `dvc pull`
    PYTHONPATH=src ~/.cache/prm-scaling/peers/bin/python benchmarks/peers.py --size 100m  # random weights

Each takes some eight minutes on one core. As for `./run`, PIP_EXTRA_INDEX_URL may name an index with PyTorch's smaller
build; no server and nothing of CUDA is needed.

Both sides have the same policy and PRM objects, fp32, one thread, temperature 1, the same problems, and the same ends:
a step ends with its separator, a solution with the end-of-text token, a step that is too long or the greatest depth.
They take turns, after a problem that does not count; a ratio compares two neighbours in time.

The budget is the same in tokens: best-of-N has N solutions on both sides, beam search and particle filtering N paths
a level, and treequest goes on for each problem until it has generated what this project's MCTS generated for it. What
differs all the same (lengths are sampled; its-hub's first level has N/M paths instead of N) is counted and divided
out: `times faster` is the ratio of wall seconds a generated token, its median over the repeats with the least and the
most; `by processor` the same of the processor's seconds, which what else runs on the machine lengthens less. `in
models` is the share of this project's time within forward passes of both models, keys and values included, and `at
most` the ratio that it would have if nothing else took it any time.

The peers bring no model of their own that runs without a server, so theirs is `transformers.generate` here, in the
best shape that their interfaces allow:

- Whatever waits at the same time is one batch: the samples, beams or particles of a problem, the children of a node
  (treequest's `ask_batch`), and the PRM's texts. Prefixes are sorted by length, so that there is little padding.
- `one by one`: a problem after the other, as both packages are documented. `together`: all problems at once, through
  its-hub's `ainfer` in one event loop whose requests are merged, and treequest's ask and tell in lockstep. No user gets
  that from the packages: the merging is written here.
- What no interface of theirs carries is left out: keys and values from one step to the next. its-hub hands over text,
  so it is tokenized again; treequest's states are token ids. (A server that keeps prefixes would save its-hub a part of
  that; none is measured here.)
- `times fewer computed` is the ratio of tokens that both models compute for a generated one, padding left out: what
  kept prefixes save. Where a token's arithmetic is all that counts, as with large models on a processor, no search can
  be faster by more than that; small models gain from full batches beside it.
- `reward` is the mean PRM score of the best answers, 0 where a search has found none: whether both sides have searched
  equally well. treequest does not know that two nodes hold the same text, so at the same budget it gets less deep.

`one by one` takes so long that it has only the first `--alone` problems: it is linear in their number by construction,
and the ratio is of seconds a token. A claim of 5 times holds if it holds against the faster of a peer's two shapes.

How time grows with the number of problems and with the budget is measured once each, on the peers only up to `--paths`
and, one by one, `--alone`. 100 million parameters are slow on one core, so there are few problems there by default.
Records: `peers.json` and `peers-growth.json`, with random weights `peers-100m.json`.
"""

import argparse
import statistics
from dataclasses import replace

import torch
from common import record
from peers_own import BRANCHING, Cost, Project, Task, forced, trained
from peers_theirs import Hub, Quest

PEER_OF = {"best_of_n": "its-hub", "beam": "its-hub", "particles": "its-hub", "mcts": "treequest"}
# So that a run takes less than ten minutes on one core.
DEFAULTS = {
    "trained": {"budget": 16, "problems": 64, "alone": 8, "repeats": 3, "growth": ["beam", "mcts"]},
    "100m": {"budget": 4, "problems": 4, "alone": 2, "repeats": 3, "growth": []},
}


class Contest:
    """Both sides on one task.

    Attributes:
        ends: see :class:`Task`.
    """

    def __init__(self, task: Task):
        self._task, self.ends = task, task.ends
        self._project, self._hub, self._quest = Project(task), Hub(task), Quest(task)

    def project(self, strategy: str, budget: int, count: int, seed: int) -> Cost:
        """This project on the first ``count`` questions."""
        return self._project.run(strategy, budget, self._task.questions[:count], seed)

    def peer(self, strategy: str, budget: int, own: Cost, together: bool, seed: int) -> Cost:
        """The peer on the questions that ``own`` is of, or on the first of them."""
        questions = self._task.questions[: len(own.tokens)]
        if PEER_OF[strategy] == "its-hub":
            return self._hub.run(strategy, budget, questions, together, seed)
        return self._quest.run(own.tokens, budget * self._task.limits.max_steps, questions, together, seed)

    def warm_up(self, strategy: str, budget: int) -> None:
        """What is done once is done here."""
        own = self.project(strategy, budget, 1, 0)
        for together in (False, True):
            self.peer(strategy, budget, own, together, 0)


def times_faster(own: Cost, peer: Cost) -> float:
    """The ratio of wall seconds a generated token."""
    return (peer.seconds / sum(peer.tokens)) / (own.seconds / sum(own.tokens))


def by_processor(own: Cost, peer: Cost) -> float:
    """The same of the processor's seconds."""
    return (peer.processor / sum(peer.tokens)) / (own.processor / sum(own.tokens))


def compared(contest: Contest, strategy: str, budget: int, count: int, alone: int, repeats: int) -> list[dict]:
    """A row for each of the peer's shapes; ``one by one`` has the first ``alone`` problems only."""
    turns = []
    for seed in range(repeats):
        own = contest.project(strategy, budget, count, seed)
        few = replace(own, tokens=own.tokens[:alone])
        theirs = {"one by one": contest.peer(strategy, budget, few, False, seed)}
        theirs["together"] = contest.peer(strategy, budget, own, True, seed)
        turns.append((own, theirs))
    rows = []
    for shape in ("one by one", "together"):
        pairs = [(own, theirs[shape]) for own, theirs in turns]
        problems = len(pairs[0][1].tokens)
        faster = [times_faster(a, b) for a, b in pairs]
        read = [(b.computed / sum(b.tokens)) / (a.computed / sum(a.tokens)) for a, b in pairs]
        row = {
            "strategy": strategy,
            "peer": f"{PEER_OF[strategy]}, {shape}",
            "budget": budget,
            "problems": f"{count}, peer {problems}" if problems < count else str(count),
            "s": statistics.median(a.seconds for a, _ in pairs),
            "peer s": statistics.median(b.seconds for _, b in pairs),
            "tokens a problem": statistics.median(statistics.mean(a.tokens) for a, _ in pairs),
            "peer tokens": statistics.median(statistics.mean(b.tokens) for _, b in pairs),
        }
        if contest.ends:
            row["reward"] = statistics.median(a.reward for a, _ in pairs)
            row["peer reward"] = statistics.median(b.reward for _, b in pairs)
        row |= {"times fewer computed": statistics.median(read), "times faster": statistics.median(faster)}
        row |= {"least": min(faster), "most": max(faster)}
        row["in models"] = statistics.median(a.passes / a.seconds for a, _ in pairs)
        row["at most"] = statistics.median(times_faster(a, b) * a.seconds / a.passes for a, b in pairs)
        row["by processor"] = statistics.median(by_processor(a, b) for a, b in pairs)
        rows.append(row)
    return rows


def grown(contest: Contest, strategy: str, budget: int, count: int, alone: int, paths: int) -> dict:
    """How long each contender takes for so many problems of such a budget; the peers up to their bounds."""
    own = contest.project(strategy, budget, count, 0)
    row = {"strategy": strategy, "budget": budget, "problems": count, "tokens": sum(own.tokens), "s": own.seconds}
    within = {"one by one": count <= alone and count * budget <= paths, "together": count * budget <= paths}
    for shape, measured in within.items():
        theirs = contest.peer(strategy, budget, own, shape == "together", 0) if measured else None
        row[f"peer {shape} s"] = theirs.seconds if theirs else None
        row[f"times faster, {shape}"] = times_faster(own, theirs) if theirs else None
    return row


def main() -> None:
    """Measures and records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=list(DEFAULTS), default="trained")
    parser.add_argument("--policy", default="results/models/policy")
    parser.add_argument("--prm", default="results/train/aslaf-124k-s0")
    parser.add_argument("--problem-sets", default="results/problems", help="folder; those of split `test` are taken")
    parser.add_argument("--rows", type=int, default=512, help="sequences decoded together, on both sides")
    parser.add_argument("--strategies", nargs="+", choices=list(PEER_OF), default=list(PEER_OF))
    parser.add_argument("--budget", type=int, help=f"solutions, or paths a level; a multiple of {BRANCHING}")
    parser.add_argument("--problems", type=int)
    parser.add_argument("--alone", type=int, help="problems at most of the peers' one-by-one shape")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--growth", nargs="*", choices=list(PEER_OF), help="strategies")
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 8, 64, 512], help="of problems, for the growth")
    parser.add_argument("--budgets", type=int, nargs="+", default=[4, 16, 64], help="for the growth")
    parser.add_argument("--paths", type=int, default=1024, help="problems times budget at most of the peers' growth")
    parser.set_defaults(**DEFAULTS[parser.parse_known_args()[0].size])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    most = max([arguments.problems, *(arguments.counts if arguments.growth else [])])
    for budget in {arguments.budget, *arguments.budgets}:
        if budget < 1 or budget % BRANCHING:
            parser.error(f"a budget of {budget}: its-hub's beam search needs a multiple of {BRANCHING}")
    if arguments.size == "trained":
        task = trained(arguments.policy, arguments.prm, arguments.problem_sets, arguments.rows)
    else:
        task = forced(arguments.size, arguments.rows, most)
    if len(task.questions) < most:
        parser.error(f"{most} problems are asked for, {arguments.problem_sets} has {len(task.questions)} to test on")
    contest = Contest(task)
    given, packages = vars(arguments), ("its-hub", "treequest")
    rows = []
    for strategy in arguments.strategies:
        contest.warm_up(strategy, arguments.budget)
        rows += compared(contest, strategy, arguments.budget, arguments.problems, arguments.alone, arguments.repeats)
    suffix = "" if arguments.size == "trained" else f"-{arguments.size}"
    record(f"peers{suffix}", given, rows, packages)
    points = [(arguments.budget, n) for n in arguments.counts] + [(b, arguments.problems) for b in arguments.budgets]
    grows = [
        grown(contest, strategy, budget, count, arguments.alone, arguments.paths)
        for strategy in arguments.growth
        for budget, count in dict.fromkeys(points)
    ]
    if grows:
        record(f"peers-growth{suffix}", given, grows, packages)


if __name__ == "__main__":
    main()
