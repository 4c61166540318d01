"""How long work takes: stated rates, and over them those that tools/rates.py measured in earlier runs."""

from pathlib import Path
from typing import Any

import yaml

from prm_scaling.config import merged
from prm_scaling.provenance.work import Load

# Written by tools/rates.py, below the checkout's root.
MEASURED = Path("logs", "rates.yaml")
# Floating-point operations per parameter and token (Kaplan et al., 2.1: forward 2 N, backward twice that).
OPERATIONS = {"train": 6, "generate": 2, "reward": 2}


def stated_rates() -> dict[str, Any]:
    """The content of rates.yaml."""
    return yaml.safe_load((Path(__file__).parent / "rates.yaml").read_text())


def rates_of(checkout: Path) -> dict[str, Any]:
    """The stated rates, with those measured in ``checkout`` laid over them."""
    measured = checkout / MEASURED
    return merged(stated_rates(), yaml.safe_load(measured.read_text()) or {}) if measured.is_file() else stated_rates()


def seconds_of(load: Load, rates: dict[str, Any], device: str) -> float:
    """Seconds of one core, or of one GPU if ``device`` is not ``cpu``, that a load takes.

    Args:
        load: the work of one job.
        rates: content of rates.yaml.
        device: of the model; work without one is a core's.
    """
    place = device.partition(":")[0] if load.parameters else "cpu"
    start = rates["start"]
    seconds = start[place] if load.parameters else start["tables"]
    seconds += load.rows * rates["rows"] + load.graded * rates["graded"] + load.tested * rates["tested"]
    for kind, operations in OPERATIONS.items():
        rate = rates[place][kind]
        seconds += getattr(load, kind) * (rate["fixed"] + operations * load.parameters / rate["flops"])
    return seconds
