"""A changed parameter makes stale in DVC what gets other jobs in Snakemake: each parameter tried, one by one."""

import copy
from collections.abc import Iterator

import pytest
from both_graphs import PARAMS, PHASES, STAGES, covers, graphs_of, leaves
from pydantic import ValidationError

from prm_scaling.config import Params, merged

pytestmark = pytest.mark.slow

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


def names_in(value: object) -> set[str]:
    """Every key and text in nested mappings and lists."""
    if isinstance(value, dict):
        return set(value) | set().union(*map(names_in, value.values()))
    if isinstance(value, list):
        return set().union(*map(names_in, value))
    return {value} if isinstance(value, str) else set()


# With the studies that the default leaves out, so that their parameters change something.
STUDYING = merged(
    PARAMS,
    {
        "chains": {"policies": {"math": "reasoner"}},
        "train": {
            "published": {"prm": {"hub": "a/b", "form": "qwen", "parameters": 1, "domain": "math"}},
            "micro_batch": 8,
            "lora": {"rank": 2, "alpha": 4, "targets": ["q_proj", "k_proj"]},
        },
        "studies": {"guided": ["beam"], "pretraining": ["12k"]},
    },
)
WORDS = sorted(names_in(PARAMS) | {"vllm", "last", "bfloat16", "cuda", "adamw"})


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
    params = copy.deepcopy(STUDYING)
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
    for path, value in leaves(STUDYING):
        kind = tuple("*" if path[:i] in NAMED else key for i, key in enumerate(path))
        if path[:2] == ("problems", "sets"):
            kind += (STUDYING["problems"]["sets"][path[2]]["split"],)
        if path[0] in ("scale", "results") or kind in seen:
            continue
        usable = [new for new in (changed(path, other) for other in others(value)) if new]
        if usable:
            seen.add(kind)
            # Of a list both are tried: another entry and one less.
            yield from ((path, new) for new in ([usable[0], usable[-1]] if isinstance(value, list) else usable[:1]))
    for path in sorted(NAMED):
        entries = STUDYING
        for key in path:
            entries = entries[key]
        *_, (name, entry) = entries.items()
        if isinstance(entry, dict) and "layers" in entry:
            entry = entry | {"layers": entry["layers"] + 1}  # the ladder ascends
        fewer = [changed(path, {k: v for k, v in entries.items() if k != gone}) for gone in reversed(entries)]
        yield from ((path, new) for new in [changed(path, merged(entries, {f"{name}_too": entry})), *fewer[:2]] if new)


def test_stages_and_jobs_follow_the_same_parameters(checkout):
    """Wrong behaviour: a change that Snakemake would run jobs for, while DVC calls their phase up to date."""
    paths, variants = zip(*mutations(), strict=True)
    base, *graphs = graphs_of(checkout, [STUDYING, *variants])
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
