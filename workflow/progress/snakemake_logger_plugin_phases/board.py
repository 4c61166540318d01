"""What is done, what runs and what is left; knows no logging, no terminal and no Snakemake."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Running:
    """A job at work since ``since`` (seconds of the board's clock)."""

    rule: str
    threads: int
    since: float


class Board:
    """Counts jobs by rule and phase, and estimates the time left.

    ``phases`` gives each rule's phase, in the phases' order. ``known`` gives, per rule, the number of jobs and the
    core-seconds that they took in all in an earlier run; times are counted in core-seconds because jobs share cores.
    """

    def __init__(self, phases: dict[str, str], known: dict[str, list[float]], clock: Callable[[], float]) -> None:
        self.phases = phases
        self.known = known
        self.clock = clock
        self.begun = clock()
        self.plan: Counter[str] = Counter()
        self.total = 0
        self.done = 0
        self.running: dict[int, Running] = {}
        self.spent: dict[str, list[float]] = defaultdict(lambda: [0, 0.0])  # rule: jobs, core-seconds
        self.first: dict[str, float] = {}  # phase: when its first job began
        self.last: dict[str, float] = {}  # phase: when its latest job ended
        self.moved = True  # something began or ended since whoever shows the board last looked

    def planned(self, jobs: Counter[str]) -> None:
        """So many jobs of each rule are to be run."""
        self.plan = jobs
        self.total = jobs.total()
        self.begun = self.clock()

    def started(self, jobid: int, rule: str, threads: int) -> None:
        """A job begins, or begins again."""
        self.running[jobid] = Running(rule, threads, self.clock())
        if rule in self.phases:
            self.first.setdefault(self.phases[rule], self.clock())
        self.moved = True

    def finished(self, jobid: int) -> str:
        """A job has ended well; its phase, or "" for a rule outside the phases."""
        job = self.running.pop(jobid, None)
        self.done += 1
        self.moved = True
        if job is None:
            return ""
        spent = self.spent[job.rule]
        spent[0] += 1
        spent[1] += (self.clock() - job.since) * job.threads
        phase = self.phases.get(job.rule, "")
        self.last[phase] = self.clock()
        return phase

    def stopped(self, jobid: int) -> None:
        """A job has ended otherwise."""
        self.running.pop(jobid, None)
        self.moved = True

    def phase_totals(self) -> dict[str, int]:
        """The jobs of each phase that has some, in the order of the phases."""
        counts = dict.fromkeys(self.phases.values(), 0)
        for rule, jobs in self.plan.items():
            if rule in self.phases:
                counts[self.phases[rule]] += jobs
        return {phase: jobs for phase, jobs in counts.items() if jobs}

    def phase_done(self, phase: str) -> int:
        """How many of a phase's jobs have ended well."""
        return int(sum(jobs for rule, (jobs, _) in self.spent.items() if self.phases.get(rule) == phase))

    def is_complete(self, phase: str) -> bool:
        """Whether all jobs of a phase have ended well."""
        return self.phase_done(phase) == self.phase_totals().get(phase, 0)

    def phase_seconds(self, phase: str) -> float:
        """From the start of a phase's first job to the end of its latest."""
        return self.last.get(phase, 0.0) - self.first.get(phase, 0.0)

    def elapsed(self) -> float:
        """Seconds since the first job could start."""
        return self.clock() - self.begun

    def left(self) -> float | None:
        """Seconds until all is done, or None where some rule's jobs were never timed.

        The core-seconds still to come, over the number of cores that were busy on average so far.
        """
        now = self.clock()
        at_work: Counter[str] = Counter()
        for job in self.running.values():
            at_work[job.rule] += (now - job.since) * job.threads
        pace = self._pace()
        to_come = 0.0
        for rule, jobs in self.plan.items():
            finished, used = self.spent.get(rule, (0, 0.0))
            if finished >= jobs or rule not in self.phases:
                continue
            if rule in self.known:
                count, seconds = self.known[rule]
                mean = pace * seconds / count
            elif finished:
                mean = used / finished
            else:
                return None
            # Against the whole rule's expectation, not the mean of the jobs left: they differ in size.
            to_come += max(jobs * mean - used - at_work[rule], 0.1 * mean * (jobs - finished))
        busy = sum(used for _, used in self.spent.values()) + at_work.total()
        return to_come * self.elapsed() / busy if busy > 1 else None

    def _pace(self) -> float:
        """How much longer than in the earlier run the completed rules took."""
        complete = [rule for rule, (jobs, _) in self.spent.items() if jobs >= self.plan[rule] and rule in self.known]
        expected = sum(self.known[rule][1] * self.plan[rule] / self.known[rule][0] for rule in complete)
        return sum(self.spent[rule][1] for rule in complete) / expected if expected > 5 else 1.0

    def line(self) -> str:
        """The state in one line.

        >>> now = [0.0]
        >>> board = Board({"make": "problems", "fit": "train"}, {"fit": [2, 600.0]}, lambda: now[0])
        >>> board.planned(Counter(make=1, fit=4))
        >>> board.started(1, "make", threads=1)
        >>> now[0] = 20.0
        >>> board.finished(1)
        'problems'
        >>> board.started(2, "fit", threads=1)
        >>> now[0] = 80.0
        >>> board.line()
        'train 0 of 4 jobs, 80 s gone, about 19 min left (1 of 5 in all)'
        """
        totals = self.phase_totals()
        now_on = {self.phases.get(job.rule, "") for job in self.running.values()}
        parts = [f"{phase} {self.phase_done(phase)} of {totals[phase]}" for phase in totals if phase in now_on]
        times = f"{duration(self.elapsed())} gone"
        left = self.left()
        if left is not None:
            times += f", about {duration(left)} left"
        return (f"{', '.join(parts)} jobs, " if parts else "") + f"{times} ({self.done} of {self.total} in all)"


def duration(seconds: float) -> str:
    """Seconds as a person says them.

    >>> [duration(s) for s in (0.2, 42, 100, 3900)]
    ['1 s', '42 s', '2 min', '1 h 05 min']
    """
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"
