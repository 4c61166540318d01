"""Write every file that states a pinned dependency from the one list, ``pins.yaml``.

    python tools/pins.py            # rewrites what is out of date
    python tools/pins.py --check    # rewrites nothing; exits 1 and names what is out of date

A pin is changed in ``pins.yaml`` and nowhere else.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
OPENING, CLOSING = "<!-- dependencies -->", "<!-- /dependencies -->"
NOTICE = "# Made from pins.yaml by tools/pins.py: change it there.\n"


def load_pins() -> dict[str, Any]:
    """The content of ``pins.yaml``."""
    return yaml.safe_load((ROOT / "pins.yaml").read_text())


def pip_lines(pins: dict[str, Any], groups: list[str]) -> list[str]:
    """The requirements of these groups, as pip reads them."""
    return [f"{name}=={pin['version']}" for group in groups for name, pin in pins["groups"][group].items()]


def requirements(pins: dict[str, Any], groups: list[str]) -> str:
    """A pip requirements file."""
    return NOTICE + "".join(f"{line}\n" for line in pip_lines(pins, groups))


def split(pins: dict[str, Any], groups: list[str]) -> tuple[list[str], list[str]]:
    """The requirements of these groups as conda reads them, and as pip reads those that conda's channels lack."""
    conda, pip = [f"python={pins['python']}"], []
    for group in groups:
        for package, pin in pins["groups"][group].items():
            if pin.get("conda") == "pip":
                pip.append(f"{package}=={pin['version']}")
            else:
                conda.append(f"{pin.get('conda', package)}={pin['version']}")
    return conda + ["pip"] * bool(pip), pip


def conda_environment(pins: dict[str, Any], groups: list[str], name: str = "") -> str:
    """A conda environment file. One with a name has pip's packages, one of Snakemake's leaves them to its script."""
    conda, pip = split(pins, groups)
    lines = [f"name: {name}"] if name else []
    lines += ["channels:", "  - conda-forge", "  - bioconda", "  - nodefaults", "dependencies:"]
    lines += [f"  - {line}" for line in conda]
    if pip and name:
        lines += ["  - pip:", *(f"      - {line}" for line in pip)]
    return NOTICE + "".join(f"{line}\n" for line in lines)


def post_deploy(pins: dict[str, Any], groups: list[str]) -> str:
    """What Snakemake runs in an environment that it has made, from its file or from its pins; empty for nothing."""
    _, pip = split(pins, groups)
    return f"{NOTICE}python -m pip install --disable-pip-version-check {' '.join(pip)}\n" if pip else ""


def container(pins: dict[str, Any], name: str) -> str:
    """A container definition: this Python, the system's packages and requirements.txt; the checkout is mounted."""
    packages = " ".join(pins["system"])
    install = [
        f"apt-get update && apt-get install -y --no-install-recommends {packages} && rm -rf /var/lib/apt/lists/*",
        "pip install --no-cache-dir -r /requirements.txt",
    ]
    base = f"python:{pins['python']}-slim-bookworm"
    if name == "Dockerfile":
        lines = [
            "#     docker build -t prm-scaling .",
            '#     docker run --rm -v "$PWD:/prm-scaling" prm-scaling snakemake --cores all',
            f"FROM {base}",
            "COPY requirements.txt /requirements.txt",
            *(f"RUN {line}" for line in install),
            "# The checkout is another user's inside the container.",
            "RUN git config --system --add safe.directory /prm-scaling",
            "WORKDIR /prm-scaling",
        ]
    else:
        lines = [
            "#     apptainer build prm-scaling.sif apptainer.def",
            "#     apptainer exec prm-scaling.sif snakemake --cores all",
            "Bootstrap: docker",
            f"From: {base}",
            "",
            "%files",
            "    requirements.txt /requirements.txt",
            "",
            "%post",
            *(f"    {line}" for line in install),
        ]
    return NOTICE + "".join(f"{line}\n" for line in lines)


def table(pins: dict[str, Any]) -> str:
    """The README's table of dependencies."""
    rows = ["| package | version | for | group |", "|---|---|---|---|"]
    for group, packages in {**pins["groups"], **pins["optional"]}.items():
        label = f"{group} (optional)" if group in pins["optional"] else group
        rows += [f"| {name} | {pin['version']} | {pin['reason']} | {label} |" for name, pin in packages.items()]
    return "\n".join(rows)


def with_table(readme: str, pins: dict[str, Any]) -> str:
    """``readme`` with its table renewed; unchanged where it has no markers for one."""
    before, opening, rest = readme.partition(OPENING)
    _, closing, after = rest.partition(CLOSING)
    if not (opening and closing):
        return readme
    return f"{before}{OPENING}\n{table(pins)}\n{CLOSING}{after}"


def expected() -> dict[Path, str]:
    """What each file that states pins should contain."""
    pins = load_pins()
    files = {}
    for name, groups in pins["files"].items():
        if name.endswith(".txt"):
            files[ROOT / name] = requirements(pins, groups)
        elif name == "environment.yml":
            files[ROOT / name] = conda_environment(pins, groups, "prm-scaling")
        else:
            files[ROOT / name] = conda_environment(pins, groups)
            if script := post_deploy(pins, groups):
                files[(ROOT / name).with_suffix(".post-deploy.sh")] = script
    files |= {ROOT / name: container(pins, name) for name in pins["containers"]}
    readme = ROOT / "README.md"
    if readme.exists():
        files[readme] = with_table(readme.read_text(), pins)
    return files


def stale() -> dict[Path, str]:
    """The files that differ from what they should contain, with that content."""
    return {p: text for p, text in expected().items() if not p.exists() or p.read_text() != text}


def main() -> int:
    """Write or check; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="name the files that are out of date and exit 1")
    check = parser.parse_args().check
    out_of_date = stale()
    for path, text in out_of_date.items():
        print(f"{path.relative_to(ROOT)}: {'out of date; run `python tools/pins.py`' if check else 'written'}")
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return int(check and bool(out_of_date))


if __name__ == "__main__":
    sys.exit(main())
