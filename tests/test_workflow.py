"""The graph of jobs is whole at every scale, and DVC's graph of phases says the same as Snakemake's of jobs."""

import ast
import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest
import yaml
from checkout import call, choose_scale, copy_to, environment
from conftest import ROOT
from pydantic import ValidationError

from prm_scaling.config import Params, merged

PARAMS = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"scale": "default", "results": "results"}
SCALES = sorted(path.stem for path in (ROOT / "config").glob("*.yaml"))
# Rules of no phase: functions, and pictures that no result depends on.
APART = {"common", "docs"}
PHASES = [p for p in re.findall(r"rules/(\w+)\.smk", (ROOT / "Snakefile").read_text()) if p not in APART]
# What every stage depends on, besides the rules and scripts of its own.
COMMON = {"Snakefile", "src/prm_scaling/config.py", "workflow/rules/common.smk"}


def results_of(scale: str) -> str:
    """Where a scale's results are."""
    return "results" if scale == "default" else f"results/{scale}"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the checkout."""
    return copy_to(tmp_path_factory.mktemp("checkout"))


def graphs_of(checkout: Path, variants: list[dict]) -> list[dict]:
    """Snakemake's graph of each of these params.yaml."""
    done = call(checkout, sys.executable, "tests/graph.py", ".", input=json.dumps(variants))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def graphs(checkout) -> dict[str, dict]:
    """The graph of every scale; each job also has its ``phase``."""
    variants = [PARAMS | {"scale": scale, "results": results_of(scale)} for scale in SCALES]
    found = dict(zip(SCALES, graphs_of(checkout, variants), strict=True))
    for graph in found.values():
        for job in graph["jobs"]:
            job["phase"] = graph["rules"][job["rule"]]["phase"]
    return found


@pytest.fixture(scope="module")
def rules(graphs) -> dict[str, dict]:
    """The rules, by name."""
    return graphs["default"]["rules"]


def stages_of(scale: str) -> dict[str, dict]:
    """The stages of dvc.yaml at a scale; ``outs`` maps each path to its options."""
    text = (ROOT / "dvc.yaml").read_text().replace("${results}", results_of(scale)).replace("${scale}", scale)
    stages = yaml.safe_load(text)["stages"]
    for stage in stages.values():
        outs = [{out: {}} if isinstance(out, str) else out for out in stage["outs"]]
        stage["outs"] = {path: options for out in outs for path, options in out.items()}
    return stages


STAGES = stages_of("default")


def within(path: str, folder: str) -> bool:
    """Whether ``path`` is ``folder`` or lies in it."""
    return path == folder or path.startswith(f"{folder}/")


def made(graph: dict) -> dict[str, str]:
    """Every file that the jobs of a graph make, with its phase."""
    return {path: job["phase"] for job in graph["jobs"] for path in job["output"]}


def used(graph: dict, phase: str) -> set[str]:
    """The files that the jobs of a phase read; its target only names what they make."""
    jobs = [j for j in graph["jobs"] if j["phase"] == phase and not graph["rules"][j["rule"]]["target"]]
    return {path for job in jobs for path in job["input"]}


# --- Snakemake's graph ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", SCALES)
def test_a_dry_run_of_every_scale_shows_the_whole_graph(scale, checkout, graphs):
    choose_scale(checkout, scale)
    dry = call(checkout, "snakemake", "--dry-run")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    table = (dry.stdout + dry.stderr).partition("Job stats:")[2].partition("total")[0]
    shown = set(re.findall(r"^(\w+) +\d+$", table, re.MULTILINE)) - {"all"}
    assert shown == {job["rule"] for job in graphs[scale]["jobs"]} - set(PHASES)
    assert {graphs[scale]["rules"][rule]["phase"] for rule in shown} == set(PHASES)


def test_every_rule_runs_at_some_scale(graphs, rules):
    assert {job["rule"] for graph in graphs.values() for job in graph["jobs"]} == set(rules) - {"all", "rule_graph"}


@pytest.mark.parametrize("scale", SCALES)
def test_no_phase_reads_from_a_later_one(scale, graphs):
    owner = made(graphs[scale])
    for phase in PHASES:
        for path in used(graphs[scale], phase) & set(owner):
            assert PHASES.index(owner[path]) <= PHASES.index(phase), f"{phase} reads {path}"


def test_a_phase_is_a_file_and_a_target_of_one_name(rules):
    assert [name for name, rule in rules.items() if rule["target"] and name != "all"] == PHASES
    assert all(rules[phase]["phase"] == phase for phase in PHASES)
    assert {path.stem for path in (ROOT / "workflow" / "rules").glob("*.smk")} == {*APART, *PHASES}


def test_what_the_readme_names_of_the_results_is_made(graphs):
    readme = (ROOT / "README.md").read_text()
    named = {path.rstrip(".") for path in re.findall(r"results/[\w/.-]+\.\w+", readme)}
    assert named and named <= set(made(graphs["default"]))


