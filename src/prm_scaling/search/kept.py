"""What a search that was killed had found: finished questions are not searched again."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path as File
from typing import Any

from prm_scaling.search.ledger import Ledger
from prm_scaling.search.path import Path

Result = tuple[list[Path], Ledger]


class Kept:
    """Results of finished questions, a line each, in a folder that is no result.

    They hold for one run of one job: with another ``key`` (code, models, questions, parameters) the folder is emptied.
    """

    def __init__(self, folder: str | File, key: str):
        self._folder, self._file = File(folder), File(folder) / f"{key}.jsonl"
        if not self._file.exists():
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True)
        text = self._file.read_text(errors="replace") if self._file.exists() else ""
        # A killed job may have left half a line.
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            self._file.write_text(whole)
        # Nor is a line used that is not as it was written.
        intact = [
            line for digest, _, line in (kept.partition(" ") for kept in whole.splitlines()) if digest == _sum(line)
        ]
        self._found = {(r["budget"], r["question"]): _read(r) for r in map(json.loads, intact)}

    def found(self, budget: int) -> dict[str, Result]:
        """The questions that were finished at ``budget``."""
        return {question: result for (b, question), result in self._found.items() if b == budget}

    def add(self, budget: int, question: str, paths: Sequence[Path], ledger: Ledger) -> None:
        """Keeps one question's result."""
        line = {"budget": budget, "question": question, "paths": [asdict(p) for p in paths], "ledger": ledger.values()}
        text = json.dumps(line)
        with self._file.open("a") as file:
            file.write(f"{_sum(text)} {text}\n")
        self._found[budget, question] = (list(paths), ledger)

    def clear(self) -> None:
        """A finished job leaves nothing."""
        shutil.rmtree(self._folder)


def _sum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _read(line: dict) -> Result:
    return [_path(values) for values in line["paths"]], Ledger(**line["ledger"])


def _path(values: dict[str, Any]) -> Path:
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return Path(**fields)
