"""Problems and labelled solutions from the records of a public data set, in the memory of a batch of them."""

import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path

from prm_scaling.problems.account import Account
from prm_scaling.problems.datasets import DATASETS
from prm_scaling.problems.datasets.record import DataSet, Entry, Malformed
from prm_scaling.problems.datasets.settings import ProblemSet
from prm_scaling.problems.datasets.source import Row, rows
from prm_scaling.problems.duplicates import HeldOut, digest, normalised
from prm_scaling.problems.labelled import LabelledSolution
from prm_scaling.problems.record import Problem
from prm_scaling.storage import record_writer, whole

# Records that are held at a time; solutions are long.
BATCH = 4096
# Reasons that are told in a message; all of them stand in the file.
TOLD = 5


class TooManyMalformed(ValueError):
    """More records than ``problems.malformed`` allows cannot be used; the message names the first."""


def read_set(
    name: str,
    problem_set: ProblemSet,
    held_out: HeldOut,
    malformed: float,
    problems: str | Path,
    quarantine: str | Path,
    solutions: str | Path | None = None,
    progress: Callable[[Account], None] = lambda account: None,
) -> Account:
    """Reads a set into files: its problems, and the solutions of a labelled set. Each appears whole or not at all.

    Args:
        name: of the set, which begins the ids of its problems.
        problem_set: its parameters.
        held_out: problems that it must not have.
        malformed: the share of its records that may be put aside.
        problems: Parquet file of ``Problem`` records.
        quarantine: JSON lines of what was put aside: file, line, field, reason.
        solutions: Parquet file of ``LabelledSolution`` records, of a labelled set.
        progress: is told the counts now and then.

    Raises:
        SourceError: see ``rows``.
        TooManyMalformed: the share is larger. What was put aside is then told by the message only.
    """
    dataset, source = DATASETS[problem_set.source], problem_set.data
    assert source is not None
    origin, found = rows(f"problems.sets.{name}.data", dataset, source)
    about = {"licence": dataset.licence, "citation": dataset.citation, "hub": dataset.hub}
    account = Account(name, problem_set.split, problem_set.source, {**about, **vars(origin)})
    reader = _Reader(name, problem_set, dataset, held_out, account)
    examples: list[str] = []
    with (
        whole(quarantine) as put_aside,
        put_aside.open("w") as lines,
        record_writer(problems, Problem, BATCH) as add_problem,
        record_writer(solutions, LabelledSolution, BATCH) if solutions else nullcontext(_drop) as add_solution,
    ):
        for row in islice(found, problem_set.records.start, problem_set.records.stop):
            account.records += 1
            try:
                problem, made = reader.read(row)
            except Malformed as error:
                account.malformed += 1
                told = {"file": row.file, "line": row.line, "field": error.field, "reason": error.reason}
                lines.write(json.dumps(told) + "\n")
                if len(examples) < TOLD:
                    examples.append(f"  {row.file}:{row.line}: {error}")
                continue
            if problem is not None:
                add_problem(problem)
            for solution in made:
                add_solution(solution)
            if account.records % BATCH == 0:
                progress(account)
        _check(name, account, malformed, examples)
    return account


def _drop(solution: LabelledSolution) -> None:
    """Where solutions go of a set that is read for its problems only."""


def _check(name: str, account: Account, malformed: float, examples: list[str]) -> None:
    if not account.records:
        raise TooManyMalformed(f"problems.sets.{name}: no record was read; are `skip`, `files` and `split` right?")
    share = account.malformed / account.records
    if share > malformed:
        raise TooManyMalformed(
            f"problems.sets.{name}: {account.malformed} of {account.records} records ({share:.1%}) cannot be used, "
            f"more than the share `problems.malformed` = {malformed}; raise that if they may be left out. Is `source: "
            f"{account.source}` what these files are? The first of them:\n" + "\n".join(examples)
        )


class _Reader:
    """Makes problems and solutions of rows, one after another."""

    def __init__(self, name: str, problem_set: ProblemSet, dataset: DataSet, held_out: HeldOut, account: Account):
        self._name, self._set, self._dataset = name, problem_set, dataset
        self._held_out, self._account = held_out, account
        assert problem_set.data is not None
        self._options = problem_set.data.options
        # Of a labelled set, whose records share problems: whether each was kept. Its size is that of the problems,
        # some hundred bytes each, and not that of the records.
        self._kept: dict[str, bool] = {}

    def read(self, row: Row) -> tuple[Problem | None, Iterator[LabelledSolution]]:
        """The problem if it is a new one, and the solutions."""
        if row.record is None:
            assert row.error is not None
            raise row.error
        entry = self._dataset.read(row.record, self._options)
        if entry is None:
            self._account.outside += 1
            return None, iter(())
        if not self._dataset.labelled:
            kept = self._is_kept(entry)
            self._account.problems += kept
            number = self._account.records - 1 + self._set.records.start
            return (self._problem(f"{self._name}-{number:05d}", entry) if kept else None), iter(())
        id = f"{self._name}-{digest(normalised(entry.text))}"
        new = id not in self._kept
        if new:
            self._kept[id] = self._is_kept(entry)
            self._account.problems += self._kept[id]
        if not self._kept[id]:
            return None, iter(())
        return (self._problem(id, entry) if new else None), self._solutions(id, entry)

    def _is_kept(self, entry: Entry) -> bool:
        match = self._held_out.match(entry.text)
        if match is not None:
            self._account.removed(match)
        return match is None

    def _problem(self, id: str, entry: Entry) -> Problem:
        return Problem(
            id=id,
            domain=self._set.domain,
            dataset=self._name,
            split=self._set.split,
            template=entry.template or self._set.source,
            text=entry.text,
            reference=entry.reference,
            public_inputs=entry.public_inputs,
            difficulty=entry.difficulty,
            derivation="",
        )

    def _solutions(self, id: str, entry: Entry) -> Iterator[LabelledSolution]:
        for made in entry.solutions:
            number = self._account.solutions
            self._account.solutions += 1
            yield LabelledSolution(
                f"{id}/{number}", id, made.steps, made.ratings, made.category, made.finished, made.right
            )