def test_every_rule_has_log_environment_message_and_resources(rules):
    for name, rule in rules.items():
        if not rule["target"]:
            assert rule["log"], f"{name} has no log"
            assert rule["message"], f"{name} has no message"
            # What no result depends on runs beside Snakemake.
            assert name == "rule_graph" or {"mem_mb", "runtime"} <= set(rule["resources"]), f"{name} has no resources"
            environment = ROOT / "workflow" / "rules" / (rule["conda"] or "no environment")
            assert environment.resolve().is_file(), f"{name}: {environment}"


def test_whatever_holds_a_model_is_timed(graphs, rules):
    """Wrong behaviour: the longest jobs of a run leave no times that a later plan could go by."""
    costly = {
        job["rule"]
        for job in graphs["default"]["jobs"]
        if any("/models/" in path and path.endswith(".safetensors") for path in [*job["input"], *job["output"]])
    }
    assert {"pretrain", "train_prm", "search_tree", "sample_pool", "gradients"} <= costly
    assert {rule for rule in costly if not rules[rule]["benchmark"]} == set()


def test_a_version_above_the_bounds_is_refused(tmp_path):
    """Wrong behaviour: another major version, and an error from deep inside, or results that differ."""
    found = tmp_path / "dvc-4.0.0.dist-info"
    found.mkdir()
    (found / "METADATA").write_text("Metadata-Version: 2.1\nName: dvc\nVersion: 4.0.0\n")
    copy = copy_to(tmp_path / "copy")
    python = {**environment(copy), "PYTHONPATH": f"{tmp_path}{os.pathsep}{copy / 'src'}"}
    done = subprocess.run(["snakemake", "-n"], cwd=copy, env=python, capture_output=True, text=True)
    assert done.returncode != 0
    assert "dvc 4.0.0 is installed, and this workflow is written for dvc below 4" in done.stdout + done.stderr


def test_the_pins_are_within_the_bounds():
    source = (ROOT / "workflow" / "rules" / "common.smk").read_text()
    bounds = ast.literal_eval(re.search(r"^BELOW = (.*)$", source, re.MULTILINE)[1])
    pins = yaml.safe_load((ROOT / "pins.yaml").read_text())["groups"]["workflow"]
    assert set(bounds) == {"snakemake", "dvc"}
    for package, bound in bounds.items():
        assert int(pins[package]["version"].split(".")[0]) == bound - 1
        assert f"below {bound}, as " in pins[package]["reason"]


def test_every_script_exists_and_is_used(rules):
    named = {Path(rule["script"]).name for rule in rules.values() if rule["script"]}
    assert named == {path.name for path in (ROOT / "workflow" / "scripts").glob("*.py")}


def test_logs_and_checkpoints_lie_outside_of_results(graphs):
    """Wrong behaviour: a time stamp in a phase's folder, so that its hash changes with every run."""
    for scale, graph in graphs.items():
        logs = chain.from_iterable(rule["log"] for rule in graph["rules"].values())
        assert all(within(path, f"logs/{scale}") for path in logs)
        work = [job["params"]["work"] for job in graph["jobs"] if "work" in job["params"]]
        assert all(within(path, f"work/{scale}") for path in work)
        assert all(within(path, results_of(scale)) for path in made(graph))


def test_scales_share_no_file(graphs):
    owners = [path for graph in graphs.values() for path in made(graph)]
    assert len(owners) == len(set(owners))


def test_a_job_depends_on_what_its_script_imports_or_names(graphs):
    """Wrong behaviour: a change in the sandbox or in a caption that no rule sees."""
    inputs = {job["rule"]: set(job["input"]) for job in graphs["default"]["jobs"]}
    package = "src/prm_scaling"
    # Also what runs in the sandbox, which no module of the host needs by an import.
    assert {str(path.relative_to(ROOT)) for path in (ROOT / package / "verify").rglob("*.py")} <= inputs["grade_pool"]
    assert {f"{package}/plots/captions.yaml", f"{package}/plots/style.py"} <= inputs["draw_figure"]
    assert f"{package}/search/mcts.py" in inputs["search_tree"]
    assert f"{package}/search/mcts.py" not in inputs["train_prm"]


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("\nseed: 0", "\nsede: 0", "sede: unknown key; remove it or correct its name"),
        (
            "beam: {width: 4}",
            "beam: {width: four}",
            "search.beam.width: Input should be a valid integer (value: 'four')",
        ),
        ("budgets: [4, 8, 16]", "budgets: [2, 8]", "raise the budget or lower width"),
    ],
)
def test_snakemake_names_the_wrong_parameter_and_the_way_out(tmp_path, right, wrong, said):
    """Wrong behaviour: a page of JSON schema in place of the field and its value."""
    copy = copy_to(tmp_path)
    text = (copy / "params.yaml").read_text()
    assert right in text
    (copy / "params.yaml").write_text(text.replace(right, wrong))
    done = call(copy, "snakemake", "-n")
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert said in told and "Failed validating" not in told


