"""Where a model of the run is: a folder made here, or the hub."""

from pathlib import Path

from prm_scaling.job import read_json


def source_of(description: str | Path) -> tuple[str, str]:
    """(folder or hub name, revision) of the model that ``model.json`` describes."""
    described = read_json(description)
    return (described["hub"], described["revision"]) if described["hub"] else (str(Path(description).parent), "")
