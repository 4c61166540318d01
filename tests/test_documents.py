"""Documents that LMs are trained on: what is written in them and what is to be learnt."""

import math
import re
from collections import Counter

import pytest
from conftest import DOMAINS, embedded
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import FOLLOWS

from prm_scaling.models import documents
from prm_scaling.models.documents import Piece
from prm_scaling.models.tokenizer import train_tokenizer
from prm_scaling.problems.world.solutions import CHECK, RIGHT, WRONG, critique, drill
from prm_scaling.problems.world.truth import truth_of
from prm_scaling.seeds import seed_of, stream

some_problem = st.sampled_from([p for domain in DOMAINS for p in embedded(domain)])
some_seed = st.integers(0, 2**32)


def written(problem, seed: int, critiques: float, drills: float, broken_off: float = 0.0, reviews: float = 0.0):
    return documents.write_document(problem, seed, critiques, reviews, drills, 0.4, broken_off, 0.2, 0.0)


@pytest.fixture(scope="module")
def tokenizer():
    """One that knows the verdicts, as the ladder's does."""
    texts = [written(p, i, 0.3, 0.3, reviews=0.2)[1] for d in DOMAINS for i, p in enumerate(embedded(d))]
    return train_tokenizer(["".join(piece.text for piece in pieces) for pieces in texts], 2000)


def judged_steps(pieces: list[Piece]) -> list[tuple[str, str]]:
    """The steps of a critique or a drill and their verdicts, of what follows ``CHECK``."""
    lines = "".join(piece.text for piece in pieces).split(CHECK, 1)[1].split("\n")
    verdicts = [RIGHT if line.endswith(RIGHT) else WRONG for line in lines]
    return [(line.removesuffix(v), v) for line, v in zip(lines, verdicts, strict=True)]


def learnt_as(given: str, steps: list[tuple[str, str]]) -> list[Piece]:
    """The pieces of steps and verdicts of which the verdicts and the right steps are learnt."""
    pieces = [Piece(given, False)]
    for step, verdict in steps:
        pieces += [Piece(step, verdict == RIGHT), Piece(verdict, True), Piece("\n", False)]
    return pieces[:-1]


@given(some_problem, some_seed)
def test_of_a_critique_verdicts_and_right_steps_are_learnt(problem, seed):
    """Wrong behaviour: a model that learns to write the errors that it is shown."""
    kind, pieces = written(problem, seed, critiques=1.0, drills=0.0)
    assert kind == "critique"
    steps = judged_steps(pieces)
    right = truth_of(problem, [step for step, _ in steps]).on_track
    assert [verdict == RIGHT for _, verdict in steps] == list(right)
    assert pieces == learnt_as(problem.text + CHECK, steps)


@given(some_problem, some_seed)
def test_of_a_drill_verdicts_and_right_steps_are_learnt(problem, seed):
    kind, pieces = written(problem, seed, critiques=0.0, drills=1.0)
    if problem.domain == "code":  # a line of a program tells nothing alone: it has critiques instead
        assert kind == "critique"
        return
    start = re.fullmatch(rf"From ([a-z0-9]+)\.\n{CHECK}", pieces[0][0])
    assert kind == "drill" and start
    steps = judged_steps(pieces)
    right = FOLLOWS[problem.domain](start[1], [step for step, _ in steps])
    assert [verdict == RIGHT for _, verdict in steps] == right
    assert pieces == learnt_as(pieces[0][0], steps)


def words_of(tokenizer, text: str) -> list[str]:
    """The pieces that no token of this text reaches across."""
    return [piece for piece, _ in tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str(text)]


@settings(max_examples=300)
@given(problem=some_problem, seed=some_seed)
def test_a_wrong_step_that_is_broken_off_ends_with_its_first_wrong_word(tokenizer, problem, seed):
    """Wrong behaviour: a verdict "wrong" after words that are still right, or one token that no whole step has."""
    critiques = critique(problem, stream("broken off", seed), 0.5)
    for step, verdict, right in [*critiques, *drill(problem, stream("broken off", seed), 0.5)[1]]:
        shown = documents.until_wrong(step, right)
        words, wanted = words_of(tokenizer, step), words_of(tokenizer, right)
        same = next((i for i, word in enumerate(words) if wanted[i : i + 1] != [word]), len(words))
        # A step that only lacks words is shown whole, as a right one is.
        assert words_of(tokenizer, shown) == words[: same + 1]
        assert verdict == WRONG or shown == step
        cut, whole = tokenizer([shown, step], add_special_tokens=False).input_ids
        assert cut == whole[: len(cut)]


