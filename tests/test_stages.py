"""DVC's graph of phases says the same as Snakemake's of jobs: files, rules and parameters."""

import re
from itertools import chain
from pathlib import Path

import pytest
import yaml
from both_graphs import PARAMS, PHASES, SCALES, STAGES, covers, leaves, made, stages_of, used, within
from checkout import call, choose_scale
from conftest import ROOT

# What every stage depends on, besides the rules and scripts of its own.
COMMON = {"Snakefile", "src/prm_scaling/config.py", "workflow/rules/common.smk"}


def test_a_stage_is_a_phase():
    assert list(STAGES) == PHASES


@pytest.mark.parametrize("phase", PHASES)
def test_a_stage_runs_the_rules_of_its_phase_and_no_other(phase, rules):
    """Wrong behaviour: `dvc repro figures` in a fresh clone that trains."""
    found = re.fullmatch(r"snakemake --allowed-rules ([\w ]+) -- (\w+)", STAGES[phase]["cmd"])
    assert found, "no core count and no profile: the command is a part of dvc.lock"
    assert found[1].split() == [name for name, rule in rules.items() if rule["phase"] == phase]
    assert found[2] == phase
    assert rules[phase]["target"]


def test_the_figures_profile_allows_the_same_rules_as_the_figures_stage():
    profile = yaml.safe_load((ROOT / "profiles" / "figures" / "config.yaml").read_text())
    assert f" {' '.join(profile['allowed-rules'])} -- " in STAGES["figures"]["cmd"]


@pytest.mark.parametrize("scale", SCALES)
def test_every_output_has_one_owning_stage(scale, graphs):
    outs = {out: phase for phase, stage in stages_of(scale).items() for out in stage["outs"]}
    unused = set(outs)
    for path, phase in made(graphs[scale]).items():
        owners = {out for out in outs if within(path, out)}
        assert [outs[out] for out in owners] == [phase], f"{path} of {phase} belongs to {owners}"
        unused -= owners
    assert not unused, "no job makes them"


@pytest.mark.parametrize("phase", PHASES)
def test_a_stage_depends_on_what_its_jobs_read_and_on_nothing_else(phase, graphs, rules):
    """At each scale what is read is declared; over all scales what is declared is read."""
    scripts = {
        f"workflow/scripts/{Path(r['script']).name}" for r in rules.values() if r["phase"] == phase and r["script"]
    }
    # Files beside Snakemake's inputs that each stage has to name.
    parts = (ROOT / "workflow" / "rules" / phase).glob("*.smk")
    fixed = COMMON | scripts | {f"workflow/rules/{phase}.smk", *(f"workflow/rules/{phase}/{p.name}" for p in parts)}
    idle = set(STAGES[phase]["deps"])
    for scale in SCALES:
        owner = made(graphs[scale])
        deps = stages_of(scale)[phase]["deps"]
        assert len(deps) == len(set(deps))
        read = {path for path in used(graphs[scale], phase) if owner.get(path) != phase}
        read |= fixed | {f"config/{scale}.yaml"}
        for path in read:
            assert any(within(path, dep) for dep in deps), f"{phase} reads {path} at scale {scale}"
        idle -= {d for d, there in zip(STAGES[phase]["deps"], deps, strict=True) if any(within(p, there) for p in read)}
    assert not idle, "no job reads them"


def test_costly_phases_go_on_where_they_stopped():
    costly = {phase for phase, stage in STAGES.items() if any(o.get("persist") for o in stage["outs"].values())}
    assert costly == {"models", "annotate", "train", "search"}
    cache = (ROOT / ".dvc" / "config").read_text()
    assert 'type = "reflink,copy"' in cache, "a linked cache and `persist` give stale figures"


def test_dvc_versions_what_git_does_not(checkout):
    for stage in STAGES.values():
        for out, options in stage["outs"].items():
            ignored = call(checkout, "git", "check-ignore", "--quiet", out).returncode == 0
            assert ignored == options.get("cache", True), out


def test_what_dvc_shows_is_made(graphs):
    """Wrong behaviour: `dvc metrics` and `dvc plots` name files that no job writes, and show nothing."""
    text = (ROOT / "dvc.yaml").read_text().replace("${results}", "results").replace("${scale}", "default")
    told = yaml.safe_load(text)
    shown = {path for entry in told["plots"] for path in ([entry] if isinstance(entry, str) else entry)}
    assert shown and told["metrics"]
    assert shown | set(told["metrics"]) <= set(made(graphs["default"]))
    pictures = {path for path in made(graphs["default"]) if path.endswith(".png")}
    assert pictures <= shown


def test_dvc_can_read_its_graph(checkout):
    choose_scale(checkout, "default")
    # Without --force DVC asks for files that earlier stages have not made yet.
    dry = call(checkout, "dvc", "repro", "--dry", "--force")
    assert dry.returncode == 0, dry.stderr
    assert re.findall(r"Running stage '(\w+)'", dry.stdout) == PHASES
    arrows = call(checkout, "dvc", "dag", "--dot")
    assert arrows.returncode == 0, arrows.stderr
    assert '"train" -> "search"' in arrows.stdout
    assert '"evaluate" -> "figures"' in arrows.stdout


def test_every_parameter_belongs_to_a_stage():
    """Wrong behaviour: a parameter that DVC does not know, or that is only shown and changes nothing."""
    computing = {phase: stage["params"] for phase, stage in STAGES.items() if phase != "figures"}
    for path, _ in leaves(PARAMS):
        for params in (STAGES["figures"]["params"], chain.from_iterable(computing.values())):
            assert any(covers(key, path) for key in params), ".".join(path)


def test_every_declared_parameter_exists():
    known = [path for path, _ in leaves(PARAMS)]
    for phase, stage in STAGES.items():
        assert {"scale", "results"} <= set(stage["params"]), phase
        assert len(stage["params"]) == len(set(stage["params"])), phase
        for key in stage["params"]:
            assert any(covers(key, path) for path in known), f"{phase}: {key}"
