"""What became of the records of a set: how many were read, put aside, removed and kept, and where they are from."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from prm_scaling.problems.duplicates import Match


@dataclass
class Account:
    """The counts of one set, while it is made.

    Attributes:
        name: of the set.
        split: of the set.
        source: ``world`` or the data set's name.
        origin: licence, citation, hub name and commit, files and their sums; empty for ``world``.
        records: records read, or problems made.
        malformed: those put aside.
        outside: those that the parameters leave out: not in the window of dates.
        problems: problems kept.
        solutions: labelled solutions kept.
        exact: exact duplicates removed, by held-out set.
        near: near duplicates removed, by held-out set.
    """

    name: str
    split: str
    source: str
    origin: dict[str, Any] = field(default_factory=dict)
    records: int = 0
    malformed: int = 0
    outside: int = 0
    problems: int = 0
    solutions: int = 0
    exact: dict[str, int] = field(default_factory=dict)
    near: dict[str, int] = field(default_factory=dict)

    def removed(self, match: Match) -> None:
        """Counts one duplicate problem."""
        counts = {"exact": self.exact, "near": self.near}[match.kind]
        counts[match.dataset] = counts.get(match.dataset, 0) + 1

    def as_json(self) -> dict[str, Any]:
        """For the file beside the set."""
        return asdict(self)

    def __str__(self) -> str:
        removed = sum(self.exact.values()) + sum(self.near.values())
        parts = {"malformed": self.malformed, "outside of the window": self.outside, "duplicates": removed}
        said = "".join(f", {count} {what}" for what, count in parts.items() if count)
        solutions = f" with {self.solutions} labelled solutions" if self.solutions else ""
        return f"{self.name}: {self.problems} problems{solutions} of {self.records} records{said}"


COLUMNS = (
    "set",
    "source",
    "split",
    "records",
    "malformed",
    "outside",
    "held_out",
    "exact",
    "near",
    "problems",
    "solutions",
)


def table(accounts: Iterable[dict[str, Any]]) -> list[tuple]:
    """Rows of :data:`COLUMNS`: one for each held-out set that a set shared problems with, or one in all.

    ``held_out`` is the other set, empty if there is none; the counts of records stand in each row of a set.
    """
    rows = []
    for account in accounts:
        head = [account[key] for key in ("name", "source", "split", "records", "malformed", "outside")]
        for other in sorted({**account["exact"], **account["near"]}) or [""]:
            found = [account[kind].get(other, 0) for kind in ("exact", "near")]
            rows.append((*head, other, *found, account["problems"], account["solutions"]))
    return rows
