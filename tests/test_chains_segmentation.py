"""Steps of texts by named segmenters, and their ends in tokens."""

import ast
import gzip
import json

import pytest
from conftest import DOMAINS, embedded
from dataset_records import DATA, needs_data
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.chains.segmentation import (
    SEGMENTERS,
    blank_lines,
    code,
    lines,
    numbered_list,
    shepherd_tags,
    step_labels,
)
from prm_scaling.chains.steps import Steps, token_ends
from prm_scaling.problems.world.solutions import solution
from prm_scaling.seeds import stream

PIECES = [
    *(
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        " \n \n",
        "  ",
        "\t",
        "ки",
        "é好🙂",
        "\x0c",
        "\u2028",
        "a + b",
        "#",
        "\x00",
        "\ufffd",
    ),
    *(
        "Step 1: so",
        "\nStep 2: and",
        "\n**Step 3:** it",
        "\nstep: 4: x",
        "\n1. one",
        "\n2) two",
        "\n   1. a",
        "\n7. no",
    ),
    *("```python\n", "\n```\n", "```", "def f(x):\n", "    return x\n", "    y = 1; z = 2\n", "x = '''\n# s\n'''\n"),
    *(
        "if x:\n",
        "    pass\n",
        "else:\n",
        "for i in y:\n",
        "# note\n",
        "@d\n",
        "class A:\n",
        "x = (1,\n# c\n2)\n",
        "(" * 9,
    ),
]
texts = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=12).map("".join)


@given(texts, st.sampled_from(sorted(SEGMENTERS)))
def test_every_segmenter_is_lossless_and_has_no_empty_step(text, name):
    """Wrong behaviour: a text put together from its steps differs from what the policy wrote."""
    steps = SEGMENTERS[name](text)
    assert "".join(steps) == text
    assert all(steps) and (bool(steps) == bool(text))
    assert all(step.strip() for step in steps) or len(steps) == 1


@given(texts)
def test_a_separator_at_the_very_end_makes_no_further_step(text):
    for name in ("lines", "blank_lines"):
        assert len(SEGMENTERS[name](text.rstrip() + "\n\n\n")) == max(1, len(SEGMENTERS[name](text.rstrip())))


@pytest.mark.parametrize(
    ("segmenter", "steps"),
    [
        (lines, ["7 + 5 = 1\n", "#### 1"]),
        (lines, ["a\r\n", "b\n\n", "c"]),
        (blank_lines, ["First.\n\n\n", "Then\nso.\n \t\n", "End"]),
        (blank_lines, ["\n\nwindows\r\nline\r\n\r\n", "b"]),
        (blank_lines, ["one\r\ntwo"]),
        (step_labels, ["Let's see.\n", "Step 1: a\nStep by step\n\n", "Step 2: b\n", "**Step 3:** c"]),
        (step_labels, ["Step: 1: Let p\n", "Step: 2: so ки"]),
        (step_labels, ["## Step 1: a\n", "## Step 2. b"]),
        (step_labels, ["no label in Step 1: here"]),
        (numbered_list, ["Plan:\n", "1. add\n7. no item\n", "2. and 3. no\n", "3) end"]),
        (numbered_list, ["1. add\n   1. inner\n   2. inner\n", "2. end\n\n", "1. again\n", "2. end"]),
        (numbered_list, ["**1.** a\n", "**2.** b"]),
        (numbered_list, ["The sum is\n3.5 + 1\n2. not the next"]),
        (shepherd_tags, ["Step 1: 3 + 4 = 7 ки", "\nStep 2: The answer is: 7 ки"]),
        (
            shepherd_tags,
            [
                "a ки\n",
            ],
        ),
    ],
)
def test_steps_as_laid_out(segmenter, steps):
    assert segmenter("".join(steps)) == steps


@pytest.mark.parametrize(
    "steps",
    [
        [
            "import os\n\n\n",
            "# doubles\n@cache\ndef f(\n    x,\n    # c\n):\n    '''Doubles.'''\n",
            "    y = 1; z = 2\n\n",
            "    # all\n    for i in x:\n        # each\n        y += i\n",
            "    return '''\n# no comment'''\n\n",
            "print(f(1))",
        ],
        ["class S:\n", "    def a(self):\n", "        return 1\n\n", "    def b(self): return 2\n"],
        ["if a:\n    b = 1\n\n    c = 2\nelse:\n    d = 3\n", "try:\n    g\nexcept H:\n    pass\n"],
        ["x = '''a\n# b'''; y = 2\n", "z = 1"],
        ["    y = 1\n", "    if y:\n        return 2\n", "    return 3\n"],
        ["y = 1\n", "    if y:\n        return 2\n", "    return 3\n"],
        ["def f(:\n", "  x\n", " y"],
        ["Here:\n\n", "we go\n", "```python\nx = 1\n", "while x:\n    x -= 1\n```\n", "So\nit is.\n\n", "Done"],
        ["```\nx = 1\n", "if x:\n    y = 2"],
        ["```python\n```\n"],
    ],
)
def test_code_is_cut_at_statements_and_never_within_a_block(steps):
    """Wrong behaviour: a loop's head is one step and its body another, or a line of a string is taken for a comment."""
    assert code("".join(steps)) == steps


def statements(body: list[ast.stmt]) -> int:
    """How many steps a body has: its statements, and those of functions in it, but for docstrings."""
    count = 0
    for place, statement in enumerate(body):
        documents = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        count += not (place == 0 and documents)
        if isinstance(statement, ast.FunctionDef):
            count += statements(statement.body)
    return count


