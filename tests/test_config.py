"""The parameters: what is wrong with them is told by file, field, value and way out, before anything runs."""

import copy
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.config import ConfigError, load_params, merged
from prm_scaling.models.settings import LanguageModel

BASE = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"scale": "default", "results": "results"}
LADDER = list(BASE["models"]["ladder"])
A_SET = next(iter(BASE["problems"]["sets"]))


def write(folder: Path, params: dict, **overlays: dict) -> Path:
    """A checkout with these parameters and scales, `default` among them."""
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    (folder / "config").mkdir()
    for name, overlay in ({"default": {}} | overlays).items():
        (folder / "config" / f"{name}.yaml").write_text(yaml.safe_dump(overlay, sort_keys=False))
    return folder


def changed(field: str, value: object) -> dict:
    """The parameters with one field changed; ``...`` takes it out."""
    params = copy.deepcopy(BASE)
    *folders, last = field.split("/")
    place = params
    for folder in folders:
        place = place[folder]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return params


def test_the_parameters_of_the_checkout_are_usable(tmp_path):
    params = load_params(write(tmp_path, BASE))
    assert params.scale == "default" and list(params.models.ladder) == LADDER
    assert set(params.test_sets()) == {n for n, s in BASE["problems"]["sets"].items() if s["split"] == "test"}
    assert all(BASE["problems"]["sets"][name]["domain"] == "code" for name in params.test_sets("code"))


@pytest.mark.parametrize("scale", sorted(p.stem for p in (ROOT / "config").glob("*.yaml")))
def test_every_scale_is_usable(scale, tmp_path):
    overlay = yaml.safe_load((ROOT / "config" / f"{scale}.yaml").read_text())
    results = "results" if scale == "default" else f"results/{scale}"
    params = load_params(write(tmp_path, BASE | {"scale": scale, "results": results}, **{scale: overlay}))
    assert params.results == results


