"""What the active scale will take, without running it: jobs, hours, tokens, disk, and the longest chain of jobs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prm_scaling.config import Params
from prm_scaling.provenance.graph import Job, data_of, makers
from prm_scaling.provenance.rates import seconds_of
from prm_scaling.provenance.work import Load, Work


@dataclass(frozen=True)
class Cost:
    """What one job takes: seconds of a core, or of all its GPUs together, and whether that was measured."""

    job: Job
    load: Load
    seconds: float
    gpus: int
    measured: bool

    @property
    def waited(self) -> float:
        """Seconds from its start to its end."""
        return self.seconds / max(1, self.gpus)


class Plan:
    """The costs of all jobs of a graph: by their names those that were ``measured``, the others by ``rates``."""

    def __init__(self, params: Params, graph: list[Job], rates: dict[str, Any], measured: Mapping[str, float]) -> None:
        self.params = params
        self.rates = rates
        self.work = Work(params, rates)
        self.made = makers(graph)
        self.costs = {job.output[0]: self.cost(job, measured) for job in graph}

    def cost(self, job: Job, measured: Mapping[str, float]) -> Cost:
        """What a job takes, measured if there is a record of it."""
        load, gpus = self.work.load(job.rule, job.wildcards), job.resources.get("gpu", 0)
        took = measured.get(job.name)
        seconds = seconds_of(load, self.rates, self.params.engine.device) if took is None else took
        return Cost(job, load, seconds, gpus, took is not None)

    def longest(self) -> list[Cost]:
        """The chain of jobs, each of which waits for the one before it, that takes longest."""
        reached: dict[str, tuple[float, str]] = {}  # first output -> seconds until the job is done, job before it

        def until(name: str) -> float:
            if name not in reached:
                cost = self.costs[name]
                before = {self.made[path].output[0] for path in data_of(cost.job, self.made)}
                last = max(before, key=until, default="")
                reached[name] = (until(last) if last else 0.0) + cost.waited, last
            return reached[name][0]

        name = max(self.costs, key=until, default="")
        chain = []
        while name:
            chain.append(self.costs[name])
            name = reached[name][1]
        return chain[::-1]

    def wall(self, cores: int) -> float:
        """Seconds that all jobs take with ``cores`` at once (each with its GPUs), Snakemake itself included."""
        work = sum(cost.waited + self.rates["scheduling"] for cost in self.costs.values())
        return max(sum(cost.waited for cost in self.longest()), work / cores)

    def report(self, cores: int) -> str:
        """What `plan` prints; ``cores`` is how many jobs run at once."""
        rows: list[tuple[str, ...]] = [("phase", "jobs", "CPU h", "GPU h", "tokens", "MB")]
        jobs = Counter(cost.job.phase for cost in self.costs.values())
        for phase in [*dict.fromkeys(p for p in PHASES if p in jobs), "all"]:
            rows.append(self._row(phase, [c for c in self.costs.values() if phase in ("all", c.job.phase)]))
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [
            "  ".join(
                text.ljust(w) if i == 0 else text.rjust(w) for i, (text, w) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]
        chain = self.longest()
        alone = sum(cost.waited for cost in chain)
        measured = sum(cost.measured for cost in self.costs.values())
        lines += ["", f"The longest chain of jobs takes {_time(alone)}:"]
        lines += [f"  {_time(cost.waited):>9}  {cost.job.name}" for cost in chain]
        lines += [f"With {cores} jobs at once: about {_time(self.wall(cores))}."]
        lines += [
            f"Of {len(self.costs)} jobs {measured} are reckoned by what they took before, the others by rates.yaml."
        ]
        return "\n".join(lines)

    @staticmethod
    def _row(phase: str, costs: list[Cost]) -> tuple[str, ...]:
        cpu, gpu = (sum(c.seconds for c in costs if bool(c.gpus) is on) / 3600 for on in (False, True))
        tokens = sum(c.load.train + c.load.generate + c.load.reward for c in costs)
        size = sum(c.load.bytes for c in costs) / 1e6
        return phase, str(len(costs)), f"{cpu:,.2f}", f"{gpu:,.1f}", f"{tokens:,.0f}", f"{size:,.0f}"


PHASES = ("problems", "models", "chains", "annotate", "filter", "train", "search", "evaluate", "figures")


def _time(seconds: float) -> str:
    """Seconds as people say them."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
