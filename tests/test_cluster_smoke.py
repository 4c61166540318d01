"""The smoke scale on a real SLURM of two nodes, in environments of a real conda, by `dvc repro` on the login node."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
import yaml
from checkout import choose_scale, copy_to, environment
from clones import provenance
from real_conda import starts
from safetensors.torch import load_file
from slurm import Cluster, cluster, on_cluster, with_profile
from test_resources import params_of

from prm_scaling.provenance.rates import stated_rates
from prm_scaling.resources import Asked, Needs, Node

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cluster")]

RESULTS = Path("results", "smoke")
PHASES = {"problems", "models", "chains", "annotate", "filter", "train", "search", "evaluate", "figures"}


@pytest.fixture(scope="module")
def slurm(tmp_path_factory) -> Iterator[Cluster]:
    """A cluster of two nodes."""
    with cluster(tmp_path_factory.mktemp("slurm"), nodes=2) as running:
        yield running


@pytest.fixture(scope="module")
def login(tmp_path_factory, slurm, conda) -> tuple[Path, dict[str, str]]:
    """A folder on the login node with the smoke scale (conda wants no space in its path), and an environment there."""
    folder = with_profile(copy_to(tmp_path_factory.mktemp("smoke") / "folder"))
    overlay = folder / "config" / "smoke.yaml"
    # Muon wants whole matrices, and processes on several nodes hold parts of them.
    overlay.write_text(overlay.read_text().replace("\ntrain:\n", "\ntrain:\n  optimizer: adamw\n"))
    choose_scale(folder, "smoke")
    with (folder / "profiles" / "slurm" / "config.yaml").open("a") as profile:
        profile.write("software-deployment-method: conda\n")
    own = on_cluster(folder, slurm)
    return folder, own | {"PATH": conda.path(own["PATH"])}


@pytest.fixture(scope="module")
def smoke(login, slurm) -> Path:
    """The smoke scale, from problems to the report."""
    folder, own = login
    done = subprocess.run(["dvc", "repro"], cwd=folder, env=own, capture_output=True, text=True, timeout=3600)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:] + slurm.logs()
    return folder


def test_the_smoke_scale_runs_on_the_cluster_by_dvc(smoke, slurm):
    assert (smoke / RESULTS / "report.html").stat().st_size > 0
    figures = list((smoke / RESULTS / "figures").glob("*.svg"))
    assert len(figures) > 10 and all(figure.stat().st_size > 0 for figure in figures)
    assert slurm.finished().count("COMPLETED") >= 40, "the jobs ran elsewhere"
    stages = yaml.safe_load((smoke / "dvc.lock").read_text())["stages"]
    assert set(stages) >= PHASES
    assert not any("slurm" in stage["cmd"] or "cores" in stage["cmd"] for stage in stages.values())


def test_short_jobs_are_submitted_together(smoke, slurm):
    """Wrong behaviour: a job of SLURM for each of a thousand figures."""
    ended = [line for line in slurm.completed().splitlines() if f"WorkDir={smoke} " in line]
    # All jobs of one Snakemake bear one name; the first of DVC's stages makes the problems, the last the figures.
    runs = [re.search(r" Name=(\S+)", line)[1] for line in ended]
    made = len(list((smoke / RESULTS / "problems").glob("*.parquet")))
    assert 0 < runs.count(runs[0]) < made / 3
    drawn = len(list((smoke / RESULTS / "figures").glob("*.svg")))
    assert 0 < runs.count(runs[-1]) < drawn / 3


def test_the_jobs_ran_in_environments_of_conda(smoke):
    """Wrong behaviour: environments that are made, and not activated."""
    began = starts(smoke)
    assert set(began) == {"analysis", "model"}
    assert began["model"] >= 30 and began["analysis"] >= 10


def test_after_the_cluster_the_local_executor_goes_on_in_the_same_environments(smoke, conda):
    here = environment(smoke)
    here["PATH"] = conda.path(here["PATH"])
    began = starts(smoke)
    rules = ["filter_consensus", "make_tokenizer"]
    forced = ["--forcerun", *rules, "--allowed-rules", *rules]
    targets = [str(RESULTS / "filter" / "aslaf.parquet"), str(RESULTS / "models" / "tokenizer" / "tokenizer.json")]
    command = ["snakemake", "--cores", "2", "--use-conda", *forced, "--", *targets]
    done = subprocess.run(command, cwd=smoke, env=here, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    later = starts(smoke)
    assert later["model"] > began["model"] and later["analysis"] >= began["analysis"]


def test_a_node_made_on_the_cluster_is_made_the_same_here(smoke):
    target = str(RESULTS / "problems" / "math_train.parquet")
    status, told = provenance(smoke, "verify", target, "--cores", "1")
    assert status == 0, told
    assert told.splitlines()[-1] == "identical"


# --- several nodes ---


def across_two_nodes() -> Asked:
    """What a job asks for whose model needs two nodes: the PRM of 72B, on nodes of 8 GPUs of 96 GB."""
    needs = Needs(params_of("paper"), stated_rates(), Node(gpus=8, gpu_gigabytes=96, hours=24))
    return needs.asked("train_prm", {"training": "aslaf", "size": "qwen2.5-72b", "seed": "0"})


def test_a_training_on_two_nodes_makes_the_prm_that_one_process_makes(smoke, login, slurm):
    """Wrong behaviour: a step on one node that asks for the GPUs of both; nodes that do not find each other."""
    _, own = login
    prm = smoke / RESULTS / "train" / "human-12k-s0"
    alone = load_file(prm / "model.safetensors")
    losses = json.loads((prm / "metrics.json").read_text())
    # Of the large job all that makes it one of several nodes; of the small one what it is.
    asked = asdict(across_two_nodes()) | {"gpu": 2, "mem_mb": 4000, "runtime": 10}
    assert asked["nodes"] == 2
    settings = [f"train_prm:{name}={asked[name]}" for name in asked if name != "cpus"]
    command = ["snakemake", "--forcerun", "train_prm", "--allowed-rules", "train_prm", "--set-resources", *settings]
    target = str(prm.relative_to(smoke) / "prm.json")
    done = subprocess.run([*command, "--", target], cwd=smoke, env=own, capture_output=True, text=True, timeout=900)
    log = (smoke / "logs" / "smoke" / "train" / f"{prm.name}.log").read_text()
    assert done.returncode == 0, done.stdout + done.stderr + log
    last = slurm.completed().splitlines()[-1]
    assert "JobState=COMPLETED" in last and "NodeCnt=2" in last
    job = re.search(r"JobId=(\d+)", last)[1]
    # Every node has had its part of the one step that the job itself started.
    assert all(re.search(rf"\b{job}\.0\b", slurm.log_of(node)) for node in slurm.nodes), slurm.logs()
    again = json.loads((prm / "metrics.json").read_text())
    assert [row["step"] for row in again] == [row["step"] for row in losses]
    assert [row["loss"] for row in again] == pytest.approx([row["loss"] for row in losses], rel=1e-5)
    for name, values in load_file(prm / "model.safetensors").items():
        torch.testing.assert_close(values, alone[name], rtol=1e-4, atol=1e-5)
