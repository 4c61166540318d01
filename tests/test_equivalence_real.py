"""Equality of answers on real pairs: every disagreement with their labels is listed and judged."""

import json
import re

import pytest
from dataset_records import DATA, needs_data

from prm_scaling.chains.answers import extract_answer
from prm_scaling.problems.record import Question
from prm_scaling.verify.equivalence import Comparer

MATH = Question("q", "math", "")
WORKERS = 2


@pytest.fixture(scope="module")
def comparer():
    with Comparer(WORKERS) as comparer:
        yield comparer


def records(path: str) -> list[dict]:
    return [json.loads(line) for line in (DATA / path).read_text().splitlines()]


# Where this grader and the labels of math-verify's tests part: gold, end of the prediction, label, why.
JUDGED = [
    (
        r"$x \in [-2,7]$",
        r"$-2 \\le x \\le 7$",
        0,
        "the same set; the label tests math-verify's option that tells the reference from the answer; here both ways",
    ),
    ("1000.99", "1000,99", 1, "a comma that is followed by two digits separates two answers in MATH's references"),
    ("1,22", "1.22", 1, "as above"),
    ("0,111", "0.111", 1, "as above"),
    ("2.74", "Soucis : 2,74 $ a..", 1, "as above; and no answer is stated"),
    ("1000.99", "not it's not 10 it's 1,000.99m²", 1, "no answer is stated: the last number of a text is none"),
    ("1000.99", "the number is not 10 which is 1,000.99€", 1, "as above"),
    (
        "$3$",
        "Jane started growing Sphere 3 hours ago. I hope it is correct. <|im_start|>user",
        1,
        "a sentence, of which only a number is right; the chain goes on after its end",
    ),
    ("$12$", "that meet the three given conditions. I hope it is correct. <|im_start|>user", 1, "as above"),
    (
        "$(7,6)$",
        "that solves the system is $(7, 6)$. <|im_start|>user",
        1,
        "no answer is stated, and nothing ends the chain",
    ),
    ("$100%$", "the minimum error in the measurement of the position increases by 100%.", 1, "no answer is stated"),
    (
        r"$\\boxed{35 cm} ++++++ \\boxed{4}$",
        "${35 cm,4}$",
        1,
        "boxes with other than `and` between them are not one answer: the last one is",
    ),
    (r"\\boxed{W(n) = 1 \\text{ and } W(n) = -1", "W(x)=1orW(x)=-1", 1, "a box that is never closed holds no answer"),
    (
        "$$(3, 3), (1, 1)$$",
        r"$$\boxed{(3, 3)} \text{ for part (a) and } \boxed{(1, 1)}$$",
        1,
        "as two boxes above: answers to two parts",
    ),
    ("$f(x)$", "$f(y)$", 1, "the label is for comparison up to names of variables; two answers differ by them"),
]


def stated(text: str) -> str:
    """The answer that a text states; else its last formula, for it is the comparison that is checked here."""
    formulas = re.findall(r"\$([^$]+)\$", text)
    inside = len(text) < 200 and formulas and not text.startswith("$")
    return extract_answer(MATH, text, True) or (formulas[-1] if inside else text)


@needs_data
def test_math_verifys_own_cases():
    found = []
    for places in (6, 2):
        cases = records("answer_equivalence/math_verify_cases.jsonl")
        cases = [row for row in cases if (row.get("precision") == 2) == (places == 2)]
        with Comparer(WORKERS, places=places) as comparer:
            results = comparer.compare([(stated(row["gold"]), stated(row["pred"])) for row in cases])
        found += [
            (row["gold"], row["pred"], row["expected"])
            for row, result in zip(cases, results, strict=True)
            if result.equal != bool(row["expected"])
        ]
    judged = [(gold, pred, label) for gold, pred, label, _ in JUDGED]
    unjudged = [f for f in found if not any(f[0] == g and f[1].endswith(p) and f[2] == e for g, p, e in judged)]
    settled = [j for j in judged if not any(f[0] == j[0] and f[1].endswith(j[1]) and f[2] == j[2] for f in found)]
    assert not unjudged and not settled


@needs_data
def test_real_generations_are_graded_as_labelled(comparer):
    for row in records("answer_equivalence/nemo_skills_score_rm_inputs.jsonl"):
        answer = extract_answer(MATH, row["generation"], True)
        assert answer == row["predicted_answer"]
        assert comparer.compare([(row["expected_answer"], answer)])[0].equal == row["symbolic_correct"]


def variants(gold: str) -> list[str]:
    """The same answer in other wrappings, spacings and kinds of fractions."""
    found = [gold, f" {gold} ", f"${gold}$", f"$${gold}$$", rf"\({gold}\)", rf"\[ {gold} \]", rf"\boxed{{{gold}}}"]
    found += [
        rf"$\boxed{{{gold}}}$.",
        rf"\fbox{{${gold}$}}",
        gold.replace(r"\frac", r"\dfrac"),
        gold.replace(" ", "  "),
    ]
    if r"\left" not in gold:
        found.append(gold.replace("(", r"\left(").replace(")", r"\right)"))
    if not re.search(r"\d,(?:\\!)?\s*\d{3}", gold):  # else spaces would part thousands
        found.append(re.sub(r"([,+=])", r" \1 ", gold))
    return found


@needs_data
@pytest.mark.parametrize("source", ["math500", "prm800k"])
def test_every_reference_equals_itself_however_it_is_wrapped(comparer, source):
    if source == "math500":
        golds = [row["answer"] for row in records("math500/test.jsonl")]
    else:
        raw = records("prm800k/phase1_phase2_examples_raw.jsonl") + records("prm800k/openr_samples_raw.jsonl")
        golds = [row["question"]["ground_truth_answer"] for row in raw]
    pairs = [(gold, other) for gold in dict.fromkeys(g for g in golds if g) for other in variants(gold)]
    assert len(pairs) > 50
    assert [p for p, r in zip(pairs, comparer.compare(pairs), strict=True) if not r.equal] == []


@needs_data
def test_the_answers_of_reference_solutions_are_the_references(comparer):
    for name, question in (("math500/test.jsonl", "solution"), ("gsm8k/test.jsonl", "answer")):
        rows = records(name)
        golds = [row["answer"].rsplit("####", 1)[-1].strip() for row in rows]
        said = [extract_answer(MATH, row[question], True) or "" for row in rows]
        assert [
            g for g, r in zip(golds, comparer.compare(list(zip(golds, said, strict=True))), strict=True) if not r.equal
        ] == []
