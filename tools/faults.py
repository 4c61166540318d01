"""Breaks a run in many ways and sees whether the next run heals it.

    python tools/faults.py --seed 1               # 30 faults
    python tools/faults.py --seed 1 --count 5 --kinds edited flipped
    python tools/faults.py --seed 1 --record        # its table also goes to benchmarks/records/faults.md

A small run is made whole once. Then, a fault at a time, a copy of it is broken, and run again: it has to end with the
same results as the unbroken run, or to stop with an error that names the cause and the way out, and to end well when
that way is taken. Exit status 1 if any fault is not healed. Root is needed to mount the small disks of two of them.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from breaks import KINDS, Break
from ground import ROOT, Ground, NotPossible, Unhealed, content, lay_out

Kind = Callable[[Ground], Break]


def finish(folder: Path, finished: Path) -> None:
    """The unbroken run."""
    lay_out(folder)
    ground = Ground(folder, finished, "")
    process = ground.start(sys.executable, "run")
    try:
        status = ground.ended(process)
    finally:
        ground.kill("")
    if status:
        raise Unhealed(f"the unbroken run failed: {ground.said()[-3000:]}")


def heal(ground: Ground, fault: Break, wanted: dict[str, str]) -> str:
    """How the run became whole again; :class:`Unhealed` if it did not."""
    stops = 0
    while True:
        for targets in dict.fromkeys((fault.targets, ())):
            status, words = ground.run(*targets)
            if status:
                break
        if not status:
            break
        stops += 1
        missing = [word for word in fault.must_say if word not in words]
        if missing or not fault.must_say or stops > 1:
            raise Unhealed(f"stopped without {missing or 'a reason that was expected'}: {words[-2500:]}")
        if fault.way_out:
            fault.way_out()
    if fault.must_stop and not stops:
        raise Unhealed("it passed silently")
    found = content(ground.folder)
    other = [path for path in wanted | found if wanted.get(path) != found.get(path)]
    if other:
        raise Unhealed(f"other results than the unbroken run's: {', '.join(other[:5])}")
    return "stopped with cause and way out, then the same results" if stops else "the same results"


def break_and_heal(kind: Kind, ground: Ground, wanted: dict[str, str]) -> tuple[str, str, str]:
    """The verdict (healed, not possible here, NOT HEALED), what was done, and what came of it."""
    fault = Break(kind.__name__)
    try:
        fault = kind(ground)
        return "healed", fault.told, heal(ground, fault, wanted)
    except NotPossible as error:
        return "not possible here", fault.told, str(error)
    except Unhealed as error:
        return "NOT HEALED", fault.told, str(error)
    finally:
        ground.kill("")
        fault.clean_up()
        shutil.rmtree(ground.folder)


def chosen(kinds: Sequence[Kind], count: int, seed: int) -> list[Kind]:
    """As many of each kind, in a seeded order."""
    order = [kinds[i % len(kinds)] for i in range(count)]
    random.Random(seed).shuffle(order)
    return order


def keep_record(asked: argparse.Namespace, rows: list[dict]) -> None:
    """The table as a record beside those of the benchmarks."""
    sys.path[:0] = [str(ROOT / "benchmarks")]
    from common import record  # it brings PyTorch, which the breaking does without

    record("faults", {"seed": asked.seed, "count": asked.count}, rows, ("snakemake", "dvc"))


def main(arguments: list[str]) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--kinds", nargs="*", default=[kind.__name__ for kind in KINDS])
    parser.add_argument("--finished", type=Path, help="folder of the unbroken run: made there, or used if it exists")
    parser.add_argument("--record", action="store_true", help="write the table to benchmarks/records/faults.md, too")
    asked = parser.parse_args(arguments)
    kinds = [kind for kind in KINDS if kind.__name__ in asked.kinds]
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        scratch, began = Path(name), time.monotonic()
        finished = asked.finished or scratch / "finished"
        if not finished.exists():
            finish(scratch / "laid out", finished)
            print(f"the unbroken run took {time.monotonic() - began:.0f} s", flush=True)
        wanted, rows = content(finished), []
        for number, kind in enumerate(chosen(kinds, asked.count, asked.seed), 1):
            began, seed = time.monotonic(), f"{asked.seed}-{number}"
            verdict, told, came = break_and_heal(kind, Ground(finished, scratch / f"run {seed}", seed), wanted)
            took = time.monotonic() - began
            print(f"{number:3} {verdict:17} {took:4.0f} s  {told} -> {came}", flush=True)
            cause = came.partition("\n")[0]
            rows.append({"fault": told, "verdict": verdict, "seconds": took, "what came of it": cause})
    if asked.record:
        keep_record(asked, rows)
    verdicts = Counter(row["verdict"] for row in rows)
    print(", ".join(f"{verdict}: {count}" for verdict, count in verdicts.most_common()))
    return int(verdicts["NOT HEALED"] > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
