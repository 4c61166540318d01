"""Small made-up tables, as figures and the tables of the paper are made of them."""

import io

import pandas as pd

SIZES = {"6k": 5_900, "83k": 82_900, "658k": 657_000}


def frame(columns: str, rows: list[tuple]) -> pd.DataFrame:
    """The rows as they come back from a CSV, with its types and empty cells."""
    text = pd.DataFrame(rows, columns=columns.split()).to_csv(index=False)
    return pd.read_csv(io.StringIO(text))


def around(value: float) -> tuple[float, float, float]:
    return value, value - 0.05, value + 0.03


def accuracies(columns: str, names: list[str], costs: list[tuple]) -> pd.DataFrame:
    return frame(
        f"dataset {columns} accuracy low high",
        [
            (dataset, name, *cost, *around(0.3 + 0.02 * i + 0.1 * j))
            for dataset in ("math_seen", "code_short")
            for i, name in enumerate(names)
            for j, cost in enumerate(costs)
        ],
    )


def figure1() -> pd.DataFrame:
    sizes = [(m, p, 8, *around(0.4 + 0.1 * i)) for i, (m, p) in enumerate(SIZES.items())]
    rows = [*sizes, ("majority", None, 8, *around(0.45))]
    return frame("dataset model parameters n accuracy low high", [(d, *r) for d in ("math_seen", "x") for r in rows])


def figure2() -> pd.DataFrame:
    sets = [
        ("math_seen", "accuracy"),
        ("code_short", "accuracy"),
        ("math_validation", "auc"),
        ("math_validation", "loss"),
    ]
    rows = [(d, s, 16 * s, m, *around(0.4 + s / 1000)) for d, m in sets for s in (10, 50, 200)]
    return frame("dataset step examples metric value low high", rows)


def figure3() -> pd.DataFrame:
    return accuracies("series n", ["human", "monte_carlo", "aslaf", "majority", "pass"], [(1,), (4,), (16,)])


def figure4() -> pd.DataFrame:
    names = ["mcts", "beam", "best_of_n", "weighted", "majority"]
    return accuracies("strategy budget tokens", names, [(4, 131.5), (8, 270.1), (16, 555.0)])


def figure5() -> pd.DataFrame:
    return figure4().rename(columns={"tokens": "seconds"})


def figure6() -> pd.DataFrame:
    steps = [
        ("case 1", 1, "has $4 and $5 : 4 + 5 = 8 <b>&</b>", 0.2, False, False),
        ("case 1", 2, "wait , 4 + 5 = 9\n;", 0.9, True, True),
        ("case 2", 1, "a step of many words " * 40, 1.0, True, False),
    ]
    rows = [(*s, None, None, None) for s in steps]
    means = [("mean", None, None, v, None, None, g, v - 0.1, v + 0.1) for g, v in (("wrong", 0.2), ("correction", 0.7))]
    return frame("case step text reward on_track correction group low high", rows + means)


def noise() -> pd.DataFrame:
    rows = [(d, a, 100, 0.5, *around(0.2)) for d in ("math", "code") for a in ("monte_carlo", "judge_a", "consensus")]
    return frame("domain annotator chains retention noise low high", rows)


def patterns() -> pd.DataFrame:
    rows = [(d, g, *around(0.1)) for d in ("math", "code") for g in ("all", "prm_selected", "right")]
    return frame("domain group rate low high", rows)


def verifier() -> pd.DataFrame:
    rows = [
        (prm, m, p, d, *around(0.7), *around(0.4))
        for d in ("math", "code")
        for prm in ("aslaf", "human")
        for m, p in SIZES.items()
        if prm == "aslaf" or m == "658k"
    ]
    return frame("prm model parameters domain auc low high f1 f1_low f1_high", rows)


def noise_by_steps() -> pd.DataFrame:
    rows = [
        (d, a, s, 100, 0.5, *around(0.2 + s / 50))
        for d in ("math", "code")
        for a in ("monte_carlo", "judge_a", "consensus")
        for s in (4, 5, 7)
    ]
    return frame("domain annotator steps chains retention noise low high", rows)


def process() -> pd.DataFrame:
    rows = [(d, k, 50, *around(0.1 * k), 0.05) for d in ("math", "code") for k in (2, 3, 4)]
    return frame("domain difficulty right share low high detectable", rows)


def aggregations() -> pd.DataFrame:
    rows = [(p, a, *around(0.5)) for p in ("human", "mine") for a in ("last", "product", "min")]
    return frame("prm aggregation accuracy low high", rows)