def test_the_schema_is_that_of_the_package(checkout):
    done = call(checkout, sys.executable, "tools/schema.py", "--check")
    assert done.returncode == 0, done.stdout


# --- DVC's graph ------------------------------------------------------------------------------------------------


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
    fixed = COMMON | scripts | {f"workflow/rules/{phase}.smk"}
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


# --- parameters -------------------------------------------------------------------------------------------------


def leaves(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """(path, value) of every value in nested mappings that is no mapping itself, or an empty one."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


def covers(declared: str, path: tuple[str, ...]) -> bool:
    """Whether a stage that declares this key sees a change at ``path``."""
    keys = tuple(declared.split("."))
    return path[: len(keys)] == keys


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


# Mappings from names of the user's to entries of one kind: one entry stands for all (of a split, where they have one).
NAMED = {
    ("problems", "sets"),
    ("problems", "surfaces"),
    ("models", "ladder"),
    ("models", "variants"),
    ("chains", "sets"),
    ("annotate", "judges"),
    ("train", "sets"),
    ("train", "published"),
}
# Where the default scale has none.
ENTRIES = {("train", "published"): {"prm": {"hub": "a/b", "form": "qwen", "parameters": 1, "domain": "math"}}}


def names_in(value: object) -> set[str]:
    """Every key and text in nested mappings and lists."""
    if isinstance(value, dict):
        return set(value) | set().union(*map(names_in, value.values()))
    if isinstance(value, list):
        return set().union(*map(names_in, value))
    return {value} if isinstance(value, str) else set()


WORDS = sorted(names_in(PARAMS) | {"vllm", "last", "bfloat16", "cuda"})


def others(value: object) -> Iterator[object]:
    """Values to try in place of one."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1, value * 2)
    elif isinstance(value, float):
        yield from (value / 2, value * 2, value + 0.5)
    elif isinstance(value, str):
        yield from (word for word in WORDS if word != value)
    elif isinstance(value, list):
        yield from ([*value[:-1], last] for last in others(value[-1]) if last not in value)
        yield value[:-1]


def changed(path: tuple[str, ...], value: object) -> dict | None:
    """The parameters with another value at ``path``; None if they are refused."""
    params = copy.deepcopy(PARAMS)
    place = params
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    try:
        Params.model_validate(params)
    except ValidationError:
        return None
    return params


def mutations() -> Iterator[tuple[tuple[str, ...], dict]]:
    """Each parameter changed by itself, and each mapping of names with an entry less and one more."""
    seen = set()
    for path, value in leaves(PARAMS):
        kind = tuple("*" if path[:i] in NAMED else key for i, key in enumerate(path))
        if path[:2] == ("problems", "sets"):
            kind += (PARAMS["problems"]["sets"][path[2]]["split"],)
        if path[0] in ("scale", "results") or kind in seen:
            continue
        usable = [new for new in (changed(path, other) for other in others(value)) if new]
        if usable:
            seen.add(kind)
            # Of a list both are tried: another entry and one less.
            yield from ((path, new) for new in ([usable[0], usable[-1]] if isinstance(value, list) else usable[:1]))
    for path in sorted(NAMED):
        entries = PARAMS
        for key in path:
            entries = entries[key]
        *_, (name, entry) = (entries or ENTRIES[path]).items()
        if isinstance(entry, dict) and "layers" in entry:
            entry = entry | {"layers": entry["layers"] + 1}  # the ladder ascends
        fewer = [changed(path, {k: v for k, v in entries.items() if k != gone}) for gone in reversed(entries)]
        yield from ((path, new) for new in [changed(path, merged(entries, {f"{name}_too": entry})), *fewer[:2]] if new)


@pytest.mark.slow
def test_stages_and_jobs_follow_the_same_parameters(checkout):
    """Wrong behaviour: a change that Snakemake would run jobs for, while DVC calls their phase up to date."""
    paths, variants = zip(*mutations(), strict=True)
    base, *graphs = graphs_of(checkout, [PARAMS, *variants])
    phase_of = {name: rule["phase"] for name, rule in base["rules"].items()}

    def jobs(graph: dict) -> dict:
        return {(j["rule"], str(j["wildcards"])): (j["input"], j["output"], j["params"]) for j in graph["jobs"]}

    before, needless = jobs(base), {(phase, key) for phase, stage in STAGES.items() for key in stage["params"]}
    needless -= {(phase, key) for phase in PHASES for key in ("scale", "results")}
    for path, graph in zip(paths, graphs, strict=True):
        after = jobs(graph)
        stale = {phase_of[job[0]] for job in before.keys() | after.keys() if before.get(job) != after.get(job)}
        for phase in stale:
            declared = [key for key in STAGES[phase]["params"] if covers(key, path)]
            assert declared, f"{phase} follows {'.'.join(path)}, which its stage does not declare"
            needless -= {(phase, key) for key in declared}
    assert not needless, "declared, but no job of the phase follows them"
