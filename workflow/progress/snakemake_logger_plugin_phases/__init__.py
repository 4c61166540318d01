"""Progress a person can follow: which phase, how many jobs of how many, time gone and about how much is left.

    PYTHONPATH=workflow/progress snakemake --cores all --logger phases      # as `./run` does

A plugin of Snakemake's logger interface, so that nothing is read off printed text; Snakemake's own, full output
stays in ``.snakemake/log``. A rule belongs to the phase whose file under ``workflow/rules`` declares it.
"""

import json
import re
import shutil
import sys
import threading
import time
from collections import Counter
from logging import INFO, LogRecord
from pathlib import Path

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from .board import Board, duration

WORKFLOW = Path(__file__).resolve().parents[2]
SHIPPED_TIMES = WORKFLOW / "progress" / "times.json"
OWN_TIMES = Path(".snakemake/times.json")
RULE = re.compile(r"^\s*(?:rule|checkpoint|use rule \w+ as)\s+(\w+)(?: with)?\s*:", re.MULTILINE)

# What Snakemake says on its way to the first job; all of it is in its log file.
PREAMBLE = (
    "None",
    "Assuming unrestricted shared",
    "Building DAG of jobs",
    "Using shell:",
    "Using profile",
    "host:",
    "Conda environments: ignored",
    "Singularity containers: ignored",
    "Group jobs:",
    "Provided remote nodes",
    "Complete log(s)",
)


def phases_of_rules() -> dict[str, str]:
    """The phase of each rule, in the order in which the Snakefile includes the phases."""
    snakefile = WORKFLOW.parent / "Snakefile"
    order = re.findall(r"rules/(\w+)\.smk", snakefile.read_text()) if snakefile.exists() else []
    rules = WORKFLOW / "rules"
    # A phase is a file, and a folder of that name where it has more parts.
    files = {path.stem: [path, *sorted((rules / path.stem).glob("*.smk"))] for path in sorted(rules.glob("*.smk"))}
    names = [*(name for name in order if name in files), *(name for name in files if name not in order)]
    return {rule: phase for phase in names for path in files[phase] for rule in RULE.findall(path.read_text())}


def scale() -> str:
    """The scale that params.yaml names: job times of one scale say nothing of another."""
    params = WORKFLOW.parent / "params.yaml"
    found = re.search(r"^scale:\s*(\w+)", params.read_text(), re.MULTILINE) if params.exists() else None
    return found[1] if found else "default"


