"""The graph of jobs is whole at every scale, and every rule has what a rule should have."""

import ast
import os
import re
import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
import yaml
from both_graphs import APART, PHASES, SCALES, made, results_of, used, within
from checkout import call, choose_scale, copy_to, environment
from conftest import ROOT


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


def test_the_picture_of_the_rules_shows_those_of_the_default_scale(graphs):
    """Wrong behaviour: a README that shows the rules of last year; `snakemake --force rule_graph` draws them."""
    picture = (ROOT / "workflow" / "report" / "rulegraph.svg").read_text()
    there = {job["rule"] for job in graphs["default"]["jobs"]}
    assert set(re.findall(r">(\w+)</text>", picture)) == there - set(PHASES) | {"all"}


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
            assert Path(rule["conda"] or "no environment").resolve().is_file(), f"{name}: {rule['conda']}"


def test_whatever_holds_a_model_is_timed(graphs, rules):
    """Wrong behaviour: the longest jobs of a run leave no times that a later plan could go by."""
    costly = {
        job["rule"]
        for job in chain.from_iterable(graph["jobs"] for graph in graphs.values())
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


def names_by_folder(paths: list[str]) -> dict[str, set[str]]:
    """The names of files in each folder."""
    found: dict[str, set[str]] = {}
    for path in paths:
        found.setdefault(str(Path(path).parent), set()).add(Path(path).name)
    return found


def test_whatever_is_written_of_a_model_is_declared(tmp_path, graphs, policy_model, prm_model, tokenizer):
    """Wrong behaviour: a damaged tokenizer_config.json or config.json of a checkpoint that nobody looks at."""
    written = {}
    for name, saved in (("model", policy_model), ("prm", prm_model), ("tokenizer", tokenizer)):
        saved.save_pretrained(tmp_path / name)
        written[name] = {path.name for path in (tmp_path / name).iterdir()}
    expected = {
        "make_tokenizer": [written["tokenizer"]],
        "pretrain": [{"model.json", "metrics.json"} | written["model"] | written["tokenizer"], written["model"]],
        "early_model": [{"model.json"} | written["model"] | written["tokenizer"]],
        "train_variant": [{"model.json", "metrics.json"} | written["model"] | written["tokenizer"]],
        "train_prm": [{"prm.json", "metrics.json"} | written["prm"]],
        "train_prm_with_checkpoints": [{"prm.json", "metrics.json"} | written["prm"], {"prm.json"} | written["prm"]],
    }
    for job in chain(graphs["default"]["jobs"], graphs["smoke"]["jobs"]):
        if job["rule"] in expected:
            own, *kept = expected[job["rule"]]
            found = names_by_folder(job["output"])
            assert found.pop(str(Path(job["output"][0]).parent)) == own, job["rule"]
            assert all([names] == kept for names in found.values()) and bool(found) == bool(kept), job["rule"]


def test_who_reads_a_model_depends_on_all_of_its_files(graphs, rules):
    """Wrong behaviour: other special tokens, or another shape, and nothing is made anew."""
    made_in = {}
    for job in graphs["default"]["jobs"]:
        if not rules[job["rule"]]["target"]:
            made_in.update(names_by_folder(job["output"]))
    scripts = ROOT / "workflow" / "scripts"
    reads_tokens = {
        name
        for name, rule in rules.items()
        if rule["script"] and "load_tokenizer" in (scripts / Path(rule["script"]).name).read_text()
    }
    assert {"make_documents", "annotate_human", "score_pool", "grade_pool"} <= reads_tokens
    for job in graphs["default"]["jobs"]:
        read = names_by_folder(job["input"])
        for folder, names in read.items():
            if "model.safetensors" in names:
                assert made_in[folder] - names <= {"metrics.json"}, f"{job['rule']} reads {folder}"
        if job["rule"] in reads_tokens:
            assert any({"tokenizer.json", "tokenizer_config.json"} <= names for names in read.values()), job["rule"]


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
