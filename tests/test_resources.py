"""What jobs ask a cluster for: it follows from the models' sizes, also at the paper's scale."""

import re
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from pydantic import ValidationError

from prm_scaling.config import Params, load_params, merged
from prm_scaling.provenance.rates import stated_rates
from prm_scaling.resources import Asked, Needs, Node

NODE = Node(gpus=8, gpu_gigabytes=80, hours=24)


def params_of(scale: str, **changes) -> Params:
    """The parameters of a scale, with changes."""
    raw = yaml.safe_load((ROOT / "params.yaml").read_text())
    overlay = yaml.safe_load((ROOT / "config" / f"{scale}.yaml").read_text()) or {}
    results = "results" if scale == "default" else f"results/{scale}"
    return Params.model_validate(merged(merged(raw, overlay), {"scale": scale, "results": results, **changes}))


@pytest.fixture(scope="module")
def paper() -> Needs:
    return Needs(params_of("paper"), stated_rates(), NODE)


def trained(needs: Needs, size: str, attempt: int = 1) -> Asked:
    return needs.asked("train_prm", {"training": "aslaf", "size": f"qwen2.5-{size}", "seed": "0"}, attempt)


SIZES = ["0.5b", "1.5b", "3b", "7b", "14b", "32b", "72b"]


def test_the_gpus_of_a_training_hold_its_model(paper):
    """16 bytes a parameter: 72B needs over a terabyte, more than one node has."""
    asked = {size: trained(paper, size) for size in SIZES}
    assert [a.gpu for a in asked.values()] == [1, 1, 1, 2, 4, 8, 24]
    assert [a.nodes for a in asked.values()] == [1, 1, 1, 1, 1, 1, 3]
    for size, a in asked.items():
        billions = float(size.removesuffix("b"))
        assert billions * 16 * 0.95 < a.gpu * NODE.gpu_gigabytes
        assert a.mem_mb > 4000 * billions * 0.9, "a model is written from float32 in host memory"


def test_a_training_on_several_nodes_has_one_task_on_each(paper):
    """Wrong behaviour: a step on one node that asks for the GPUs of all, which SLURM never starts."""
    asked = trained(paper, "72b")
    assert (asked.nodes, asked.tasks, asked.tasks_per_gpu, asked.mpi) == (3, 3, 0, "srun")
    asked = trained(paper, "32b")
    assert (asked.nodes, asked.tasks, asked.tasks_per_gpu, asked.mpi) == (1, None, None, None)


def test_an_optimizer_for_one_gpu_is_refused_where_a_training_needs_more():
    needs = Needs(params_of("paper", train={"optimizer": "muon"}), stated_rates(), NODE)
    assert trained(needs, "3b").gpu == 1
    with pytest.raises(ValueError, match=r"train.optimizer: muon .* needs 2 of 80 GB; use adamw"):
        trained(needs, "7b")


