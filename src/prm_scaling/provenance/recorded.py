"""What the committed run was, and what ran here: the hash of every result, and which files no longer fit.

DVC and git are asked through their own commands.
"""

import hashlib
import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from prm_scaling.provenance.record import outputs_of, sha256


class NotRecorded(Exception):
    """What is asked about cannot be answered from what is here; the message says what to do."""


def ask(*command: str) -> str:
    """What a command says; :class:`NotRecorded` with its own words if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise NotRecorded(f"`{command[0]}` is not installed: `./run setup` installs what is pinned") from error
    if done.returncode != 0:
        raise NotRecorded(f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


@dataclass(frozen=True)
class Recorded:
    """The committed run of the active scale, and the jobs that ran here.

    ``hashes``: MD5 of every result that dvc.lock knows one by one. ``in_git``: results that git has, and whether each
    is as committed. ``stale``: phase -> path (or "command") -> what DVC says of it. ``commit``: where dvc.lock was
    last changed; empty where it is not in git. All are empty where dvc.lock does not have the scale. ``made``: SHA-256
    of what jobs have made here, by their own records.
    """

    hashes: dict[str, str]
    in_git: dict[str, bool]
    stale: dict[str, dict[str, str]]
    commit: str
    made: dict[str, str] = field(default_factory=dict)

    def is_as_made(self, path: str) -> bool:
        """Whether a file is what a job has made here."""
        return path in self.made and sha256(path) == self.made[path]

    def check(self, path: str) -> str:
        """ "" if ``path`` is what its job made, here or in the committed run, else what is wrong, and what to do."""
        file = Path(path)
        if not file.is_file():
            return f"is not here: `dvc pull {path}` fetches it" if path in self.hashes else "is not here"
        if self.is_as_made(path):
            return ""
        committed = self.check_committed(path)
        if path in self.made and (committed or not self.hashes):
            return f"is not what its job made: `./run {path} --force` makes it again"
        return committed

    def check_committed(self, path: str) -> str:
        """The same of a file that is here, by the committed run alone; "" where that has another scale."""
        file = Path(path)
        if not self.hashes:
            return ""
        if path in self.hashes:
            if md5(file) != self.hashes[path]:
                return f"is not the file that dvc.lock records: `dvc checkout {path}` brings that one back"
            return ""
        if path in self.in_git:
            return "" if self.in_git[path] else f"is not as committed: `git checkout {path}` brings that one back"
        return "is not recorded: neither dvc.lock nor git knows it"


def md5(path: Path) -> str:
    """MD5 of a file, which is what DVC names it by."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def recorded(results: str, records: Path) -> Recorded:
    """What is recorded of the run with these ``results`` and the ``records`` of its jobs, a folder a phase.

    Raises:
        NotRecorded: DVC cannot say.
    """
    made = {path: digest for file in sorted(records.glob("*/*.json")) for path, digest in outputs_of(file).items()}
    lock = Path("dvc.lock")
    stages = yaml.safe_load(lock.read_text())["stages"].values() if lock.exists() else []
    # The lock is of one scale at a time.
    stages = [stage for stage in stages if stage["params"]["params.yaml"]["results"] == results]
    outs = [out for stage in stages for out in stage["outs"]]
    if not outs:
        return Recorded({}, {}, {}, "", made)
    hashes = {out["path"]: out["md5"] for out in outs if not out["md5"].endswith(".dir")}
    listed = json.loads(ask("dvc", "ls", "--recursive", "--dvc-only", "--show-hash", "--json", "."))
    hashes.update({entry["path"]: entry["md5"] for entry in listed if entry.get("md5")})
    # Before the first commit there is nothing to compare with.
    committed = subprocess.run(["git", "rev-parse", "--quiet", "--verify", "HEAD"], capture_output=True).returncode == 0
    tracked = ask("git", "ls-files", "-z", "--", results).split("\0")[:-1] if committed else []
    touched = set(ask("git", "diff", "--name-only", "-z", "HEAD", "--", results).split("\0") if committed else [])
    return Recorded(
        hashes,
        {path: path not in touched for path in tracked},
        stale_phases(json.loads(ask("dvc", "status", "--json"))),
        ask("git", "log", "-1", "--format=%h of %cs", "--", "dvc.lock").strip() if committed else "",
        made,
    )


def stale_phases(status: dict[str, Any]) -> dict[str, dict[str, str]]:
    """`dvc status --json`, with one mapping a phase."""
    found: dict[str, dict[str, str]] = {}
    for phase, entries in status.items():
        found[phase] = {}
        for entry in entries:
            if isinstance(entry, str):
                found[phase]["command"] = entry
                continue
            for paths in entry.values():
                for path, what in paths.items():
                    found[phase].update(
                        {f"{path}: {key}": kind for key, kind in what.items()}
                        if isinstance(what, dict)
                        else {path: what}
                    )
    return found