BROKEN = MappingProxyType(
    {
        # what: (field, value, what the message says besides the file)
        "an unknown key": ("engine/rowz", 3, ["engine.rowz", "3", "unknown key; remove it or correct its name"]),
        "an unknown section": ("sampling", {"n": 1}, ["sampling", "unknown key"]),
        "text for a number": ("engine/rows", "many", ["engine.rows", "'many'", "valid integer"]),
        "a fraction for a count": ("engine/rows", 5.5, ["engine.rows", "5.5", "valid integer"]),
        "yes for a count": ("engine/rows", True, ["engine.rows", "True", "valid integer"]),
        "a number that YAML reads as text": (
            "train/learning_rate",
            "1e-5",
            ["train.learning_rate", "'1e-5'", "1.0e-5"],
        ),
        "a number out of range": (
            "search/temperature",
            -1.0,
            ["search.temperature", "-1.0", "greater than or equal to 0"],
        ),
        "a share above one": ("annotate/threshold", 1.5, ["annotate.threshold", "1.5", "less than or equal to 1"]),
        "an unknown choice": ("search/aggregation", "sum", ["search.aggregation", "'sum'", "'last', 'min'"]),
        "an unknown engine": ("engine/name", "llama", ["engine.name", "'llama'", "'transformers' or 'vllm'"]),
        "a missing field": ("search/pool", ..., ["search.pool", "required"]),
        "a missing section": ("train", ..., ["train", "required"]),
        "a section that is none": ("search", [1], ["search", "[1]", "valid dictionary"]),
        "a strategy that does not exist": (
            "search/strategies",
            ["sampling", "tot"],
            ["search", "strategies", "`tot` does not exist", "'beam', 'dvts'", "'sampling'"],
        ),
        "no strategy": ("search/strategies", [], ["search.strategies", "at least 1"]),
        "a budget below the beam width": (
            "search/budgets",
            [2, 8],
            ["search", "budgets", "`beam`", "the budget 2 is below width 4; raise the budget or lower width"],
        ),
        "budgets out of order": ("search/budgets", [16, 8], ["search", "budgets [16, 8]", "ascending"]),
        "a budget twice": ("search/budgets", [8, 8], ["budgets [8, 8]", "once"]),
        "a pool below the budgets": ("search/pool", 4, ["search", "pool 4", "sample more"]),
        "a ladder out of order": (
            "models/ladder",
            dict(reversed(BASE["models"]["ladder"].items())),
            ["models", "ladder", f"`{LADDER[-2]}`", f"`{LADDER[-1]}`", "from the smallest to the largest"],
        ),
        "a model that is both made and fetched": (
            f"models/ladder/{LADDER[0]}/hub",
            "Qwen/Qwen2.5-0.5B",
            [f"models.ladder.{LADDER[0]}", "either `hub` or a shape"],
        ),
        "half a shape": (f"models/ladder/{LADDER[0]}/layers", ..., [f"models.ladder.{LADDER[0]}", "needs layers"]),
        "heads that do not fit": (f"models/ladder/{LADDER[0]}/width", 25, [LADDER[0], "width 25", "heads"]),
        "a test set to train on": ("chains/sets/math", ["math_seen"], ["chains.sets.math", "math_seen", "test sets"]),
        "a base that is not there": (
            "models/variants",
            {"reasoner": {**BASE["models"]["variants"]["reasoner"], "base": "7b"}},
            ["variants.reasoner.base", "`7b`", LADDER[0]],
        ),
        "a policy that is not there": ("search/policy", "7b", ["search.policy", "`7b`", "models", LADDER[0]]),
        "a sampler that is not there": ("chains/policy", "7b", ["chains.policy", "`7b`", LADDER[0]]),
        "a generator that is not there": ("search/generators", [LADDER[0], "7b"], ["search.generators", "`7b`"]),
        "a completer that is not there": (
            "annotate/completer/model",
            "7b",
            ["annotate.completer.model", "`7b`", LADDER[0]],
        ),
        "a judge that is not there": ("annotate/judges", {"judge": "gpt"}, ["annotate.judges", "`gpt`", LADDER[0]]),
        "a prompt that is not there": (
            "annotate/judges/judge_a",
            {"model": LADDER[0], "prompt": "kind"},
            ["annotate.judges.judge_a", "prompt", "`kind`", "processbench", "annotate/prompts/"],
        ),
        "votes that are all the same": (
            "annotate/judges/judge_a",
            {"model": LADDER[0], "votes": 3},
            ["annotate.judges.judge_a", "3 votes at temperature 0", "raise `temperature`"],
        ),
        "a judge with another annotator's name": (
            "annotate/judges",
            {"monte_carlo": LADDER[0]},
            ["annotate", "judges.monte_carlo", "none of"],
        ),
        "a mode that is not there": ("annotate/mode", "ternary", ["annotate.mode", "'ternary'", "'binary'", "'tree'"]),
        "seeded chains without a tree": (
            f"train/sets/{next(iter(BASE['train']['sets']))}/annotator",
            "seeded",
            ["train.sets", "`seeded`", "annotate.mode", "`tree`"],
        ),
        "a size that is not there": ("train/size", "7b", ["train.size", "`7b`", "models.ladder", LADDER[0]]),
        "a training set that is not there": ("train/ladder_set", "all", ["train.ladder_set", "`all`", "train.sets"]),
        "chains that are not there": (
            f"train/sets/{next(iter(BASE['train']['sets']))}/chains",
            ["none"],
            ["train.sets", "chains", "`none`", "chains.sets"],
        ),
        "problems that are not there": (
            f"chains/sets/{next(iter(BASE['chains']['sets']))}",
            ["none"],
            ["chains.sets", "`none`", "problems.sets"],
        ),
        "ratings of solutions that are sampled": (
            "train/sets/human/annotator",
            "ratings",
            ["train.sets.human.annotator `ratings`", "math_narrow", "no such labels", "choose another annotator"],
        ),
        "soft labels of an annotator without rollouts": (
            "train/sets/human/labels",
            "soft",
            ["train.sets.human", "labels `soft` follows from rollouts", "`human` has none", "`monte_carlo`"],
        ),
        "an outcome of an annotator without rollouts": (
            "train/sets/human/head",
            "outcome",
            ["train.sets.human", "head `outcome` follows from rollouts"],
        ),
        "an outcome at a threshold": (
            "train/sets/outcome",
            {"chains": ["math"], "annotator": "monte_carlo", "head": "outcome", "threshold": 0.5},
            ["train.sets.outcome", "one label a chain"],
        ),
        "a head that is not there": ("train/sets/human/head", "linear", ["train.sets.human.head", "'pair'"]),
        "a threshold that no share exceeds": (
            "train/sets/human/threshold",
            1.0,
            ["train.sets.human.threshold", "less than 1"],
        ),
        "soft labels with a threshold": (
            "train/sets/soft",
            {"chains": ["math"], "annotator": "monte_carlo", "labels": "soft", "threshold": 0.5},
            ["train.sets.soft", "threshold 0.5", "leave it out"],
        ),
        "judges of no consensus": (
            "train/sets/human/judges",
            ["judge_a"],
            ["train.sets.human", "set `annotator: consensus`"],
        ),
        "judges that are not there": (
            "train/sets/filtered",
            {"chains": ["math"], "annotator": "consensus", "judges": ["judge_z"]},
            ["train.sets.filtered.judges", "`judge_z`", "annotate.judges"],
        ),
        "chains of two splits": (
            "chains/sets/math",
            ["math_train", "math_validation"],
            ["chains.sets.math", "several splits", "'validation'"],
        ),
        "training on what PRMs are chosen by": (
            "train/sets/human/chains",
            ["math_validation"],
            ["train.sets.human.chains", "`math_validation`", "not of the train split"],
        ),
        "a published PRM of the name of a training set": (
            "train/published",
            {"human": {"hub": "a/b", "form": "qwen", "parameters": 1, "domain": "math"}},
            ["train.published", "'human'", "rename one"],
        ),
        "a published form that is not there": (
            "train/published",
            {"prm": {"hub": "a/b", "form": "gpt", "parameters": 1, "domain": "math"}},
            ["train.published.prm.form", "'skywork'"],
        ),
        "a segmentation that is not there": (
            "chains/segmentation/code",
            "words",
            ["segmentation.code", "`words`", "'separator'", "'code'"],
        ),
        "a weaker sandbox than there is": (
            "sandbox/mode",
            "none",
            ["sandbox.mode", "'none'", "'bubblewrap' or 'process'"],
        ),
        "a policy of the front that is not there": ("search/front/policies", ["7b"], ["search.front.policies", "`7b`"]),
        "a surface that is not there": (
            f"problems/sets/{A_SET}/surface",
            "odd",
            [f"problems.sets.{A_SET}.surface", "`odd`", "wide"],
        ),
        "a world set without a surface": (f"problems/sets/{A_SET}/surface", "", [A_SET, "needs `surface`"]),
        "a data set that is not there": (
            f"problems/sets/{A_SET}/source",
            "hub",
            [A_SET, "`hub`", "'world', 'reasoning_gym', 'math'"],
        ),
        "a data set without data": (
            f"problems/sets/{A_SET}/source",
            "gsm8k",
            [A_SET, "`gsm8k` needs `data`", "`split`"],
        ),
        "steps the wrong way round": (f"problems/sets/{A_SET}/steps", [5, 2], [A_SET, "[5, 2]", "least"]),
        "more steps of code than labels": (
            "problems/sets/code_train/steps",
            [2, 9],
            ["code_train", "[2, 9]", "8 steps"],
        ),
        "more steps of math than labels": (
            "problems/sets/math_train/steps",
            [2, 9],
            ["math_train", "[2, 9]", "8 steps"],
        ),
        "more steps of logic than labels": (
            "problems/sets/logic_train/steps",
            [2, 9],
            ["logic_train", "[2, 9]", "8 steps"],
        ),
        "results of another scale": ("results", "out", ["results `out`", "scale `default`", "./run scale default"]),
    }
)


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_field_is_told(what, tmp_path):
    field, value, told = BROKEN[what]
    with pytest.raises(ConfigError) as error:
        load_params(write(tmp_path, changed(field, value)))
    message = str(error.value)
    assert message.startswith("params.yaml + config/default.yaml: these parameters cannot be used:\n")
    assert [part for part in told if part not in message] == [], message


