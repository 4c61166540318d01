"""Reading labelled chains: rate and peak memory, at two sizes of a generated file.

    PYTHONPATH=src python benchmarks/reading.py               # 100,000 and 1,000,000 chains; some minutes, 2 GB of disk
    PYTHONPATH=src python benchmarks/reading.py 1000 10000    # other sizes

Chains in the layout of Math-Shepherd, thirty a question, are read through `datasets` into problems and labelled
solutions, with near duplicates of a held-out set removed, and then tokenized into chains and labels. Each size runs
in a process of its own, whose seconds are of processor time and whose peak resident memory is the operating system's:
linear in time and flat in memory are rows with about the same rate and peak. A row a size and step; the record is
benchmarks/records/reading.json.
"""

import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

SIZES = (100_000, 1_000_000)
SOLUTIONS = 30  # a question, as in Math-Shepherd (445,000 solutions of 15,000 questions)
HELD_OUT = 500


def question(number: int) -> str:
    """One of many questions, that share too little to be near duplicates."""
    # A prime above every number that is asked for: below it they would come again.
    given = [number * factor % (2**31 - 1) for factor in (1, 17, 101, 1009, 4999, 7919)]
    return "There are " + ", then ".join(f"{n} of kind {n % 31}" for n in given) + ". How many are there in all?"


def write(path: Path, chains: int) -> None:
    """A file of so many chains of five steps."""
    with path.open("w") as file:
        for i in range(chains):
            steps = [
                f"Step {k}: {i % 97} + {k} = <<{i % 97}+{k}={i % 97 + k}>>{i % 97 + k} of the things"
                for k in range(1, 6)
            ]
            signs = ["+" if (i >> k) % 4 else "-" for k in range(5)]
            given = question(i // SOLUTIONS) + " " + "".join(f"{step} ки\n" for step in steps)
            label = (
                question(i // SOLUTIONS) + " " + "".join(f"{s} {sign}\n" for s, sign in zip(steps, signs, strict=True))
            )
            file.write(json.dumps({"input": given, "label": label, "task": "GSM8K"}, ensure_ascii=False) + "\n")


def measure(folder: Path, chains: int) -> list[tuple[str, float]]:
    """Reads a file of so many chains; (step, seconds) of each step."""
    from prm_scaling.chains.rated import rated_chains
    from prm_scaling.chains.record import Chain
    from prm_scaling.models.tokenizer import train_tokenizer
    from prm_scaling.problems.datasets.read import read_set
    from prm_scaling.problems.datasets.settings import DataSource, ProblemSet
    from prm_scaling.problems.duplicates import HeldOut, Near
    from prm_scaling.problems.labelled import LabelledSolution
    from prm_scaling.problems.record import Problem
    from prm_scaling.storage import record_writer, stream_records

    data = DataSource(path=str(folder / "chains.jsonl"))
    spec = ProblemSet(source="math_shepherd", domain="math", split="train", count=chains, data=data)
    held_out = HeldOut(Near(5, 128, 0.5))
    for i in range(HELD_OUT):
        held_out.add("test", f"test-{i}", question(10**7 + i))
    tokenizer = train_tokenizer((question(i) for i in range(2000)), 1000)
    began = time.process_time()
    account = read_set("bench", spec, held_out, 0.0, *(folder / name for name in ("p.parquet", "q.jsonl", "s.parquet")))
    assert account.records == account.solutions == chains
    read = time.process_time()
    questions = {p.id: p.question for p in stream_records(folder / "p.parquet", Problem)}
    solutions: Iterator[LabelledSolution] = stream_records(folder / "s.parquet", LabelledSolution, 4096)
    with record_writer(folder / "c.parquet", Chain, 4096) as add_chain:
        for chain in rated_chains(solutions, questions, tokenizer, "\n"):
            add_chain(chain)
    return [("read", read - began), ("tokenize", time.process_time() - read)]


def run(chains: int, rows: Connection) -> None:
    """One size, in a process of its own: sends a row a step."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder / "chains.jsonl", chains)
        megabytes = (folder / "chains.jsonl").stat().st_size / 1e6
        steps = measure(folder, chains)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows.send(
        [
            {
                "chains": chains,
                "megabytes": round(megabytes),
                "step": step,
                "seconds": round(seconds, 1),
                "chains a second": round(chains / seconds),
                "peak megabytes": round(peak),
            }
            for step, seconds in steps
        ]
    )


def main() -> None:
    """All sizes, one after another."""
    # Here: a process that is measured imports this module too, and has no need of it.
    from common import record

    sizes = [int(size) for size in sys.argv[1:]] or SIZES
    spawn, rows = multiprocessing.get_context("spawn"), []
    for size in sizes:
        ours, theirs = spawn.Pipe(duplex=False)
        process = spawn.Process(target=run, args=(size, theirs))
        process.start()
        theirs.close()
        rows += ours.recv()
        process.join()
    packages = ("datasets", "pyarrow", "datasketch", "tokenizers")
    record("reading", {"solutions a question": SOLUTIONS, "held out": HELD_OUT}, rows, packages)


if __name__ == "__main__":
    main()