@needs_data
def test_steps_of_real_programs_are_whole_statements():
    with gzip.open(DATA / "humaneval" / "HumanEval.jsonl.gz", "rt") as file:
        rows = [json.loads(line) for line in file]
    assert len(rows) == 164
    for row in rows:
        for text, before in (
            (row["canonical_solution"], "def f():\n"),
            (row["prompt"] + row["canonical_solution"], ""),
        ):
            steps = code(text)
            assert "".join(steps) == text
            body = ast.parse(before + text).body
            assert len(steps) == statements(body[0].body if before else body), text


@needs_data
@pytest.mark.parametrize("name", ["gsm8k_first60", "math_sample50", "olympiadbench_sample50", "omnimath_sample50"])
def test_steps_of_real_solutions_are_their_paragraphs(name):
    rows = json.loads((DATA / "processbench" / f"{name}.json").read_text())
    assert len(rows) >= 50
    for row in rows:
        found = [step.strip() for step in blank_lines("\n\n".join(row["steps"]))]
        # Some steps of the hard subsets have paragraphs of their own.
        assert found == [part.strip() for step in row["steps"] for part in blank_lines(step) if part.strip()]
        assert len(found) >= len([step for step in row["steps"] if step.strip()])


@needs_data
def test_steps_of_real_tagged_solutions_are_as_many_as_their_labels():
    rows = json.loads((DATA / "prm800k" / "openr_processed_multi_step.json").read_text())
    assert len(rows) > 300
    for row in rows:
        steps = shepherd_tags(row["process"])
        assert len(steps) == len(row["labels"]) and all(step.endswith("ки") for step in steps)
        assert len(step_labels(row["process"])) == len(row["labels"])


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_embedded_problems_steps_are_lines(domain, tokenizer):
    """The segmenter of lines finds what the separator finds, so the parameter may be either."""
    by_separator, by_line = Steps(tokenizer, "\n"), Steps(tokenizer, "\n", "lines")
    for problem in embedded(domain)[:10]:
        tokens = tokenizer(
            "\n".join(solution(problem, stream("seg", problem.id), 0.3)), add_special_tokens=False
        ).input_ids
        assert by_separator.ends(tokens) == by_line.ends(tokens)
        assert by_separator.texts(tokens, by_separator.ends(tokens)) == by_line.texts(tokens, by_line.ends(tokens))


# --- ends in tokens ---


@given(texts, st.sampled_from(sorted(SEGMENTERS)))
def test_every_token_belongs_to_one_step_by_any_segmenter(tokenizer, text, name):
    """Wrong behaviour: steps are tokenized anew one by one, and their tokens are not those of the chain."""
    tokens = tokenizer(text, add_special_tokens=False).input_ids
    text = tokenizer.decode(tokens)
    ends = Steps(tokenizer, "\n", name).ends(tokens)
    steps = SEGMENTERS[name](text)
    assert ends == tuple(sorted(set(ends))) and (ends[-1] if ends else 0) == len(tokens) and len(ends) <= len(steps)
    # A step ends with the token that holds its last character: the shortest tokens whose text has all of it.
    for step, _ in enumerate(steps):
        before = "".join(steps[: step + 1])
        end = next(n for n in range(1, len(tokens) + 1) if tokenizer.decode(tokens[:n]).startswith(before))
        assert end in ends


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=4), max_size=6))
def test_ends_of_steps_that_are_known_texts(tokenizer, steps):
    """Those of labelled data sets, which come as lists: PRM800K, ProcessBench."""
    tokens = tokenizer("".join(steps), add_special_tokens=False).input_ids
    ends = token_ends(tokens, steps, tokenizer)
    assert len(ends) <= len(steps) and (ends[-1] if ends else 0) == len(tokens)
    if len(ends) == len(steps):
        for i, end in enumerate(ends):
            assert tokenizer.decode(tokens[:end]).startswith("".join(steps[: i + 1]))


def test_a_token_across_a_boundary_belongs_to_the_step_before_it(tokenizer):
    tokens = tokenizer("7 + 5 = 1\n", add_special_tokens=False).input_ids
    piece = max((tokenizer.decode([t]) for t in tokens), key=len)
    at = next(i for i, t in enumerate(tokens) if tokenizer.decode([t]) == piece)
    before = tokenizer.decode(tokens[:at])
    if len(piece) > 1:
        steps = [before + piece[:1], piece[1:] + tokenizer.decode(tokens[at + 1 :])]
        assert token_ends(tokens, steps, tokenizer)[0] == at + 1
    one = tokenizer("    ", add_special_tokens=False).input_ids
    assert len(one) > 1 or token_ends(one, [" ", " ", "  "], tokenizer) == (1,)


def test_a_character_across_tokens_is_in_the_step_of_its_last_token(tokenizer):
    tokens = tokenizer("好🙂b", add_special_tokens=False).input_ids
    assert len(tokens) == 8  # three, four and one bytes
    assert token_ends(tokens, ["好", "🙂", "b"], tokenizer) == (3, 7, 8)
    # A chain that was broken off within a character has its bytes in the last step.
    assert token_ends(tokens[:5], ["好", tokenizer.decode(tokens[3:5])], tokenizer) == (3, 5)


def test_steps_of_another_text_are_an_error(tokenizer):
    """Wrong behaviour: labels of one text at the positions of another."""
    tokens = tokenizer("one two", add_special_tokens=False).input_ids
    with pytest.raises(ValueError, match="tokenized from another text"):
        token_ends(tokens, ["one", "two"], tokenizer)
    assert token_ends([], [], tokenizer) == ()
