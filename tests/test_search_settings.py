"""The search section of params.yaml: a section a strategy, variants, and budgets that each can search with."""

import copy

import pytest
import yaml
from conftest import ROOT
from pydantic import ValidationError
from searching import LIMITS, SIZES, RandomEngine, line_ends

from prm_scaling.engines.scripted import tokens_of
from prm_scaling.problems.record import Question
from prm_scaling.search import STRATEGIES
from prm_scaling.search import settings as module
from prm_scaling.search.path import ROOT as START
from prm_scaling.search.path import Rate, Solve
from prm_scaling.search.rebase import Rebase
from prm_scaling.search.scheduler import Scheduler
from prm_scaling.search.settings import Search, parameters
from prm_scaling.search.strategy import Parameters, Strategy

BASE = yaml.safe_load((ROOT / "params.yaml").read_text())["search"]


def search(**changes) -> Search:
    return Search.model_validate(copy.deepcopy(BASE) | changes)


def test_every_strategy_has_its_section():
    found = search()
    for name, strategy in STRATEGIES.items():
        assert type(getattr(found, name)) is strategy.parameters


def test_a_strategy_is_given_its_section_and_those_that_it_needs():
    """Wrong behaviour: a change in one strategy's parameters that runs all others again."""
    found = search()
    assert list(found.sections("beam")) == ["beam"] and list(found.sections("sampling")) == ["sampling"]
    router = BASE["router"] | {"tree": "dvts"}
    assert list(search(router=router).sections("router")) == ["router", "dvts"]
    given = parameters(search(router=router).sections("router"))
    assert given.dvts.continuations == BASE["dvts"]["continuations"] and given.router.tree == "dvts"


def test_a_variant_is_its_strategy_with_other_parameters():
    variants = {"rebase_released": {"of": "rebase", "rebase": {"rounding": "released"}}}
    found = search(variants=variants, strategies=["rebase", "rebase_released"])
    assert found.strategy_of("rebase_released") == "rebase" and found.strategy_of("rebase") == "rebase"
    plain, other = (parameters(found.sections(name)).rebase for name in ("rebase", "rebase_released"))
    assert (plain.rounding, other.rounding) == ("paper", "released")
    assert plain.temperature == other.temperature and isinstance(other, Rebase)


def test_a_variant_may_change_what_its_strategy_needs():
    variants = {"wide": {"of": "router", "router": {"tree": "dvts"}, "dvts": {"continuations": 2}}}
    found = search(variants=variants, strategies=["router", "wide"])
    assert parameters(found.sections("wide")).dvts.continuations == 2
    assert search().dvts.continuations != 2


