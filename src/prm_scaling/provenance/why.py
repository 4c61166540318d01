"""Walks a result back to the raw problems, and says at each step whether what is here is what was recorded."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prm_scaling.config import load_params
from prm_scaling.job import read_json
from prm_scaling.provenance.compare import leaves
from prm_scaling.provenance.graph import Job, code_of, data_of, makers
from prm_scaling.provenance.record import path_of, sha256
from prm_scaling.provenance.recorded import NotRecorded, Recorded, recorded
from prm_scaling.provenance.verify import job_of

# The records that models carry beside them.
RECORDS = ("prm.json", "model.json")


@dataclass
class Walk:
    """What is known, and what has been told already."""

    made: dict[str, Job]
    known: Recorded
    told: dict[str, str] = field(default_factory=dict)  # a job's first output -> its name
    wrong: list[str] = field(default_factory=list)
    machines: set[str] = field(default_factory=set)

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
        for line in self.facts(job):
            yield f"{inner}{'│  ' if sources else '   '}{line}"
        for i, source in enumerate(sources):
            last = "└─ " if i == len(sources) - 1 else "├─ "
            yield from self.job(self.made[source], inner + last, last)

    def facts(self, job: Job) -> Iterator[str]:
        """What was recorded of a job, and what no longer fits."""
        for path in job.output:
            if wrong := self.known.check(path):
                yield self.note(f"{path} {wrong}")
        if job.log and path_of(job.log[0]).is_file():
            yield from self.ran(read_json(path_of(job.log[0])))
        for path in job.output:
            if Path(path).name in RECORDS and Path(path).is_file():
                yield from self.record(path, read_json(path).get("provenance"), job)

    def ran(self, record: dict[str, Any]) -> Iterator[str]:
        """When and with which code a job ran here, and whether its results are still what it made."""
        changed = f" with changed {', '.join(record['changed'])}" if record["dirty"] else ""
        when = f"{record['ended']}, in {record['seconds']:.0f} s"
        yield f"made at {when}, commit {record['commit'][:12] or 'none'}{changed}"
        for path, digest in record["outputs"].items():
            if text := _unfit(path, digest):
                yield self.note(f"{path} is not what its job made: {text}; `./run {path} --force` makes it again")

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
        for text in unfit:
            yield self.note(f"{path} was made from another input: {text}")
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


def _files(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{paths[0]}{more}"


def _short(parameters: Any) -> str:
    """Parameters in one line."""
    return ", ".join(f"{place} {value}" for place, value in leaves(parameters) if value not in ("", None))


def phases_of(walk: Walk, graph: list[Job]) -> Iterator[str]:
    """What DVC says of the phases that the walk has passed: code and parameters that are not the recorded ones."""
    passed = {job.phase for job in graph if job.output[0] in walk.told}
    for phase, stale in walk.known.stale.items():
        for path, what in stale.items() if phase in passed else ():
            yield walk.note(f"{phase}: {path}: {what}")


def why(path: str, graph: list[Job]) -> int:
    """Print where ``path`` comes from; the exit status, 1 where something no longer fits."""
    walk = Walk(makers(graph), recorded(load_params(Path.cwd()).results))
    job = job_of(path, graph)
    if not any(Path(p).exists() or p in walk.known.hashes for p in job.output):
        raise NotRecorded(f"`{path}` is neither here nor recorded; `./run {path}` makes it")
    lines = list(walk.job(job))
    by_phase = list(phases_of(walk, graph))
    print("\n".join(lines))
    if walk.known.hashes:
        print(f"\nRecorded in dvc.lock, commit {walk.known.commit or 'none yet'}.")
    else:
        print("\ndvc.lock does not have this scale: only the models' own records were compared with what is here.")
    print(f"Code of {job.rule}:", ", ".join(p.removeprefix("src/prm_scaling/") for p in code_of(job, walk.made)))
    if by_phase:
        print("Not as in the recorded run (dvc status):", *by_phase, sep="\n  ")
    if walk.wrong:
        print(f"{len(walk.wrong)} things no longer fit: see ✗")
    else:
        print(f"All fits: {len(walk.told)} jobs back to the raw problems, every file as it should be.")
    return int(bool(walk.wrong))
