"""Whether a result is the one that the checked-out commit has, in git or through dvc.lock."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import yaml

CACHE = Path(".dvc/cache/files/md5")


def is_committed(path: str) -> bool:
    """Whether the file is as the current commit has it, as after a switch of branches; its path is from the root."""
    return _in_git(path) or _in_lock(path)


def _git(*words: str) -> str:
    if shutil.which("git") is None:
        return ""
    return subprocess.run(["git", "--no-optional-locks", *words], capture_output=True, text=True).stdout


def _in_git(path: str) -> bool:
    blob = _git("rev-parse", "--quiet", "--verify", f"HEAD:{path}").strip()
    return bool(blob) and blob == _git("hash-object", "--", path).strip()


def _in_lock(path: str) -> bool:
    lock = yaml.safe_load(_git("show", "HEAD:dvc.lock")) or {}
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "md5").hexdigest()
    for stage in lock.get("stages", {}).values():
        for out in stage.get("outs", ()):
            if out["path"] == path:
                return out["md5"] == digest
            listing = CACHE / out["md5"][:2] / out["md5"][2:]
            if path.startswith(f"{out['path']}/") and listing.is_file():
                inside = path.removeprefix(f"{out['path']}/")
                return any(e["relpath"] == inside and e["md5"] == digest for e in json.loads(listing.read_text()))
    return False
