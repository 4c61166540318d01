"""The one list of pins and what is made from it agree with each other and with the code."""

import ast
import importlib.util
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
# Where a distribution is imported by another name than its own.
IMPORT_NAMES = {"pyyaml": "yaml", "scikit-learn": "sklearn", "crowd-kit": "crowdkit"}


@pytest.fixture(scope="module")
def pins_tool():
    spec = importlib.util.spec_from_file_location("pins_tool", ROOT / "tools" / "pins.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def imported(source: str) -> set[str]:
    """The top-level packages that a Python source imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def unknown_imports(folder: Path, groups: list[str], pins: dict) -> dict[str, set[str]]:
    """Imports under ``folder`` that are neither the standard library's, the project's nor of these groups."""
    packages = {name for group in groups for name in {**pins["groups"], **pins["optional"]}[group]}
    known = {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in packages}
    known |= set(sys.stdlib_module_names) | {"prm_scaling"} | {path.stem for path in folder.glob("*.py")}
    found = {str(path.relative_to(ROOT)): imported(path.read_text()) - known for path in sorted(folder.rglob("*.py"))}
    return {path: names for path, names in found.items() if names}


def test_generated_files_are_up_to_date(pins_tool):
    assert [str(path.relative_to(ROOT)) for path in pins_tool.stale()] == []


def test_a_changed_pin_makes_files_stale(pins_tool, monkeypatch):
    pins = pins_tool.load_pins()
    pins["groups"]["model"]["torch"]["version"] = "0.0"
    monkeypatch.setattr(pins_tool, "load_pins", lambda: pins)
    names = {path.name for path in pins_tool.stale()}
    assert {"requirements.txt", "environment.yml", "model.yaml"} <= names
    assert "analysis.yaml" not in names


def test_only_the_table_between_the_markers_changes(pins_tool):
    pins = pins_tool.load_pins()
    text = pins_tool.with_table(f"before {pins_tool.OPENING} old {pins_tool.CLOSING} after", pins)
    assert text.startswith("before ")
    assert text.endswith(" after")
    assert " old " not in text
    assert f"| torch | {pins['groups']['model']['torch']['version']} |" in text
    assert pins_tool.with_table(text, pins) == text
    assert pins_tool.with_table("no markers", pins) == "no markers"


@pytest.mark.parametrize("name", ["Dockerfile", "apptainer.def"])
def test_a_container_has_this_python_and_what_is_pinned(pins_tool, name):
    """Wrong behaviour: a container that is a list of pins of its own, which nobody brings up to date."""
    pins = pins_tool.load_pins()
    text = pins_tool.container(pins, name)
    assert f"python:{pins['python']}-slim-bookworm" in text
    assert "pip install --no-cache-dir -r /requirements.txt" in text and "==" not in text
    assert all(package in text for package in pins["system"])
    assert (ROOT / name).read_text() == text
    context = (ROOT / ".dockerignore").read_text().split()
    assert context == ["*", "!requirements.txt"], "the results and the cache are not sent to Docker"


@pytest.mark.parametrize("name", ["model", "analysis", "graph"])
def test_an_environment_of_snakemake_has_all_of_its_groups(pins_tool, name):
    """Wrong behaviour: pip's packages in the file, which Snakemake passes over where there is a pin file beside it."""
    pins = pins_tool.load_pins()
    file = ROOT / "workflow" / "envs" / f"{name}.yaml"
    script = file.with_suffix(".post-deploy.sh")
    named = yaml.safe_load(file.read_text())["dependencies"]
    assert all(isinstance(line, str) for line in named)
    found = {line.partition("=")[0]: line.partition("=")[2] for line in named}
    words = script.read_text().splitlines()[-1].split() if script.exists() else []
    found |= dict(word.split("==") for word in words if "==" in word)
    wanted = {"python": pins["python"]} | ({"pip": ""} if words else {})
    for group in pins["files"][f"workflow/envs/{name}.yaml"]:
        for package, pin in pins["groups"][group].items():
            wanted[package if pin.get("conda") == "pip" else pin.get("conda", package)] = pin["version"]
    assert found == wanted


def test_no_package_is_pinned_twice(pins_tool):
    pins = pins_tool.load_pins()
    names = [name.lower() for group in (pins["groups"] | pins["optional"]).values() for name in group]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("folder", ["src", "workflow/scripts"])
def test_every_import_is_pinned(pins_tool, folder):
    pins = pins_tool.load_pins()
    groups = [group for group in (pins["groups"] | pins["optional"]) if group not in ("workflow", "build", "dev")]
    if folder != "src":
        groups.append("workflow")  # the package must not need Snakemake, its scripts may
    assert unknown_imports(ROOT / folder, groups, pins) == {}


def test_an_unpinned_import_is_found(pins_tool, tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    (tmp_path / "module.py").write_text("import json, numpy\ndef f():\n    from left_pad.core import g\n")
    assert unknown_imports(tmp_path, ["analysis"], pins_tool.load_pins()) == {"module.py": {"left_pad"}}
