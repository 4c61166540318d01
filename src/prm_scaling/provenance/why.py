"""Walks a result back to the raw problems, and says at each step whether what is here is what was recorded."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prm_scaling.config import load_params
from prm_scaling.job import read_json
from prm_scaling.provenance.compare import leaves
from prm_scaling.provenance.crate import read_crate
from prm_scaling.provenance.graph import Job, code_of, data_of, makers
from prm_scaling.provenance.record import checksums, path_of, sha256
from prm_scaling.provenance.recorded import NotRecorded, Recorded, recorded
from prm_scaling.provenance.verify import job_of

# The records that models carry beside them.
RECORDS = ("prm.json", "model.json")
CODE = ("src/", "workflow/")


@dataclass
class Walk:
    """What is known, and what has been told already."""

    made: dict[str, Job]
    known: Recorded
    crate: dict[str, dict[str, Any]] = field(default_factory=dict)  # a job's name -> what the committed crate tells
    told: dict[str, str] = field(default_factory=dict)  # a job's first output -> its name
    wrong: list[str] = field(default_factory=list)
    machines: set[str] = field(default_factory=set)
    ran_here: set[str] = field(default_factory=set)  # first outputs of jobs whose results are those that they made here
    code: set[str] = field(default_factory=set)  # what such jobs read of the code, and what is another now

    def job(self, job: Job, stem: str = "", branch: str = "") -> Iterator[str]:
        """The lines on one job and on all that it comes from."""
        again = job.output[0] in self.told
        self.told[job.output[0]] = job.name
        before = stem[: len(stem) - len(branch)]
        yield f"{before}{branch}{job.name} -> {_files(job.output)}{' (see above)' if again else ''}"
        if again:
            return
        inner = before + {"├─ ": "│  ", "└─ ": "   ", "": ""}[branch]
        sources = sorted({self.made[path].output[0] for path in data_of(job, self.made)})
        seen = [self.told[source] for source in sources if source in self.told]
        sources = [source for source in sources if source not in self.told]
        for line in self.facts(job):
            yield f"{inner}{'│  ' if sources or seen else '   '}{line}"
        if seen:
            yield f"{inner}{'├─ ' if sources else '└─ '}{', '.join(seen[:4])}{_more(len(seen) - 4)} (see above)"
        for i, source in enumerate(sources):
            last = "└─ " if i == len(sources) - 1 else "├─ "
            yield from self.job(self.made[source], inner + last, last)

    def facts(self, job: Job) -> Iterator[str]:
        """What was recorded of a job, and what no longer fits."""
        for path in job.output:
            if wrong := self.known.check(path):
                yield self.note(f"{path} {wrong}")
        if job.log and path_of(job.log[0]).is_file() and all(map(self.known.is_as_made, job.output)):
            self.ran_here.add(job.output[0])
            yield from self.ran(read_json(path_of(job.log[0])), job)
        elif job.name in self.crate and checksums(job.output) == self.crate[job.name]["outputs"]:
            yield _made(self.crate[job.name])
        for path in job.output:
            if Path(path).name in RECORDS and Path(path).is_file():
                yield from self.record(path, read_json(path).get("provenance"), job)

    def ran(self, record: dict[str, Any], job: Job) -> Iterator[str]:
        """When and with which code a job ran here, and what of its inputs and parameters is another now."""
        yield _made(record)
        for name, digest in record["inputs"].items():
            if name in self.made and (text := _unfit(name, digest)):
                yield self.note(f"{job.output[0]} was made from another input: {name} {text}")
            elif name.startswith(CODE) and _unfit(name, digest):
                self.code.add(name)
        before, now = (dict(leaves(values)) for values in (record["parameters"], _as_recorded(job.params)))
        for place in sorted(before.keys() | now.keys()):
            if before.get(place) != now.get(place):
                yield self.note(f"{job.output[0]} was made with {place} {before.get(place)}, now {now.get(place)}")

    def record(self, path: str, record: dict[str, Any] | None, job: Job) -> Iterator[str]:
        """A model's own record: parameters, versions, and the sums of its inputs."""
        if not record:
            yield self.note(f"{path} has no provenance; make it again: ./run {path} --force")
            return
        if path == job.output[0]:
            versions = record["versions"]
            shown = ", ".join(
                f"{name} {versions[name]}" for name in ("python", "torch", "transformers") if name in versions
            )
            yield f"seed {record['seed']}; {_short(record['parameters'])}"
            machine = f"on {record['machine']['system']} {record['machine']['processor']}, {shown}"
            if machine not in self.machines:
                self.machines.add(machine)
                yield machine
        unfit = [f"{name} {text}" for name, digest in record["inputs"].items() if (text := _unfit(name, digest))]
        for text in (f"{path} was made from another input: {text}" for text in unfit):
            if text not in self.wrong:
                yield self.note(text)
        missing = set(data_of(job, self.made)) - set(record["inputs"])
        for name in sorted(missing):
            yield self.note(f"{path} was made without {name}, which its job now reads")
        if not unfit and path == job.output[0]:
            yield f"its {len(record['inputs'])} recorded inputs are those that are here"

    def note(self, text: str) -> str:
        """A line that says that something is wrong."""
        self.wrong.append(text)
        return f"✗ {text}"