def test_strategies_say_how_their_answer_is_chosen():
    variants = {"mcts_visits": {"of": "mcts", "mcts": {"answer": "visits"}}}
    found = search(variants=variants, strategies=["mcts_visits"], rebase=BASE["rebase"] | {"answer": "weighted_vote"})
    assert found.answer("rebase") == "weighted_vote" and found.answer("greedy") == "best_leaf"
    assert found.answer("mcts_visits") == "visits" and found.answer("mcts") == "best_leaf"
    with pytest.raises(ValidationError, match="'best_leaf' or 'weighted_vote'"):
        search(beam={"width": 4, "answer": "visits"})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"strategies": ["sampling", "tot"]}, ["`tot` does not exist", "'beam'", "'rebase'"]),
        ({"strategies": ["beam", "beam"]}, ["list each once"]),
        ({"budgets": [2, 8]}, ["`beam` cannot", "the budget 2 is below width 4; raise the budget or lower width"]),
        (
            {"strategies": ["snell_beam"], "budgets": [4, 6]},
            ["`snell_beam` cannot", "budget 6 is not a multiple of continuations 4; change one"],
        ),
        (
            {"strategies": ["dvts"], "budgets": [2]},
            ["`dvts` cannot", "the budget 2 is below continuations 4; raise the budget or lower continuations"],
        ),
        ({"strategies": ["router"], "budgets": [2]}, ["`router` cannot", "the budget 2 is below probe 4"]),
        ({"rebase": BASE["rebase"] | {"rounding": "ceil"}}, ["rebase.rounding", "'paper' or 'released'", "'ceil'"]),
        ({"rebase": BASE["rebase"] | {"temperature": 0.0}}, ["rebase.temperature", "greater than 0"]),
        ({"mcts": BASE["mcts"] | {"leaf": "truth"}}, ["mcts.leaf", "'prm', 'rollout' or 'mixed'"]),
        ({"mcts": BASE["mcts"] | {"backup": "sum"}}, ["mcts.backup", "'mean' or 'max'"]),
        ({"mcts": BASE["mcts"] | {"c": 1.0}}, ["mcts.c", "not permitted"]),
        ({"router": BASE["router"] | {"tree": "greedy"}}, ["router.tree", "'rebase'", "'greedy'"]),
        ({"variants": {"x": {"of": "tot"}}}, ["variants.x.of: `tot` does not exist"]),
        ({"variants": {"beam": {"of": "beam"}}}, ["variants: `beam` is taken"]),
        ({"variants": {"majority": {"of": "beam"}}}, ["variants: `majority` is taken"]),
        ({"variants": {"my-beam": {"of": "beam"}}}, ["`my-beam`", "no lower-case word"]),
        ({"variants": {"x": {"of": "beam", "beams": {}}}}, ["variants.x.beams: not a section"]),
        ({"variants": {"x": {"of": "beam", "beam": 4}}}, ["variants.x.beam: not a section"]),
        (
            {"variants": {"x": {"of": "rebase", "rebase": {"rounding": "up"}}}},
            ["variants.x.rebase.rounding", "'paper' or 'released'", "'up'"],
        ),
        (
            {"variants": {"x": {"of": "beam", "beam": {"width": 9}}}, "strategies": ["x"]},
            ["`x` cannot search", "below width 9"],
        ),
    ],
)
def test_what_cannot_be_searched_with_is_told(changes, told):
    with pytest.raises(ValidationError) as error:
        search(**changes)
    message = str(error.value)
    assert [part for part in told if part not in message] == [], message


def test_a_strategy_that_is_not_listed_does_not_bound_the_budgets():
    assert search(strategies=["sampling"], budgets=[1, 3]).budgets == [1, 3]


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_least_budget_is_one_that_fits(name):
    section = getattr(search(), name)
    assert section.unfit(section.least) == "" and section.at_most(section.least) == section.least
    assert section.least == 1 or (section.unfit(section.least - 1) and section.at_most(section.least - 1) == 0)


def test_a_new_strategy_is_one_function_and_one_line(monkeypatch):
    """Its section, its name in ``strategies`` and its parameters come with the line."""

    class Mine(Parameters):
        rounds: int

    def mine(budget, params, max_steps):
        paths = yield Solve((START,) * params.mine.rounds, tuple(range(params.mine.rounds)))
        return (yield Rate(tuple(paths)))

    monkeypatch.setitem(STRATEGIES, "mine", Strategy(mine, Mine))
    section = module.search_model()
    found = section.model_validate(copy.deepcopy(BASE) | {"mine": {"rounds": 3}, "strategies": ["mine"]})
    with pytest.raises(ValidationError, match="mine"):
        section.model_validate(copy.deepcopy(BASE))
    engine = RandomEngine()
    scheduler = Scheduler(engine, engine, line_ends, LIMITS, SIZES, 0)
    given = parameters(found.sections("mine"))
    ((paths, _),) = scheduler.run(
        [(Question("q", "math", ""), tokens_of("Q "))], lambda: STRATEGIES["mine"](4, given, 9)
    )
    assert len(paths) == 3


def test_thresholds_from_validation_take_their_place():
    sections = search(router=BASE["router"] | {"thresholds": None}).sections("router")
    assert parameters(sections).router.thresholds is None
    given = {"agreement": 0.75, "score": 0.3, "tree": 0.5}
    assert parameters(sections, given).router.thresholds.model_dump() == given
