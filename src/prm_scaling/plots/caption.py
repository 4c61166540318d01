"""Titles and captions of figures and tables, from ``captions.yaml``."""

from dataclasses import dataclass
from importlib.resources import files

import yaml


@dataclass(frozen=True)
class Caption:
    """What a report says of one figure or table; ``alt`` describes it to who cannot see it."""

    title: str
    caption: str
    category: str
    alt: str = ""


def captions() -> dict[str, Caption]:
    """The captions by name, in the order in which a report shows them."""
    text = files("prm_scaling.plots").joinpath("captions.yaml").read_text(encoding="utf-8")
    return {name: Caption(**values) for name, values in yaml.safe_load(text).items()}
