"""What a reader is shown in place of the names of columns and parameters."""

import re

import pandas as pd

NAMES = {
    # series
    "majority": "majority vote",
    "pass": "any of N right (pass@N)",
    "human": "human labels",
    "monte_carlo": "Monte Carlo labels",
    "aslaf": "ASLAF consensus labels",
    "aslaf_code": "ASLAF, code",
    "aslaf_logic": "ASLAF, logic",
    "mcts": "MCTS",
    "beam": "beam search",
    "snell_beam": "beam search (Snell et al.)",
    "greedy_step": "greedy step search",
    "dvts": "DVTS",
    "rebase": "REBASE",
    "best_of_n": "best of N",
    "weighted": "weighted vote",
    # annotators
    "consensus": "consensus of all",
    "mc_and_judge": "Monte Carlo + judge",
    "dawid_skene": "Dawid-Skene, as many chains",
    # studies
    "error": "measured",
    "bound": "bound of the theorem",
    "last": "last step",
    "min": "lowest step",
    # selections of table 1
    "none": "no selection",
    "prm_math": "math PRM",
    "prm_code": "code PRM",
    # groups of steps and chains
    "correction": "self-corrections",
    "ordinary": "ordinary steps",
    "wrong": "wrong steps",
    "all": "self-correcting, of all",
    "prm_selected": "self-correcting, of the chosen",
    "right": "self-correcting, of the right",
    "right_with": "right, of the self-correcting",
    "right_without": "right, of the others",
    # data sets
    "math_seen": "math, known wording",
    "math_unseen": "math, new wording",
    "logic_seen": "logic, known wording",
    "logic_unseen": "logic, new wording",
    "code_short": "code, short",
    "code_long": "code, long",
    "code_unseen": "code, new wording",
    "code_unseen_long": "code, long, new wording",
    "math500": "MATH-500",
    "prm800k": "PRM800K",
    "humaneval_plus": "HumanEval+",
    "mbpp_plus": "MBPP+",
    "livecodebench": "LiveCodeBench",
    "bigcodebench": "BigCodeBench",
    # gradient similarity
    "math_prm-code_prm": "chosen by math PRM – chosen by code PRM",
    "math_prm-code": "chosen by math PRM – code",
    "math-code_prm": "math – chosen by code PRM",
    "math-code": "math – code",
}


def label(name: object) -> str:
    """The name for a reader: a known one from the list, else without underscores.

    >>> label("best_of_n"), label("judge_a"), label("math_train")
    ('best of N', 'judge A', 'math train')
    """
    text = str(name)
    if text in NAMES:
        return NAMES[text]
    return re.sub(r" ([a-z])$", lambda letter: letter[0].upper(), text.replace("_", " "))


def title(name: object) -> str:
    """The label with its first letter in upper case."""
    text = label(name)
    return text[:1].upper() + text[1:]


def compact(value: float) -> str:
    """A count in three digits or fewer.

    >>> compact(658000), compact(7e9), compact(1.54e9), compact(16), compact(0.05)
    ('658k', '7B', '1.54B', '16', '0.05')
    """
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        # 999.6 thousand would be printed as 1e+03k
        if value >= size * 0.9995:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def plain(value: float) -> str:
    """A number with all its digits while these are few.

    >>> plain(1024), plain(0.05), plain(2**17)
    ('1024', '0.05', '131k')
    """
    return f"{value:g}" if value < 1e5 else compact(value)


def model_names(rows: pd.DataFrame) -> tuple[list[float], dict[float, str]]:
    """The sizes in the column ``parameters``, ascending, and what to call each: the column ``model`` where its name
    is short, else the count."""
    found = rows.dropna(subset="parameters").drop_duplicates("parameters").sort_values("parameters")
    names = {
        size: str(model) if len(str(model)) <= 5 else compact(size)
        for size, model in zip(found["parameters"], found["model"], strict=True)
    }
    return list(names), names