def convergence() -> pd.DataFrame:
    rows = [
        (d, s, n, *around(level / n), 20, 0.1)
        for d in ("math", "code")
        for s, level in (("error", 0.4), ("bound", 0.9))
        for n in (1, 2, 4, 1024)
    ]
    return frame("domain series n value low high problems tied", rows)


def levels() -> pd.DataFrame:
    rows = [
        (prm, m, p, "math", *around(0.3 + 0.1 * i), *around(0.5 + 0.1 * i), *around(0.2 + 0.1 * i))
        for prm in ("aslaf", "human")
        for i, (m, p) in enumerate(SIZES.items())
        if prm == "aslaf" or m == "658k"
    ]
    columns = "prm model parameters domain f1 f1_low f1_high accuracy low high"
    return frame(f"{columns} lowest_last lowest_last_low lowest_last_high", rows)


def scaling() -> pd.DataFrame:
    law = {"accuracy": (0.9, 0.2, 0.5, 80_000), "loss": (None,) * 4}
    rows = [
        (axis, metric, x, 1e6 * x, *around(0.5), *numbers)
        for axis in ("parameters", "training")
        for metric, numbers in law.items()
        for x in SIZES.values()
    ]
    return frame("axis metric x training_flops value low high ceiling scale exponent unit", rows)


def transfer() -> pd.DataFrame:
    rows = [
        (prm, d, policy, parameters, 8, *around(0.5), auc)
        for d in ("math", "code")
        for policy, parameters in (("47k", 47_000), ("12k", 12_000))
        for prm, auc in (("aslaf", 0.9), ("aslaf_code", 0.7), ("majority", None))
    ]
    return frame("prm domain policy parameters n accuracy low high auc", rows)


def labels() -> pd.DataFrame:
    sets = [("soft", None), ("hard", 0.0), ("hard", 0.5)]
    rows = [
        (f"{kind}{threshold}{filtered}", "12k", kind, threshold, filtered, metric, *around(0.5))
        for kind, threshold in sets
        for filtered in (False, True)
        for metric in ("best_of_n", "f1", "auc")
    ]
    return frame("training size labels threshold filtered metric value low high", rows)


def grid() -> pd.DataFrame:
    rows = [
        (m, p, early, step, early * p, step * p, (early + step) * p, 0.5, metric, *around(0.5 + step / 1000), m == "6k")
        for m, p in SIZES.items()
        for early in (100, 400)
        for step in (10, 50)
        for metric in ("auc", "accuracy")
    ]
    flops = "pretraining_flops training_flops total_flops"
    return frame(f"model parameters pretraining_step step {flops} share metric value low high front", rows)


def anytime() -> pd.DataFrame:
    return accuracies("strategy tokens", ["mcts", "beam", "rebase"], [(32,), (64,), (128,)])


def pareto() -> pd.DataFrame:
    rows = [
        (m, p, s, n, n * p * 1e2, n * p * 3e2, *around(0.3 + 0.1 * i + 0.01 * n), i == 2, n == 8)
        for i, (m, p) in enumerate(SIZES.items())
        for s in ("majority", "best_of_n", "weighted")
        for n in (1, 8)
    ]
    columns = "policy parameters strategy n policy_flops flops accuracy low high policy_flops_front flops_front"
    return frame(columns, rows)


OF_THE_PAPER = (figure1, figure2, figure3, figure4, figure5, figure6)
STUDIES = (scaling, convergence, noise_by_steps, levels, process, aggregations, transfer, labels, grid)
FRAMES = {f.__name__: f for f in (*OF_THE_PAPER, *STUDIES, anytime, pareto, noise, patterns, verifier)}


def table1() -> pd.DataFrame:
    chosen = [("none", 0.2), ("majority", 0.3), ("prm_math", 0.45), ("prm_code", 0.4)]
    rows = [(g, "code_short", s, *around(v)) for g in ("83k", "a|b<c>") for s, v in chosen]
    return frame("generator dataset selection accuracy low high", rows[:-1])


def table2() -> pd.DataFrame:
    rows = [("math_prm-code_prm", 0.31, 0.30, 0.32, None), ("math-code", 0.27, 0.26, 0.28, 0.0002)]
    return frame("pair similarity low high p_value", rows)


def claims() -> pd.DataFrame:
    rows = [
        ("plateau", "rises, then levels off", "Figure 1", "a | b", 8.1, 2.0, 13.9, "points", 8.52, "holds"),
        ("order", "MCTS is best", "Figure 4", "difference", -1.2, -4.0, 1.8, "points", 4.1, "undecided at this scale"),
        ("data", "ASLAF is best", "Figure 3", "difference", None, None, None, None, None, "does not hold"),
    ]
    return frame("id claim source statement effect low high unit detectable verdict", rows)