def _unfit(name: str, digest: str) -> str:
    path = Path(name)
    if not path.is_file():
        return "is not here"
    return "" if sha256(path) == digest else f"(recorded sha256 {digest[:12]}…, now {sha256(path)[:12]}…)"


def _made(record: dict[str, Any]) -> str:
    """When a job ran, and with which code."""
    changed = f" with changed {', '.join(record['changed'])}" if record["dirty"] else ""
    when = f"{record['ended']}, in {record['seconds']:.0f} s"
    return f"made at {when}, commit {record['commit'][:12] or 'none'}{changed}"


def _as_recorded(parameters: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(parameters, default=str))


def _files(paths: tuple[str, ...]) -> str:
    return f"{paths[0]}{_more(len(paths) - 1)}"


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _short(parameters: Any) -> str:
    """Parameters in one line."""
    return ", ".join(f"{place} {value}" for place, value in leaves(parameters) if value not in ("", None))


def phases_of(walk: Walk, graph: list[Job]) -> Iterator[str]:
    """What DVC says of the phases that the walk has passed: code and parameters that are not the recorded ones."""
    # Of jobs that ran here their own records tell more.
    passed = {job.phase for job in graph if job.output[0] in walk.told.keys() - walk.known.made.keys()}
    for phase, stale in walk.known.stale.items():
        for path, what in stale.items() if phase in passed else ():
            yield walk.note(f"{phase}: {path}: {what}")


def standing(walk: Walk) -> str:
    """Which run the walk has seen: the committed one, another that was made here, or some of both."""
    commit = f"dvc.lock, commit {walk.known.commit or 'none yet'}"
    own = f"{len(walk.ran_here)} of these {len(walk.told)} jobs ran here"
    if not walk.known.hashes:
        return f"{own}; dvc.lock does not have this scale."
    paths = [path for name in walk.ran_here for path in walk.made[name].output]
    others = sum(bool(walk.known.check_committed(path)) for path in paths)
    if not others:
        return f"Recorded in {commit}."
    return (
        f"{own}, and {others} of their files are not those of the committed run ({commit}): "
        "`dvc commit` records them, `dvc checkout` brings those back."
    )


def why(path: str, graph: list[Job]) -> int:
    """Print where ``path`` comes from; the exit status, 1 where something no longer fits."""
    params = load_params(Path.cwd())
    walk = Walk(makers(graph), recorded(params.results, Path("logs", params.scale)), read_crate())
    job = job_of(path, graph)
    if not any(Path(p).exists() or p in walk.known.hashes for p in job.output):
        raise NotRecorded(f"`{path}` is neither here nor recorded; `./run {path}` makes it")
    lines = list(walk.job(job))
    by_phase = list(phases_of(walk, graph))
    print("\n".join(lines), "\n\n", standing(walk), sep="")
    print(f"Code of {job.rule}:", ", ".join(p.removeprefix("src/prm_scaling/") for p in code_of(job, walk.made)))
    if walk.code:
        print(walk.note(f"code changed since: {', '.join(sorted(walk.code))}"))
    if by_phase:
        print("Not as in the recorded run (dvc status):", *by_phase, sep="\n  ")
    if walk.wrong:
        print(f"{len(walk.wrong)} things no longer fit: see ✗")
    else:
        print(f"All fits: {len(walk.told)} jobs back to the raw problems, every file as it should be.")
    return int(bool(walk.wrong))