def load_times(path: Path) -> dict[str, dict[str, list[float]]]:
    """Per scale and rule: how many jobs, and their core-seconds in all. A hint only, so a broken file is no hint."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


class LogHandler(LogHandlerBase):
    """Prints the progress of a run; a dry run is printed as Snakemake itself prints it."""

    def __post_init__(self) -> None:
        """Read the rules and the job times of earlier runs."""
        times = load_times(SHIPPED_TIMES).get(scale(), {}) | load_times(OWN_TIMES).get(scale(), {})
        self.board = Board(phases_of_rules(), times, time.monotonic)
        self.labels: dict[int, str] = {}
        self.failed: dict[int, list[str]] = {}
        self.full_logs = ""
        self.interrupted = False
        self.terminal = sys.stderr.isatty()
        self.last_status = float("-inf")
        self.closing = threading.Event()
        self.ticker: threading.Thread | None = None
        self.mutex = threading.RLock()

    @property
    def writes_to_stream(self) -> bool:
        """It replaces Snakemake's output on the terminal."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """It leaves Snakemake's log file as it is."""
        return False

    @property
    def has_filter(self) -> bool:
        """Snakemake's filter (``--quiet``, ``--verbose``) applies."""
        return False

    @property
    def has_formatter(self) -> bool:
        """Snakemake's formatter is used for what this plugin passes on."""
        return False

    @property
    def needs_rulegraph(self) -> bool:
        """It does not."""
        return False

    def emit(self, record: LogRecord) -> None:
        """Take in one message of Snakemake's."""
        try:
            with self.mutex:
                if self.common_settings.dryrun:
                    self._say(self.format(record), sys.stdout)
                else:
                    self._take(record)
        except Exception:  # noqa: BLE001 - a fault in the display must not end a run; it is printed
            self.handleError(record)

    def _take(self, record: LogRecord) -> None:
        event = getattr(record, "event", None)
        if event == LogEvent.RUN_INFO:
            self._begin(record.stats)
        elif event == LogEvent.JOB_INFO:
            wildcards = ", ".join(f"{name}={value}" for name, value in (record.wildcards or {}).items())
            self.labels[record.jobid] = record.rule_name + (f" ({wildcards})" if wildcards else "")
            self.failed.pop(record.jobid, None)  # a further attempt at it
            self.board.started(record.jobid, record.rule_name, record.threads)
            self._status(now=False)
        elif event == LogEvent.JOB_FINISHED:
            self._finished(record.job_id)
        elif event == LogEvent.PROGRESS:
            self.board.total = record.total  # grows where a checkpoint adds jobs
        elif event == LogEvent.JOB_ERROR:
            self._job_failed(record)
        elif event is None or event == LogEvent.ERROR:
            self._pass_on(record)

    def _begin(self, stats: dict[str, int]) -> None:
        self.board.planned(Counter({rule: n for rule, n in stats.items() if rule != "total"}))
        parts = [f"{phase} {total}" for phase, total in self.board.phase_totals().items()]
        self._say(f"{self.board.total} jobs to run" + (f": {', '.join(parts)}" if parts else ""))
        if self.ticker is None:
            self.ticker = threading.Thread(target=self._tick, daemon=True)
            self.ticker.start()

    def _finished(self, jobid: int) -> None:
        phase = self.board.finished(jobid)
        if phase and self.board.is_complete(phase):
            jobs, seconds = self.board.phase_totals()[phase], self.board.phase_seconds(phase)
            self._say(f"{phase}: done, {jobs} job{'s' if jobs > 1 else ''} in {duration(seconds)}")
        self._status(now=False)

    def _job_failed(self, record: LogRecord) -> None:
        self.board.stopped(record.jobid)
        if record.jobid in self.failed or self.interrupted:  # an interrupted job is not at fault
            return
        self.failed[record.jobid] = list(record.log)
        self._say(f"FAILED: {self.labels.get(record.jobid, record.rule_name)}")
        for log in record.log:
            self._say("\n".join([f"    {log}", *(f"      {line}" for line in _last_words(log))]))

    def _pass_on(self, record: LogRecord) -> None:
        text = self.format(record)
        if text.startswith("Complete log(s)"):
            self.full_logs = text
        self.interrupted |= text.startswith("Terminating processes on user request")
        if "At least one job did not complete" in text or text.startswith("Exiting because a job execution failed"):
            return  # the summary says which
        if getattr(record, "exception", "") == "RuleException" and "CalledProcessError" in text:
            return  # "a command failed", which the job's own message says with the log
        running = self.board.total > 0
        if record.levelno > INFO or not (running or text.startswith(PREAMBLE)):
            self._say(text)

    def _tick(self) -> None:
        while not self.closing.wait(1.0):
            with self.mutex:
                self._status(now=False)

    def _status(self, now: bool) -> None:
        """Renew the line on a terminal; elsewhere add one, but not for every job nor every second."""
        clock = time.monotonic()
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f"\r\033[K{self.board.line()[:width]}")
            sys.stderr.flush()
        elif now or clock - self.last_status >= (10 if self.board.moved else 60):
            self.board.moved = False
            self.last_status = clock
            sys.stderr.write(self.board.line() + "\n")
            sys.stderr.flush()

    def _say(self, text: str, stream=sys.stderr) -> None:
        """A line that stays."""
        if text in ("", "None"):
            return
        if self.terminal and stream is sys.stderr:
            stream.write("\r\033[K")
        stream.write(text + "\n")
        stream.flush()

    def close(self) -> None:
        """Name what failed, and keep the job times for the next run's estimate."""
        self.closing.set()
        if self.ticker is not None:
            self.ticker.join()
            with self.mutex:
                self._summary()
                self._keep_times()
            self.ticker = None
        super().close()

    def _summary(self) -> None:
        if self.board.done == self.board.total:
            self._say(f"all {self.board.total} jobs done in {duration(self.board.elapsed())}")
            return
        self._say(f"{self.board.done} of {self.board.total} jobs done in {duration(self.board.elapsed())}")
        if self.failed:
            self._say(f"{len(self.failed)} failed:")
            for jobid, logs in self.failed.items():
                self._say(f"  {self.labels.get(jobid, f'job {jobid}')}: {', '.join(logs) or 'it declares no log'}")
            self._say(self.full_logs)
        if waiting := self.board.total - self.board.done - len(self.failed):
            self._say(f"{waiting} not finished; run again to go on from here")

    def _keep_times(self) -> None:
        times = load_times(OWN_TIMES)
        kept = times.setdefault(scale(), {})
        for rule, (jobs, core_seconds) in self.board.spent.items():
            # A run that only finished what another had left says less than the longer one did.
            if rule in self.board.phases and jobs >= kept.get(rule, [0])[0]:
                kept[rule] = [jobs, round(core_seconds, 1)]
        if OWN_TIMES.parent.is_dir():
            fresh = OWN_TIMES.with_suffix(".tmp")
            fresh.write_text(json.dumps(times, indent=1, sort_keys=True) + "\n")
            fresh.replace(OWN_TIMES)


def _last_words(log: str) -> list[str]:
    """The end of a log, from its last line that is not indented: of a traceback, the error and its message."""
    try:
        lines = [line for line in Path(log).read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ["(there is no such file: the job ended before it wrote one)"]
    outermost = [number for number, line in enumerate(lines) if not line[0].isspace()]
    return lines[outermost[-1] if outermost else 0 :][:6]
