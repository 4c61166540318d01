"""`plan`: what it reckons from rates, what from measured times, and the longest chain of jobs."""

from pathlib import Path

import pytest
from conftest import ROOT

from prm_scaling.config import Params, load_params
from prm_scaling.provenance.graph import Job
from prm_scaling.provenance.plan import Plan, stated_rates


@pytest.fixture(scope="module")
def params() -> Params:
    return load_params(ROOT)


def job(rule: str, output: str, inputs: tuple[str, ...] = (), phase: str = "train", **wildcards: str) -> Job:
    return Job(rule, phase, wildcards, inputs, (output,), (), f"logs/x/benchmarks/{output}.tsv", {}, 1, {})


# c waits for a and b; the others take as long as a job takes to start.
GRAPH = [
    job("fit", "a"),
    job("fit", "b"),
    job("fit", "c", ("a", "b", "src/prm_scaling/seeds.py")),
    job("fit", "d"),
]


@pytest.fixture
def measured(tmp_path) -> Path:
    """Times of earlier runs: b took long, on average of two."""
    (tmp_path / "b.tsv").write_text("s\th:m:s\tmax_rss\n90\t0:01:30\t1\n110\t0:01:50\t1\n")
    return tmp_path


def test_a_measured_time_stands_in_place_of_a_rate(params, measured):
    plan = Plan(params, GRAPH, stated_rates(), measured)
    start = stated_rates()["start"]["cpu"]
    assert {name: (cost.seconds, cost.measured) for name, cost in plan.costs.items()} == {
        "a": (start, False),
        "b": (100.0, True),
        "c": (start, False),
        "d": (start, False),
    }


def test_the_longest_chain_is_of_jobs_that_wait_for_each_other(params, measured):
    """Wrong behaviour: the chain with most jobs, or the sum of all of them."""
    plan = Plan(params, GRAPH, stated_rates(), measured)
    assert [cost.job.output[0] for cost in plan.longest()] == ["b", "c"]
    told = plan.report(2)
    assert "The longest chain of jobs takes 106 s:" in told
    assert "With 2 jobs at once: about 106 s." in told, "more cores cannot make the chain shorter"
    assert "With 1 jobs at once: about 118 s." in plan.report(1)
    assert "Of 4 jobs 1 are reckoned by what they took before" in told


def test_work_follows_the_parameters(params):
    rates = stated_rates()
    prm = job("train_prm", "prm", training="aslaf", size="124k", seed="0")
    (cost,) = Plan(params, [prm], rates, None).costs.values()
    length = rates["tokens"]["embedded"]["chain"] + rates["tokens"]["embedded"]["prompt"]
    assert cost.load.train == params.train.chains * params.train.epochs * length
    longer = params.model_copy(update={"train": params.train.model_copy(update={"epochs": 2 * params.train.epochs})})
    (doubled,) = Plan(longer, [prm], rates, None).costs.values()
    start = rates["start"]["cpu"]
    assert doubled.seconds - start == pytest.approx(2 * (cost.seconds - start))


def test_sizes_of_the_ladder_are_about_what_their_names_say(params):
    """Wrong behaviour: a variant that counts as a model of no parameters, or a shape read wrongly."""
    plan = Plan(params, [], stated_rates(), None)
    for name in params.models.ladder:
        assert 0.5 < plan.parameters(name) / (1000 * float(name.removesuffix("k"))) < 2
    for name, variant in params.models.variants.items():
        assert plan.parameters(name) == plan.parameters(variant.base) > 0


def test_on_a_gpu_only_what_runs_a_model_takes_gpu_hours(params):
    on_gpu = params.model_copy(update={"engine": params.engine.model_copy(update={"device": "cuda"})})
    graph = [job("train_prm", "prm", training="aslaf", size="124k", seed="0"), job("accuracy", "table")]
    plan = Plan(on_gpu, graph, stated_rates(), None)
    assert {name: cost.on_gpu for name, cost in plan.costs.items()} == {"prm": True, "table": False}


def test_the_plan_of_nothing_is_nothing(params):
    assert "With 2 jobs at once: about 0 s." in Plan(params, [], stated_rates(), None).report(2)