def test_the_gpus_of_a_judge_hold_its_weights_and_its_cache(paper):
    asked = {
        judge: paper.asked("annotate_judge", {"judge": judge, "chains": "math"}) for judge in ("judge_a", "judge_c")
    }
    assert asked["judge_c"].gpu == 1, "7B in bfloat16 are 15 GB"
    assert asked["judge_a"].gpu == 4, "72B in bfloat16 are 145 GB, beside 17 GB of cache on each"
    assert asked["judge_a"].cpus == 4 * asked["judge_c"].cpus


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (Node(gpus=8, gpu_gigabytes=24, hours=24), "gpu_gigabytes 24 leaves no room beside the caches of 16384 MB"),
        (Node(gpus=4, gpu_gigabytes=40, hours=24), "does not fit on 4 GPUs of 40 GB, and engines run on one node"),
    ],
)
def test_nodes_too_small_for_a_judge_are_named(node, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        Needs(params_of("paper"), stated_rates(), node).asked("annotate_judge", {"judge": "judge_a", "chains": "math"})


def test_a_larger_type_needs_more_gpus():
    engine = {"engine": {"dtype": "float32"}}
    full = Needs(params_of("paper", **engine), stated_rates(), NODE)
    assert full.asked("annotate_judge", {"judge": "judge_a", "chains": "math"}).gpu == 8


def test_another_try_asks_for_more_memory_and_time_but_not_for_more_than_the_limit(paper):
    first, second = trained(paper, "1.5b"), trained(paper, "1.5b", 2)
    assert (second.mem_mb, second.runtime) == (2 * first.mem_mb, 2 * first.runtime)
    assert (second.gpu, second.cpus) == (first.gpu, first.cpus)
    assert trained(paper, "1.5b", 10_000).runtime == 24 * 60


def test_on_cpus_no_job_asks_for_a_gpu_and_what_has_no_model_for_little():
    needs = Needs(params_of("default"), stated_rates(), NODE)
    small = needs.asked("draw_figure", {"figure": "figure1"})
    assert small == Asked(1, mem_mb=1500, runtime=3, gpu=0, nodes=1, tasks=None, tasks_per_gpu=None, mpi=None)
    large = needs.asked("pretrain", {"model": "124k"})
    assert large.gpu == 0 and large.cpus == 1
    assert large.runtime > 3 and large.mem_mb > 2 * small.mem_mb


def test_much_grading_gets_more_cores(paper):
    few = paper.asked("grade_pool", {"graded": "qwen2.5-7b-instruct-math"})
    programs = paper.asked("grade_pool", {"graded": "coder-7b-code"})
    assert few.cpus == 1
    assert programs.cpus == 16 and programs.gpu == 0


@pytest.mark.parametrize("scale", ["default", "smoke", "paper"])
def test_every_policy_and_training_asks_for_something_that_exists(scale):
    needs, params = Needs(params_of(scale), stated_rates(), NODE), params_of(scale)
    jobs = [("sample_pool", {"pool": pool}) for pool in params.pools()]
    jobs += [("sample_chains", {"chains": c}) for c in params.chains.sets if params.kind_of_chains(c) != "rated"]
    jobs += [("annotate_monte_carlo", {"chains": c}) for c in params.chains.sets]
    jobs += [("search_tree", {"strategy": "mcts", "size": size}) for size in params.models.ladder]
    jobs += [("score_grid", {"size": base}) for base in params.grid()]
    jobs += [("time_searches", {}), ("gradients", {}), ("score_checkpoints", {})]
    for rule, wildcards in jobs:
        asked = needs.asked(rule, wildcards)
        assert asked.gpu <= 8 and asked.nodes == 1, f"{rule} {wildcards}: an engine is on one node"
        assert 3 <= asked.runtime <= 24 * 60


def test_a_shard_is_as_large_as_a_job_s_time_allows():
    """Wrong behaviour: a 72B model loaded once a slice, or a job that its time limit ends before it is done."""
    params = params_of("paper")
    needs = Needs(params, stated_rates(), NODE)
    for name in ("math", "prm800k"):
        shard = {"chains": name, "shard": params.shards_of(name)[0]}
        jobs = [needs.asked("annotate_monte_carlo", shard)]
        jobs += [needs.asked("annotate_votes", {**shard, "judge": judge}) for judge in params.annotate.judges]
        assert max(job.runtime for job in jobs) < 24 * 60, "the longest fits the limit, its margin included"
        assert min(job.runtime for job in jobs) > 60, "hours of work for each time that a model is loaded"


def test_the_profile_describes_a_node():
    assert Needs.of(load_params(ROOT), ROOT)


def test_an_unknown_key_of_a_node_is_refused(tmp_path):
    (tmp_path / "profiles" / "slurm").mkdir(parents=True)
    (tmp_path / "profiles" / "slurm" / "node.yaml").write_text("gpus: 8\ngpu_gigabytes: 80\nhours: 24\nram: 1\n")
    with pytest.raises(ValidationError, match="ram"):
        Needs.of(load_params(ROOT), Path(tmp_path))
