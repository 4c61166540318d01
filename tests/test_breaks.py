"""A run that was broken heals, or says why not: some of the faults of `tools/faults.py`, which has more."""

import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "tools"))

from breaks import KINDS, Break
from faults import chosen, heal
from ground import TIMED, Unhealed, merged


def test_every_kind_of_fault_has_its_turn():
    assert set(chosen(KINDS, 30, seed=1)) == set(KINDS)
    assert [kind.__name__ for kind in chosen(KINDS, 30, 1)] == [kind.__name__ for kind in chosen(KINDS, 30, 1)]
    assert chosen(KINDS, 30, 1) != chosen(KINDS, 30, 2)


class Said:
    """A ground on which runs end as they are told to; its folder has one result."""

    def __init__(self, folder: Path, *ends: tuple[int, str]) -> None:
        self.folder, self.ends = folder, list(ends)
        (folder / "results" / "faults").mkdir(parents=True)
        (folder / "results" / "faults" / "x.csv").write_text("1")

    def run(self, *targets: Path) -> tuple[int, str]:
        return self.ends.pop(0)


RIGHT = {"results/faults/x.csv": sha256(b"1").hexdigest()}


def test_an_error_with_its_cause_and_a_way_out_that_leads_out_is_healing(tmp_path):
    taken = []
    fault = Break("", must_say=("full",), way_out=lambda: taken.append(1), must_stop=True)
    assert heal(Said(tmp_path, (1, "the disk is full"), (0, "")), fault, RIGHT).startswith("stopped with cause")
    assert taken == [1]


@pytest.mark.parametrize(
    ("fault", "ends", "wanted", "said"),
    [
        (Break(""), [(1, "Traceback")], RIGHT, "stopped without a reason that was expected"),
        (Break("", must_say=("full",)), [(1, "Traceback")], RIGHT, "stopped without"),
        (Break("", must_say=("full",)), [(1, "full"), (1, "full")], RIGHT, "stopped without"),
        (Break("", must_stop=True), [(0, "")], RIGHT, "it passed silently"),
        (Break(""), [(0, "")], {"results/faults/x.csv": "another"}, "other results"),
        (Break(""), [(0, "")], RIGHT | {"results/faults/y.csv": "gone"}, "other results"),
    ],
)
def test_what_is_no_healing_is_told(tmp_path, fault, ends, wanted, said):
    """Wrong behaviour: a harness that calls everything healed."""
    with pytest.raises(Unhealed, match=said):
        heal(Said(tmp_path, *ends), fault, wanted)


def test_what_holds_times_is_not_compared_and_all_else_is():
    timed = (
        "results/faults/evaluate/figure5.csv",
        "results/faults/search/costs/a.parquet",
        "results/faults/report.html",
    )
    assert all(any(Path(name).match(glob) for glob in TIMED) for name in timed)
    kept = ("results/faults/evaluate/figure1.csv", "results/faults/search/pools/a.parquet")
    assert not any(Path(name).match(glob) for name in kept for glob in TIMED)


def test_a_smaller_scale_keeps_what_it_does_not_change():
    assert merged({"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"c": 4}}) == {"a": {"b": 1, "c": 4}, "d": 3}


@pytest.mark.slow
def test_runs_that_are_broken_heal():
    stamp, wanted = (
        Path(sys.prefix, "requirements.sha256"),
        sha256((ROOT / "requirements.txt").read_bytes()).hexdigest(),
    )
    if not stamp.is_file() or stamp.read_text() != wanted:
        pytest.skip("this Python's environment was not set up by `./run setup` for these requirements")
    kinds = ["kill_worker", "kill_scheduler", "kill_run", "truncated", "flipped", "edited", "deleted", "moved"]
    command = [sys.executable, "tools/faults.py", "--seed", "0", "--count", "8", "--kinds", *kinds]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "healed: 8"
