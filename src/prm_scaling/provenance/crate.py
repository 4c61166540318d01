"""The whole run of the active scale as one RO-Crate (https://w3id.org/ro/crate): what each job read and made, when,
with which code and parameters, on which machine.

It follows the profile Process Run Crate: one ``CreateAction`` a job. Its root is the checkout's, so that it describes
code and results alike; only ``ro-crate-metadata.json`` is written.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from prm_scaling.provenance.graph import Job
from prm_scaling.provenance.record import checksums, path_of, refuse_edited, sha256
from prm_scaling.provenance.recorded import NotRecorded

PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
TITLE = "Scaling of process reward models and of search with them at test time"
# Of a record, what is said of the action as it stands.
PROPERTIES = ("parameters_sha256", "seed", "commit", "dirty", "changed")
COSTS = ("threads", "seconds", "cpu_seconds", "megabytes")
CRATE = Path("ro-crate-metadata.json")


@dataclass(frozen=True)
class Told:
    """What a crate holds: jobs with a record, and outputs of jobs that have none here (such as pulled ones)."""

    jobs: int
    unrecorded: tuple[str, ...]


def write_crate(graph: Iterable[Job], scale: str) -> Told:
    """Write ``ro-crate-metadata.json`` for the results that are in the current folder.

    Raises:
        NotRecorded: no job has a record here.
        NotAsMade: a result is neither what its job made nor what is committed.
    """
    jobs = sorted(graph, key=lambda job: job.output)
    refuse_edited(Path("logs", scale))
    found = [(job, path_of(job.log[0])) for job in jobs]
    told = [(job, json.loads(record.read_text())) for job, record in found if record.is_file()]
    # What is left differs from its record because the commit has another one, which was pulled.
    records = [(job, record) for job, record in told if checksums(record["outputs"]) == record["outputs"]]
    if not records:
        raise NotRecorded(f"no job of scale {scale} left a record in logs/{scale}; `./run` makes results and records")
    # The version that the profile builds on.
    crate = ROCrate(version="1.1")
    crate.name = f"{TITLE}, scale {scale}"
    crate.description = "Every figure and table from raw problems, by Snakemake and DVC; see README.md."
    crate.license = "https://spdx.org/licenses/MIT"
    crate.root_dataset["conformsTo"] = crate.add(ContextEntity(crate, PROFILE, {"@type": "CreativeWork"}))
    crate.add_workflow("Snakefile", "Snakefile", main=True, lang="snakemake")
    entities = Entities(crate)
    actions = [entities.action(job, record) for job, record in records]
    made = {path for _, record in records for path in record["outputs"]}
    unrecorded = tuple(path for job in jobs for path in job.output if path not in made and Path(path).is_file())
    for path in unrecorded:
        entities.file(path, sha256(path))
    crate.root_dataset["mentions"] = actions
    crate.metadata.write(Path.cwd())
    return Told(len(records), unrecorded)


def read_crate(path: Path = CRATE) -> dict[str, dict[str, Any]]:
    """By a job's name what a crate tells of its run, as its record does; nothing where there is no crate."""
    if not path.is_file():
        return {}
    entities = {entity["@id"]: entity for entity in json.loads(path.read_text())["@graph"]}
    found = {}
    for action in entities.values():
        if action["@type"] == "CreateAction":
            values = [entities[value["@id"]] for value in action["additionalProperty"]]
            outputs = [entities[file["@id"]] for file in action["result"]]
            found[action["name"]] = {
                **{value["name"]: json.loads(value["value"]) for value in values},
                "ended": action["endTime"],
                "outputs": {file["name"]: file["sha256"] for file in outputs},
            }
    return found


class Entities:
    """The entities of a crate, each made once."""

    def __init__(self, crate: ROCrate) -> None:
        self.crate = crate
        self.known: dict[str, Any] = {}

    def file(self, path: str, digest: str) -> Any:
        """A file of the checkout."""
        if path not in self.known:
            about: dict[str, Any] = {
                "sha256": digest,
                "contentSize": str(Path(path).stat().st_size) if Path(path).is_file() else "0",
            }
            if path.endswith((".py", ".smk")):
                about["@type"] = ["File", "SoftwareSourceCode"]
            self.known[path] = self.crate.add_file(dest_path=path, properties={"name": path, **about})
        return self.known[path]

    def context(self, name: str, kind: str, **properties: Any) -> Any:
        """Something that is no file; equal ones are one."""
        key = f"{kind} {name} {json.dumps(properties, sort_keys=True)}"
        if key not in self.known:
            entity = ContextEntity(self.crate, None, {"@type": kind, "name": name, **properties})
            self.known[key] = self.crate.add(entity)
        return self.known[key]

    def values(self, about: dict[str, Any]) -> list[Any]:
        """Named values."""
        return [self.context(name, "PropertyValue", value=json.dumps(value)) for name, value in about.items()]

    def action(self, job: Job, record: dict[str, Any]) -> Any:
        """One run of one job."""
        inputs = record["inputs"]
        code = sorted(path for path in inputs if path.startswith(("src/", "workflow/")))
        scripts = [self.file(path, inputs[path]) for path in code if path.startswith("workflow/scripts/")]
        for script in scripts:
            script["softwareRequirements"] = [
                *(self.file(path, inputs[path]) for path in code if path.startswith("src/")),
                *(
                    self.context(name, "SoftwareApplication", softwareVersion=number)
                    for name, number in record["versions"].items()
                ),
            ]
        action = ContextEntity(
            self.crate,
            f"#{path_of(job.log[0])}",
            {
                "@type": "CreateAction",
                "name": job.name,
                "description": record["command"],
                "startTime": record["started"],
                "endTime": record["ended"],
                "actionStatus": "http://schema.org/CompletedActionStatus",
            },
        )
        self.crate.add(action)
        action["instrument"] = scripts
        action["object"] = [
            *(self.file(path, digest) for path, digest in inputs.items() if path not in code),
            *self.values({f"parameters.{name}": value for name, value in record["parameters"].items()}),
        ]
        action["result"] = [self.file(path, digest) for path, digest in record["outputs"].items()]
        action["additionalProperty"] = self.values(
            {key: record[key] for key in (*PROPERTIES, *COSTS)}
            | {f"machine.{k}": v for k, v in record["machine"].items()}
        )
        return action