@pytest.mark.parametrize(
    ("step", "right", "shown"),
    [
        ("5 + 2 = 8", "5 + 2 = 7", "5 + 2 = 8"),
        ("6 + 2 = 8", "5 + 2 = 7", "6"),
        ("a: - 2", "a: + 2", "a: -"),
        ("b: + 2", "a: + 2", "b"),
        ("#### 5", "5 + 2 = 7", "####"),
        ("#### 10", "#### 1", "#### 10"),
        ("a: blue or red, gold", "a: blue, gold", "a: blue or"),
        ("now red, blue: yes gold", "now red, blue: no red", "now red, blue: yes"),
        ("    c = a * 3", "    c = b * 3", "    c = a"),
        ("    b = max(a, 3)", "    b = min(a, 3)", "    b = max"),
        ("    b = a + 2", "    b = a + 2 if a % 2 == 0 else a", "    b = a + 2"),
        ("    b = a + 2 if a % 2 == 0 else a", "    b = a + 2", "    b = a + 2 if"),
        ("5 + 2 = 7", "5 + 2 = 7", "5 + 2 = 7"),
    ],
)
def test_steps_broken_off(step, right, shown):
    assert documents.until_wrong(step, right) == shown


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_share_of_wrong_steps_that_are_broken_off_is_that_asked_for(share):
    """Wrong behaviour: right steps that are cut, and then learnt as if they ended there."""
    found = {True: 0, False: 0}
    for problem in embedded("math"):
        for seed in range(10):
            whole, cut = (judged_steps(written(problem, seed, 1.0, 0.0, b)[1]) for b in (0.0, share))
            assert [verdict for _, verdict in whole] == [verdict for _, verdict in cut]
            for (step, verdict), (shown, _) in zip(whole, cut, strict=True):
                assert step.startswith(shown) and (shown == step or verdict == WRONG)
                # A slip in the last word leaves nothing to cut.
                if verdict == WRONG and step.count(" ") > 1:
                    found[shown != step] += 1
    assert (found[True] > 0) == (share > 0) and found[False] > 0
    assert share < 1.0 or found[True] > 2 * found[False]


@given(some_problem, some_seed)
def test_of_a_solution_all_but_the_problem_is_learnt(problem, seed):
    kind, pieces = written(problem, seed, critiques=0.0, drills=0.0)
    assert kind == "solution" and [piece.learnt for piece in pieces] == [False, True]
    assert pieces[0].text == problem.text and not any(piece.verdict for piece in pieces)
    assert truth_of(problem, pieces[1].text.split("\n")).first_error == -1
    assert written(problem, seed, 0.0, 0.0) == (kind, pieces)


@given(some_problem, some_seed)
def test_of_a_review_verdicts_are_learnt_where_a_prm_is_read_and_are_not_written(problem, seed):
    """Wrong behaviour: a base that knows verdicts only where others stand before them."""
    kind, (given, *lines) = written(problem, seed, critiques=0.0, drills=0.0, reviews=1.0)
    assert kind == "review" and given == Piece(problem.text + CHECK, False)
    steps = [line.text for line in lines[::2]]
    assert [line.text for line in lines[1::2]] == ["\n"] * (len(steps) - 1)
    right = truth_of(problem, steps).on_track
    assert [line.learnt for line in lines[::2]] == list(right) and not any(line.learnt for line in lines[1::2])
    verdicts = [RIGHT if r else WRONG for r in right]
    assert [line.verdict for line in lines[::2]] == verdicts
    assert [line.verdict for line in lines[1::2]] == verdicts[:-1]


def test_the_shares_of_kinds_are_those_asked_for():
    kinds = Counter(written(p, i, 0.3, 0.4, reviews=0.2)[0] for p in embedded("math") for i in range(20))
    for kind, share in {"critique": 0.3, "drill": 0.4, "review": 0.2, "solution": 0.1}.items():
        assert kinds[kind] == pytest.approx(600 * share, abs=60)


def test_verdicts_that_begin_alike_are_refused():
    """Wrong behaviour: both verdicts learnt as the one token that they begin with."""
    letters = train_tokenizer(["no verdicts here"], 258)
    with pytest.raises(ValueError, match="larger tokenizer_vocabulary"):
        documents.tokenize([written(embedded("math")[0], 0, 0.0, 0.0)], letters)


@pytest.mark.parametrize("domain", DOMAINS)
def test_targets_are_the_tokens_and_verdicts_that_are_learnt(domain, tokenizer):
    texts = [written(p, seed_of(i), 0.3, 0.2, broken_off=0.5, reviews=0.3) for i, p in enumerate(embedded(domain))]
    assert {kind for kind, _ in texts} >= {"critique", "review", "solution"}
    for (kind, pieces), document in zip(texts, documents.tokenize(texts, tokenizer), strict=True):
        assert document.kind == kind and document.tokens[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(list(document.tokens[:-1])) == "".join(piece.text for piece in pieces)
        wanted: list[int | None] = []  # what is to be predicted as each token
        verdicts: dict[int, int] = {}
        for piece in pieces:
            ids = tokenizer(piece.text, add_special_tokens=False).input_ids
            wanted += ids if piece.learnt else [None] * len(ids)
            if piece.verdict:
                (verdicts[len(wanted) - 1],) = tokenizer(piece.verdict, add_special_tokens=False).input_ids
        # That a text ends is learnt of solutions alone: what is judged ends where the steps given end.
        wanted.append(tokenizer.eos_token_id if kind == "solution" else None)
        made = documents.example(document)
        assert made.tokens == document.tokens and len(made.targets) == len(made.tokens)
        assert math.isnan(made.targets[-1])
        for i, target in enumerate(made.targets[:-1]):
            expected = verdicts.get(i, wanted[i + 1])
            assert math.isnan(target) if expected is None else target == expected
