"""Measure the rates that `./run plan` and a cluster's time limits are reckoned with: `python tools/rates.py`.

Reads the records that a run of the active scale has left in logs/ (or in another folder of such records), and writes
logs/rates.yaml, which stands over the stated rates of src/prm_scaling/provenance/rates.yaml until it is deleted.
"""

import argparse
from pathlib import Path

import yaml
from jobs import jobs

from prm_scaling.analysis.times import read_times
from prm_scaling.config import load_params
from prm_scaling.provenance.plan import Plan
from prm_scaling.provenance.rates import MEASURED, fitted, measured, rates_of, stated_rates


def main() -> None:
    """Fit, write, and say how well the rates fit what they are fitted to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--logs", type=Path, help="records of an earlier run; default: those of this scale in logs/")
    params = load_params(Path.cwd())
    folder = parser.parse_args().logs or Path("logs", params.scale)
    graph = jobs()
    took = measured(graph, read_times(folder))
    if not took:
        parser.exit(1, f"tools/rates.py: no record of a job of scale {params.scale} in {folder}; run it first\n")
    plan = Plan(params, graph, stated_rates(), {})
    MEASURED.parent.mkdir(exist_ok=True)
    MEASURED.write_text(yaml.safe_dump(fitted(plan.work, graph, took, stated_rates()), sort_keys=False))
    print(f"{MEASURED}, of {len(took)} jobs")
    for name, rates in (("stated", stated_rates()), ("measured", rates_of(Path.cwd()))):
        costs = Plan(params, graph, rates, {}).costs.values()
        reckoned = sum(cost.seconds for cost in costs if cost.job.name in took)
        print(f"  by {name} rates they take {reckoned:.0f} s, and took {sum(took.values()):.0f} s")


if __name__ == "__main__":
    main()