RATED = {"source": "prm800k", "domain": "math", "split": "train", "count": 10, "data": {"split": "train"}}
READ = {"source": "gsm8k", "domain": "math", "split": "train", "count": 10, "data": {"split": "train"}}


def with_public_sets() -> dict:
    params = copy.deepcopy(BASE)
    params["problems"]["sets"] |= {"rated": RATED, "read": READ}
    params["chains"]["sets"] |= {"rated": ["rated"], "read": ["read"]}
    return params


def test_the_kind_of_a_chain_set_is_that_of_its_problems(tmp_path):
    params = load_params(write(tmp_path, with_public_sets()))
    assert [params.kind_of_chains(name) for name in ("math", "rated", "read")] == ["world", "rated", "read"]


def test_labels_and_truths_that_a_chain_set_has_not_are_told(tmp_path):
    """Wrong behaviour: the generator's truth asked for chains of GSM8K, hours after the start."""
    params = with_public_sets()
    params["chains"]["sets"]["both"] = ["rated", "read"]
    with pytest.raises(ConfigError, match=r"chains\.sets\.both: \['rated'\] come with rated solutions.*set apart"):
        load_params(write(tmp_path, params))
    for annotator, chains, told in (("human", "read", "no such labels"), ("human", "rated", "no such labels")):
        params = with_public_sets()
        params["train"]["sets"]["human"] = {"chains": [chains], "annotator": annotator}
        (tmp_path / chains).mkdir()
        with pytest.raises(ConfigError, match=told):
            load_params(write(tmp_path / chains, params))
    params = with_public_sets()
    params["annotate"]["audit"] = ["read"]
    (tmp_path / "audit").mkdir()
    with pytest.raises(ConfigError, match=r"annotate\.audit: of \['read'\] the truth is not known"):
        load_params(write(tmp_path / "audit", params))


