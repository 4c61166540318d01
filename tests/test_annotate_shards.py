"""Labels of a chain set are the same whatever the number of shards, and a killed shard goes on where it was."""

import json
import sys

import pytest
import yaml
from annotating import chain_of, completer_of, ends_of
from checkout import call, copy_to
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.annotate.monte_carlo import binary, full
from prm_scaling.annotate.record import Annotation
from prm_scaling.annotate.shards import by_problem, in_order, part, problems_a_slice
from prm_scaling.annotate.tree import Located, Priority, grown
from prm_scaling.chains.slices import SLICE, in_slices
from prm_scaling.config import Params, load_params, merged
from prm_scaling.engines.interface import Extension
from prm_scaling.engines.scripted import text_of, tokens_of
from prm_scaling.seeds import stream


class Chances:
    """A policy whose texts follow from their seeds alone."""

    def extend(self, requests):
        found = []
        for request in requests:
            rng = stream("chances", request.seed)
            text = "\n".join(rng.choice(list("ab"), rng.integers(1, 4)))
            found.append(Extension(tokens_of(text + ("!" if rng.random() < 0.4 else "")), "end", 0, 0))
        return found


def grow(chains, completer):
    cut = lambda tokens: (ends_of(text_of(tokens)), text_of(tokens))  # noqa: E731
    return grown(chains, completer, Priority(0.5, 0.9, 500, 0.125), 2, cut)


# Chains of a problem need not stand together, as in sets of rated solutions.
CHAINS = [chain_of(list("abab")[: 1 + j % 4], f"q{(3 * j) % 7}/{j}") for j in range(23)]


@pytest.mark.parametrize("mode", [binary, full, grow])
@pytest.mark.parametrize("shards", [1, 2, 5, 40])
def test_labels_do_not_depend_on_the_shards(mode, shards):
    completer = completer_of(Chances(), 3)
    made = [
        one
        for i in range(shards)
        for one in mode([c for group in part(by_problem(CHAINS), f"{i + 1}-of-{shards}") for c in group], completer)
    ]
    whole = mode(CHAINS, completer)
    if mode is grow:
        news, new = ({o.id: o for o in some if not o.given} for some in (made, whole))
        assert news == new and new
        made, whole = ([o.annotation(completer) for o in some if o.given] for some in (made, whole))
    assert in_order(made, [c.id for c in CHAINS]) == whole


@given(st.integers(1, 9), st.integers(1, 12))
def test_shards_are_equal_parts_of_whole_problems(problems, shards):
    groups = [[chain_of(["a"], f"q{i}/{j}") for j in range(2)] for i in range(problems)]
    parts = [part(groups, f"{i + 1}-of-{shards}") for i in range(shards)]
    assert [group for some in parts for group in some] == groups
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert problems_a_slice(groups) == SLICE // 2 and problems_a_slice([]) == 1


def test_a_killed_shard_does_no_slice_twice(tmp_path):
    groups, done = by_problem(CHAINS), []

    def locate(some):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(some)
        return grow([c for group in some for c in group], completer_of(Chances(), 3))

    def go_on(some):
        done.append(some)
        return grow([c for group in some for c in group], completer_of(Chances(), 3))

    with pytest.raises(KeyboardInterrupt):
        in_slices(groups, locate, Located, tmp_path / "work", "key", 2)
    before, done[:] = list(done), []
    made = in_slices(groups, go_on, Located, tmp_path / "work", "key", 2)
    assert before + done == [groups[i : i + 2] for i in range(0, len(groups), 2)]
    ids = {c.id for c in CHAINS}
    assert {one.id for one in made} > ids and {one.chain for one in made if one.given} == set(CHAINS)


def test_shards_of_other_chains_are_refused():
    labels = [Annotation(f"q/{i}", "j", None, ()) for i in range(2)]
    assert in_order(labels[::-1], ["q/0", "q/1"]) == labels
    with pytest.raises(ValueError, match="q/2: no shard has labels of it"):
        in_order(labels, ["q/0", "q/1", "q/2"])
    with pytest.raises(ValueError, match="q/1: there is no such chain"):
        in_order(labels, ["q/0"])


def test_how_many_shards_there_are_follows_from_the_chains():
    params = load_params(ROOT).model_dump(mode="json")
    assert not any(load_params(ROOT).shards_of(c) for c in params["chains"]["sets"]), (
        "one job a set at the default scale"
    )
    few = Params.model_validate(merged(params, {"annotate": {"chains_a_shard": 2000}}))
    assert few.count_of_chains("math") == 5000
    assert few.shards_of("math") == ["1-of-3", "2-of-3", "3-of-3"]
    assert few.shards_of("math_validation") == []


def test_a_set_in_shards_has_every_label_that_a_whole_one_has(tmp_path):
    """Every judge, whether its votes are kept or not, and the chains that trees seed, as far as the PRM on them."""
    variants = []
    for size in (5000, 2000):
        over = {"mode": "tree", "chains_a_shard": size, "judges": {"judge_b": {"model": "124k", "prompt": "stepwise"}}}
        params = merged(yaml.safe_load((ROOT / "params.yaml").read_text()), {"annotate": over, "scale": "default"})
        over = {"results": "results", "train": {"sets": {"monte_carlo": {"annotator": "seeded"}}}}
        variants.append(merged(params, over))
    done = call(copy_to(tmp_path), sys.executable, "tests/graph.py", ".", input=json.dumps(variants))
    assert done.returncode == 0, done.stderr
    made = {}
    for size, graph in zip((5000, 2000), json.loads(done.stdout), strict=True):
        made[size] = [job for job in graph["jobs"] if graph["rules"][job["rule"]]["phase"] == "annotate"]
        trained = [
            j["input"] for j in graph["jobs"] if j["rule"] == "train_prm" and "monte_carlo" in str(j["wildcards"])
        ]
        assert trained and all("results/annotate/math/seeded_chains.parquet" in files for files in trained)
    rules = {size: {job["rule"] for job in jobs} for size, jobs in made.items()}
    shards = {"annotate_monte_carlo_shard", "annotate_votes_shard", "join_shards"}
    assert not rules[5000] & shards and rules[2000] > shards
    asked = [{path for job in made[size] if job["rule"] == "annotate" for path in job["input"]} for size in made]
    assert asked[0] == asked[1] and all(f"results/annotate/math/judge_{j}.parquet" in asked[0] for j in "abc")
    assert all(asked[0] <= {path for job in jobs for path in job["output"]} for jobs in made.values())
    monte_carlo = [job for job in made[2000] if job["rule"] == "annotate_monte_carlo_shard"]
    assert sorted(dict(j["wildcards"])["shard"] for j in monte_carlo if ["chains", "math"] in j["wildcards"]) == [
        "1-of-3",
        "2-of-3",
        "3-of-3",
    ]
    # What a killed shard has is its own.
    assert len({job["params"]["work"] for job in monte_carlo}) == len(monte_carlo)
