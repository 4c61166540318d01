"""A strategy of one's own is one file and one line: the graph searches with it, and every figure has its curve."""

import json
import sys

import pytest
import yaml
from checkout import call, copy_to
from conftest import ROOT as HERE
from test_plots import FRAMES

from prm_scaling.plots import FIGURES

FILE = '''"""Mine."""

from prm_scaling.search.path import ROOT, Rate, Searching, Solve
from prm_scaling.search.strategy import Parameters
from prm_scaling.strict import Count


class Mine(Parameters):
    """As many solutions as ``rounds``."""

    rounds: Count


def mine(budget: int, params, max_steps: int) -> Searching:
    """Samples."""
    paths = yield Solve((ROOT,) * params.mine.rounds, tuple(range(params.mine.rounds)))
    return (yield Rate(tuple(paths)))
'''


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the checkout with the file, its import and its line."""
    folder = copy_to(tmp_path_factory.mktemp("mine"))
    search = folder / "src" / "prm_scaling" / "search"
    (search / "mine.py").write_text(FILE)
    text = (search / "__init__.py").read_text()
    text = text.replace("from prm_scaling", "from prm_scaling.search.mine import Mine, mine\nfrom prm_scaling", 1)
    (search / "__init__.py").write_text(
        text.replace("STRATEGIES = {", 'STRATEGIES = {\n    "mine": Strategy(mine, Mine),')
    )
    return folder


def variant(**sections) -> dict:
    """The copy's parameters with the strategy listed, and with these sections of ``search``."""
    params = yaml.safe_load((HERE / "params.yaml").read_text())
    params["search"] |= {"strategies": [*params["search"]["strategies"], "mine"]} | sections
    return params


def test_a_registered_strategy_is_searched_with_timed_graded_and_tabulated(checkout):
    """Wrong behaviour: a list of strategies, or a schema, that has to be told of it besides."""
    done = call(checkout, sys.executable, "tests/graph.py", ".", input=json.dumps([variant(mine={"rounds": 3})]))
    assert done.returncode == 0, done.stderr
    jobs = json.loads(done.stdout)[0]["jobs"]
    searches = [j for j in jobs if j["rule"] == "search_tree" and ["strategy", "mine"] in j["wildcards"]]
    assert searches and all(j["params"]["sections"] == {"mine": {"answer": "best_leaf", "rounds": 3}} for j in searches)
    assert [j for j in jobs if j["rule"] == "grade_tree" and ["strategy", "mine"] in j["wildcards"]]
    read = {
        rule: {path for j in jobs if j["rule"] == rule for path in j["input"]} for rule in ("accuracy", "figure_tables")
    }
    # Accuracies of figures 4 and 5 and of the claims; its cost; its curve over tokens.
    assert any("evaluate/trees/mine-" in path for path in read["accuracy"])
    for part in ("search/costs/mine-", "evaluate/anytime/mine-"):
        assert any(part in path for path in read["figure_tables"])
    (timing,) = [j for j in jobs if j["rule"] == "time_searches"]
    assert timing["params"]["strategies"]["mine"] == "mine"


def test_its_section_is_checked_as_any_other(checkout):
    done = call(checkout, sys.executable, "tests/graph.py", ".", input=json.dumps([variant(mine={"rounds": 0})]))
    assert done.returncode != 0 and "search.mine.rounds" in done.stdout + done.stderr


def test_a_section_of_no_strategy_is_refused(checkout):
    """Wrong behaviour: a section that is misspelt is passed over."""
    sections = {"mine": {"rounds": 3}, "mcst": {"exploration": 2.0}}
    done = call(checkout, sys.executable, "tests/graph.py", ".", input=json.dumps([variant(**sections)]))
    assert done.returncode != 0 and "search.mcst" in done.stdout + done.stderr


@pytest.mark.parametrize("name", ["figure4", "figure5", "anytime"])
def test_every_figure_of_strategies_has_its_curve(name):
    table = FRAMES[name]()
    table["strategy"] = table["strategy"].replace("mcts", "mine")
    axes = FIGURES[name](table).axes
    drawn = [ax for ax in axes if "mine" in ax.get_legend_handles_labels()[1]]
    assert len(drawn) == table["dataset"].nunique()