def test_a_set_whose_tests_the_sandbox_denies_is_told(tmp_path):
    """Wrong behaviour: solutions of BigCodeBench sampled for hours, and then no way to grade them."""
    params = changed("sandbox/mode", "process")
    tasks = {"source": "bigcodebench", "domain": "code", "split": "test", "count": 9, "data": {"split": "v0.1.4"}}
    params["problems"]["sets"]["tasks"] = tasks
    with pytest.raises(
        ConfigError, match=r"sandbox\.mode `process`: the unittest classes of \['tasks'\].*`bubblewrap`"
    ):
        load_params(write(tmp_path, params))


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    params = changed("engine/rows", "many")
    params["train"]["epochs"] = 0
    with pytest.raises(ConfigError, match=r"(?s)engine\.rows.*train\.epochs"):
        load_params(write(tmp_path, params))


def test_a_scale_without_an_overlay_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"scale `huge` has no huge\.yaml in config/; there are default, small"):
        load_params(write(tmp_path, changed("scale", "huge"), small={}))


def test_an_overlay_is_named_where_it_is_to_blame(tmp_path):
    params = BASE | {"scale": "small", "results": "results/small"}
    with pytest.raises(ConfigError, match=r"params\.yaml \+ config/small\.yaml:(?s:.)*train\.epochs.*'none'"):
        load_params(write(tmp_path, params, small={"train": {"epochs": "none"}}))


def test_results_must_fit_the_scale(tmp_path):
    """Wrong behaviour: the results of one scale written over those of another."""
    params = BASE | {"scale": "small", "results": "results"}
    with pytest.raises(ConfigError, match=r"results `results` does not fit scale `small`; use `./run scale small`"):
        load_params(write(tmp_path, params, small={}))
    (tmp_path / "other").mkdir()
    assert load_params(write(tmp_path / "other", params | {"results": "results/small"}, small={})).scale == "small"


@pytest.mark.parametrize("text", ["a: [1", "- 1\n- 2\n", "just text\n", ""])
def test_files_that_are_no_mapping_are_told(text, tmp_path):
    (tmp_path / "params.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"params\.yaml: (not valid YAML|expected a mapping)"):
        load_params(tmp_path)


def test_parameters_cannot_be_changed_after_they_were_checked(tmp_path):
    params = load_params(write(tmp_path, BASE))
    with pytest.raises(ValueError, match="frozen"):
        params.search.pool = 1


def test_fingerprints_follow_their_sections_alone(tmp_path):
    folders = [tmp_path / n for n in "abc"]
    for folder in folders:
        folder.mkdir()
    plain = load_params(write(folders[0], BASE))
    other = load_params(write(folders[1], changed("search/temperature", 0.5)))
    reordered = load_params(write(folders[2], dict(reversed(BASE.items()))))
    assert plain.fingerprint("train") == other.fingerprint("train") == reordered.fingerprint("train")
    assert plain.fingerprint("train", "search") != other.fingerprint("train", "search")


def test_the_size_of_a_model_is_that_of_the_model():
    """Wrong behaviour: FLOPs from a formula that is not that of the architecture."""
    from prm_scaling.models.ladder import new_model, non_embedding_parameters

    for shape in [(1, 16, 2), (3, 48, 4)]:
        layers, width, heads = shape
        model = new_model(layers, width, heads, vocabulary=50, seed=0)
        assert LanguageModel(layers=layers, width=width, heads=heads, steps=1).size == non_embedding_parameters(model)


# --- overlays ---

keys, leaves = st.sampled_from("abcd"), st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
trees = st.recursive(
    st.dictionaries(keys, leaves, max_size=3), lambda t: st.dictionaries(keys, leaves | t, max_size=3), max_leaves=8
)
overlays = st.recursive(
    st.dictionaries(keys, leaves | st.none(), max_size=3),
    lambda t: st.dictionaries(keys, leaves | st.none() | t, max_size=3),
    max_leaves=8,
)


def flat(tree: dict, prefix: tuple = ()) -> dict:
    """Path -> leaf, empty mappings being leaves."""
    found = {}
    for key, value in tree.items():
        found |= flat(value, (*prefix, key)) if isinstance(value, dict) and value else {(*prefix, key): value}
    return found


@given(trees, overlays)
def test_overlays_by_property(base, overlay):
    before = copy.deepcopy((base, overlay))
    made = merged(base, overlay)
    assert (base, overlay) == before
    leaves_of = flat(made)
    assert None not in leaves_of.values()
    for path, value in flat(overlay).items():
        if value is None:
            assert path not in leaves_of and not any(p[: len(path)] == path for p in leaves_of)
        elif value != {}:
            assert leaves_of[path] == value
    touched = set(flat(overlay))
    for path, value in flat(base).items():
        if not any(path[: len(t)] == t or t[: len(path)] == path for t in touched):
            assert leaves_of[path] == value
    assert merged(made, overlay) == made


@given(trees)
def test_an_empty_overlay_changes_nothing(base):
    assert merged(base, {}) == base and merged({}, base) == base and merged(base, base) == base
