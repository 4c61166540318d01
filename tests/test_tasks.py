"""Problems of reasoning-gym: the same for the same seed, gradable as the library grades them, refused where unfit."""

import pytest

from prm_scaling.problems.datasets.settings import ProblemSet
from prm_scaling.problems.tasks import tasks
from prm_scaling.verify.answers import grade
from prm_scaling.verify.sandbox import Sandbox

gym = pytest.importorskip("reasoning_gym", reason="pip install -r requirements-tasks.txt")

SUM = {"min_terms": 2, "max_terms": 3, "min_digits": 1, "max_digits": 2}
TASKS = [("math", "chain_sum", SUM), ("math", "gsm_symbolic", {}), ("logic", "syllogism", {})]


@pytest.mark.parametrize(("domain", "task", "options"), TASKS)
def test_a_set_follows_from_its_name_and_the_seed(domain, task, options):
    made = tasks("a", domain, "train", task, options, "Think.", 20, 0)
    assert made == tasks("a", domain, "train", task, options, "Think.", 20, 0)
    assert len({p.text for p in made}) == len({p.id for p in made}) == 20
    assert all(p.text.endswith("\nThink.") and p.domain == domain and p.dataset == "a" for p in made)
    others = [
        tasks("b", domain, "train", task, options, "Think.", 20, 0),
        tasks("a", domain, "train", task, options, "Think.", 20, 1),
    ]
    assert all({p.text for p in made} != {p.text for p in other} for other in others)


@pytest.mark.parametrize(("domain", "task", "options"), TASKS)
def test_the_grader_agrees_with_the_library(domain, task, options):
    """Its own verifier gives 1 to what our grader calls right, and less to what it calls wrong."""
    made = tasks("a", domain, "test", task, options, "", 20, 0)
    entries = {
        e["question"].strip(): (e, d)
        for d in [gym.create_dataset(task, size=80, seed=_seed_of(task, options, made), **options)]
        for e in d
    }
    sandbox = Sandbox("process", 1.0, 256, 1)
    for problem, other in zip(made, [*made[1:], made[0]], strict=True):
        entry, dataset = entries[problem.text]
        for answer in (problem.reference, other.reference):
            (right,) = grade([problem], [answer], sandbox)
            assert right == (dataset.score_answer(answer, entry) == 1.0)


def _seed_of(task, options, made) -> int:
    from prm_scaling.seeds import seed_of

    return seed_of(0, "reasoning_gym", made[0].dataset) % 2**31


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "chain_sums"}, "`chain_sums` is not in reasoning-gym"),
        ({"options": {"terms": 3}}, "chain_sum does not take them"),
        ({"options": {"min_terms": 3, "max_terms": 2}}, "chain_sum does not take them"),
        ({"task": "syllogism", "options": {}}, "no number; give it the domain logic"),
        (
            {"options": SUM | {"max_terms": 2, "max_digits": 1}, "count": 500},
            "different problems of 2000 made; lower count",
        ),
    ],
)
def test_an_unfit_task_is_refused_with_the_way_out(changes, said):
    given = {"name": "a", "domain": "math", "split": "train", "task": "chain_sum", "options": SUM}
    with pytest.raises(ValueError, match=said):
        tasks(**given | {"instruction": "", "count": 20, "seed": 0} | changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": None}, "have one"),
        ({"domain": "code"}, "answered by numbers"),
        ({"surface": "wide"}, "remove `data` and `surface`"),
    ],
)
def test_parameters_that_do_not_fit_the_source(changes, said):
    given = {"source": "reasoning_gym", "domain": "math", "split": "train", "count": 5, "task": {"name": "chain_sum"}}
    ProblemSet.model_validate(given)
    with pytest.raises(ValueError, match=said):
        ProblemSet.model_validate(given | changes)
