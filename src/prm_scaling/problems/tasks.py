"""Problems of reasoning-gym, a library of procedural tasks (Stojanovski et al., arXiv 2505.24760).

Its tasks are made from a seed, so they need no hub; their difficulty is set by each task's own options. A math task's
answers are numbers, which the grader compares as such; a logic task's are words, compared as they stand.
"""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any

from prm_scaling.problems.record import Problem
from prm_scaling.seeds import seed_of

SOURCE = "reasoning_gym"
# More are made than asked for, because tasks repeat themselves.
SPARE = 4


def tasks(
    name: str, domain: str, split: str, task: str, options: Mapping[str, Any], instruction: str, count: int, seed: int
) -> list[Problem]:
    """The problems of one set, no two of the same text.

    Args:
        name: of the set, which its seed follows from: other sets have other problems, but tasks of few problems repeat.
        domain: ``math`` or ``logic``.
        split: of the set.
        task: its name in reasoning-gym.
        options: of the task's own, its difficulty among them.
        instruction: what is added to each question, on a line of its own.
        count: problems wanted.
        seed: of the run.

    Raises:
        ValueError: there is no such task, it does not take these options, its answers do not fit the domain, or it has
            too few different problems.
    """
    where = f"problems.sets.{name}.task"
    if find_spec("reasoning_gym") is None:
        raise ValueError(f"{where}: reasoning-gym is not installed: `pip install -r requirements-tasks.txt`")
    from reasoning_gym import create_dataset
    from reasoning_gym.factory import DATASETS

    if task not in DATASETS:
        raise ValueError(f"{where}.name `{task}` is not in reasoning-gym, which has {', '.join(sorted(DATASETS))}")
    try:
        # Its own seeds are 32 bits wide.
        made = create_dataset(task, size=SPARE * count, seed=seed_of(seed, SOURCE, name) % 2**31, **options)
    except (TypeError, AssertionError) as error:
        raise ValueError(f"{where}.options {dict(options)}: {task} does not take them: {error}") from error
    found: dict[str, Problem] = {}
    for entry in made:
        answer = str(entry["answer"]).strip()
        if domain == "math" and not _is_number(answer):
            raise ValueError(f"{where}.name `{task}` answers `{answer}`, no number; give it the domain logic")
        text = f"{entry['question'].strip()}\n{instruction}".rstrip()
        if text not in found:
            place = f"{name}-{len(found):05d}"
            solution = entry["metadata"].get("answer_cot", "")
            found[text] = Problem(place, domain, name, split, task, text, answer, "[]", len(solution.splitlines()), "")
        if len(found) == count:
            return list(found.values())
    raise ValueError(
        f"{where}: {task} with {dict(options)} has only {len(found)} different problems of {SPARE * count} made; "
        f"lower count ({count}) or make it harder"
    )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
