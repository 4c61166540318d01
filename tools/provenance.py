"""`./run why`, `verify`, `plan`, `crate`, `intact`: they read what is here; only the job that is verified runs."""

import argparse
import os
import sys
from pathlib import Path

from jobs import jobs

from prm_scaling.analysis.times import read_times
from prm_scaling.config import load_params
from prm_scaling.provenance.crate import write_crate
from prm_scaling.provenance.plan import Plan
from prm_scaling.provenance.rates import measured, rates_of
from prm_scaling.provenance.record import NotAsMade, refuse_edited
from prm_scaling.provenance.recorded import NotRecorded
from prm_scaling.provenance.verify import verify
from prm_scaling.provenance.why import why


def node(text: str) -> str:
    """A path as the graph names it: from the checkout's root (the current folder), without a slash at its end."""
    return os.path.relpath(text, Path.cwd()) if os.path.isabs(text) else os.path.normpath(text)


def main(arguments: list[str]) -> int:
    """Carry out one command; the exit status: 0 well, 1 something differs, 2 it could not be told."""
    parser = argparse.ArgumentParser(prog="./run", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    asked = commands.add_parser("why", help="walk a result back to the raw problems")
    asked.add_argument("path", type=node)
    asked = commands.add_parser("verify", help="rebuild one node from its recorded inputs and compare")
    asked.add_argument("node", type=node)
    asked.add_argument("--cores", default="all", help="as Snakemake's")
    asked.add_argument("--keep", action="store_true", help="keep the rebuilt files also where they do not differ")
    asked = commands.add_parser("plan", help="what the active scale will take, without running it")
    asked.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="how many jobs run at once")
    asked.add_argument("--logs", type=Path, help="records of an earlier run; default: those of this scale in logs/")
    commands.add_parser("crate", help="write the whole run as an RO-Crate, ro-crate-metadata.json")
    commands.add_parser("intact", help="whether every result that is here is what its job made; `./run` ends with it")
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "plan":
            if chosen.logs and not chosen.logs.is_dir():
                raise NotRecorded(
                    f"--logs {chosen.logs}: there is no such folder; records lie in logs/SCALE of a checkout"
                )
            params = load_params(Path.cwd())
            graph, times = jobs(), read_times(chosen.logs or Path("logs", params.scale))
            print(Plan(params, graph, rates_of(Path.cwd()), measured(graph, times)).report(chosen.cores))
            return 0
        if chosen.command == "intact":
            refuse_edited(Path("logs", load_params(Path.cwd()).scale))
            return 0
        if chosen.command == "crate":
            told = write_crate(jobs(), load_params(Path.cwd()).scale)
            print(f"ro-crate-metadata.json: {told.jobs} jobs")
            if told.unrecorded:
                print(f"{len(told.unrecorded)} files were made elsewhere: they have a hash, and no job")
            return 0
        if chosen.command == "why":
            return why(chosen.path, jobs())
        return verify(chosen.node, jobs(), chosen.cores, chosen.keep)
    except (NotRecorded, NotAsMade) as error:
        print(f"./run {chosen.command}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
