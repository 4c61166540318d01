"""A folder to break things in: a copy of a finished run, and what is started and killed there."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
SCALE, RESULTS = "faults", Path("results/faults")
COPIED = ("Snakefile", "config", "dvc.yaml", "params.yaml", "profiles", "run", "src", "tools", "workflow")
COPIED += (".dvc/config", ".dvcignore", ".gitignore", "requirements.txt")
# The smoke scale, smaller: it is run once whole, and then only in parts.
SMALLER: dict[str, Any] = {
    "problems": {"sets": {"math_pretrain": {"count": 200}, "code_pretrain": {"count": 100}}},
    "models": {
        "ladder": {"3k": {"steps": 100}, "12k": {"steps": 100}},
        "variants": {"policy": {"steps": 20}, "reasoner": {"steps": 20}},
    },
    "chains": {"samples": 1, "max_tokens": 40},
    "annotate": {"rollouts": 1},
    "search": {"max_steps": 4, "pool": 4, "table_samples": 2, "budgets": [4], "front": {"samples": 2}},
    "evaluate": {"bootstrap": 50, "emergence_samples": 2, "gradient_pairs": 2},
}
# What states how long something took, which no two runs agree on.
TIMED = ("*/figure5.*", "*/claims.*", "*/jobs.csv", "*/costs/*", "*/times.parquet", "*/report.html")


class Unhealed(Exception):
    """A run did not become whole again, or said nothing that helps."""


class NotPossible(Exception):
    """A fault that this machine cannot be made to have."""


@dataclass(frozen=True)
class Made:
    """A job of the finished run: its rule, script and files, by its record."""

    rule: str
    script: str
    outputs: tuple[Path, ...]
    record: Path


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """``base`` with the values of ``over``, mapping by mapping."""
    return base | {
        key: merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
        for key, value in over.items()
    }


def lay_out(folder: Path) -> None:
    """The checkout's code at the harness's scale, committed, in ``folder``."""
    for name in COPIED:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns("__pycache__", "times.json"))
        else:
            shutil.copy2(ROOT / name, target)
    scale = merged(yaml.safe_load((ROOT / "config" / "smoke.yaml").read_text()), SMALLER)
    (folder / "config" / f"{SCALE}.yaml").write_text(
        yaml.safe_dump(scale | {"scale": SCALE, "results": str(RESULTS)}, sort_keys=False)
    )
    author = ("-c", "user.name=faults", "-c", "user.email=faults@localhost")
    subprocess.run([sys.executable, "run", "scale", SCALE], cwd=folder, check=True, capture_output=True)
    for words in (("init", "--quiet"), ("add", "--all"), (*author, "commit", "--quiet", "-m", "as it stands")):
        subprocess.run(["git", *words], cwd=folder, check=True)


def content(folder: Path) -> dict[str, str]:
    """A hash of every result in a finished run that holds no times."""
    files = (path for path in (folder / RESULTS).rglob("*") if path.is_file() and not path.name.startswith("."))
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
        if not any(path.match(glob) for glob in TIMED)
    }


class Ground:
    """One copy of the finished run, to be broken once."""

    def __init__(self, finished: Path, folder: Path, seed: str) -> None:
        shutil.copytree(finished, folder, symlinks=True)
        self.folder = folder.resolve()
        self.random = random.Random(seed)
        self.logs = 0

    # --- running ---

    def start(self, *command: str, **environment: str) -> subprocess.Popen:
        """A command that is under way in the folder; what it says goes to a file."""
        self.logs += 1
        with (self.folder / f"said-{self.logs}.txt").open("w") as words:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, "RUN_VENV": sys.prefix, "PYTHONPATH": str(self.folder / "src"), **environment},
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                start_new_session=True,
            )

    def started(self, *targets: Path, **environment: str) -> subprocess.Popen:
        """A `./run` of these files that is under way."""
        return self.start(sys.executable, "run", "--cores", "1", *map(str, targets), **environment)

    def run(self, *targets: Path, **environment: str) -> tuple[int, str]:
        """Exit status and words of a `./run`."""
        return self.ended(self.started(*targets, **environment)), self.said()

    def said(self) -> str:
        """What the last command said, and the logs of the jobs that failed in it."""
        words = (self.folder / f"said-{self.logs}.txt").read_text(errors="replace")
        logs = {line.strip() for line in words.splitlines() if line.strip().endswith(".log")}
        told = [self.folder / log for log in sorted(logs) if (self.folder / log).is_file()]
        return "\n".join([words, *(log.read_text(errors="replace")[-3000:] for log in told)])

    def processes(self, word: str) -> list[int]:
        """Processes that work in the folder and have a word in their command line."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended meanwhile
                if (process / "cwd").resolve().is_relative_to(self.folder):
                    line = (process / "cmdline").read_bytes().decode(errors="replace")
                    if word in line and int(process.name) != os.getpid():
                        found.append(int(process.name))
        return sorted(found)

    def wait_for(self, true: Callable[[], Any], process: subprocess.Popen, seconds: float = 1800) -> Any:
        """What ``true`` gives once it is something; :class:`Unhealed` if the process ends before, or too late."""
        until = time.monotonic() + seconds
        while not (found := true()):
            if process.poll() is not None or time.monotonic() > until:
                raise Unhealed(f"what was to be broken never came: {self.said()[-1500:]}")
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.02)
        return found

    def ended(self, process: subprocess.Popen, seconds: float = 3600) -> int:
        """The exit status of a process, once it has ended."""
        try:
            return process.wait(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise Unhealed(f"a run did not end in {seconds:.0f} s: {self.said()[-1500:]}") from error

    def after(self, process: subprocess.Popen, most: float) -> None:
        """Wait for a while of at most so many seconds, or until a process ends."""
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=self.random.uniform(0, most))

    def kill(self, word: str) -> None:
        """Kill -9 of all processes in the folder that have a word in their command line."""
        for pid in self.processes(word):
            with suppress(ProcessLookupError):  # it has just ended
                os.kill(pid, signal.SIGKILL)

    # --- files ---

    def jobs(self, *rules: str) -> Iterator[Made]:
        """The jobs of these rules (of all, if none is named)."""
        for path in sorted((self.folder / "logs" / SCALE).glob("*/*.json")):
            record = json.loads(path.read_text())
            if not rules or record["rule"] in rules:
                script = next(name for name in record["inputs"] if name.startswith("workflow/scripts/"))
                yield Made(record["rule"], Path(script).name, tuple(map(Path, record["outputs"])), path)

    def pick(self, *rules: str) -> Made:
        """One of the jobs of these rules."""
        return self.random.choice(list(self.jobs(*rules)))

    def undo(self, job: Made) -> None:
        """As if a job had not run yet."""
        for path in job.outputs:
            (self.folder / path).unlink(missing_ok=True)
        job.record.unlink()

    def pick_file(self, *suffixes: str) -> Path:
        """One of the results with these suffixes that a job made, in the folder."""
        paths = [path for job in self.jobs() for path in job.outputs if path.suffix in suffixes]
        return self.folder / self.random.choice(sorted(paths))
