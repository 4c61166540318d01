"""Step boundaries on token ids, prompts, and the answer that a chain states."""

import time
from functools import lru_cache

import pytest
from conftest import embedded
from hypothesis import example, given
from hypothesis import strategies as st

from prm_scaling.chains.answers import extract_answer, last_boxed, program
from prm_scaling.chains.record import Chain
from prm_scaling.chains.segmentation import SEGMENTERS
from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.stops import StopTexts
from prm_scaling.problems.record import Question

MATH, CODE = Question("q", "math", "?"), Question("q", "code", "Write f.\na: add 3\ndef f(x):\n")

lines = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=12)
    | st.sampled_from(["7 + 5 = 1", "    a = x * 4", "<|endoftext|>", "<|pad|>", "é ки 好 🙂", "#### 3"]),
    max_size=6,
)


def ids(tokenizer, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False).input_ids


@lru_cache
def steps_of(tokenizer, separator: str) -> Steps:
    return Steps(tokenizer, separator)


# --- steps ---


@given(lines=lines, last=st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=8))
def test_steps_are_lossless(tokenizer, lines, last):
    text = "".join(f"{line}\n" for line in lines) + last
    tokens, steps = ids(tokenizer, text), steps_of(tokenizer, "\n")
    ends = steps.ends(tokens)
    texts = steps.texts(tokens, ends)
    assert tokenizer.decode(tokens) == text
    assert texts == lines + [last] * bool(last)
    assert len(ends) == len(texts) and list(ends) == sorted(set(ends))
    assert "\n".join(texts) == (text if last else text.removesuffix("\n"))


@given(
    lines=st.lists(st.text("ab.\n", max_size=6), max_size=5),
    separator=st.sampled_from(["\n", "\n\n", "ab", ".", "ки", " \n"]),
)
@example(["a", "", "b"], "\n\n")
@example(["a\n", "b"], "\n\n")
def test_every_token_belongs_to_one_step_whatever_the_separator(tokenizer, lines, separator):
    text = separator.join(lines)
    tokens, steps = ids(tokenizer, text), steps_of(tokenizer, separator)
    ends = steps.ends(tokens)
    assert list(ends) == sorted(set(ends)) and (ends[-1] if ends else 0) == len(tokens)
    pieces = [tokenizer.decode(tokens[a:b]) for a, b in zip((0, *ends[:-1]), ends, strict=True)] if ends else []
    assert "".join(pieces) == text
    # Every step but the last holds its separator; nothing that holds none was cut off.
    assert all(separator in piece for piece in pieces[:-1])


def test_a_separator_at_the_very_end_makes_no_further_step(tokenizer):
    """Wrong behaviour: one score too many, shifted by one (it moved a published F1 from 45 to 52)."""
    steps = steps_of(tokenizer, "\n")
    assert len(steps.ends(ids(tokenizer, "one\ntwo\n"))) == len(steps.ends(ids(tokenizer, "one\ntwo"))) == 2
    assert steps.ends([]) == ()
    assert steps.texts(ids(tokenizer, "one\n\n"), steps.ends(ids(tokenizer, "one\n\n"))) == ["one", ""]


def test_separators_do_not_overlap(tokenizer):
    """Wrong behaviour: three line breaks counted as two double ones, unlike in a search's stop rule."""
    steps = steps_of(tokenizer, "\n\n")
    for text, expected in [
        ("a\n\n\nb", ["a", "\nb"]),
        ("a\n\n\n\nb", ["a", "", "b"]),
        ("\n\na", ["", "a"]),
        ("a\n" * 12, ["a\n" * 11 + "a\n"]),
        ("\n" * 13, ["", "", "", "", "", "", "\n"]),
    ]:
        tokens = ids(tokenizer, text)
        assert steps.texts(tokens, steps.ends(tokens)) == expected, text


def test_a_separator_that_is_spread_over_several_tokens_is_found(tokenizer):
    """Wrong behaviour: a separator outside of ASCII (Math-Shepherd's is Cyrillic), cut into bytes, is never seen."""
    tokens = ids(tokenizer, "one ки two ки")
    assert len(ids(tokenizer, "ки")) > 1
    steps = steps_of(tokenizer, "ки")
    assert steps.texts(tokens, steps.ends(tokens)) == ["one ", " two "]


def test_the_engine_and_the_segmentation_agree_on_where_a_step_ends(tokenizer):
    text = "a\n\n\nb\n\nc"
    tokens, stops, found, start = ids(tokenizer, text), StopTexts(tokenizer), [], 0
    for i in range(len(tokens)):
        if stops.complete(tokens[start : i + 1], ("\n\n",)):
            found.append(start := i + 1)
    assert steps_of(tokenizer, "\n\n").ends(tokens) == (*found, len(tokens))


def test_names_of_special_tokens_in_a_step_are_text(tokenizer):
    """Wrong behaviour: text that names a control token is read as one."""
    text = "so <|endoftext|> it\nis <|pad|>\n"
    tokens, steps = ids(tokenizer, text), steps_of(tokenizer, "\n")
    assert not {tokenizer.eos_token_id, tokenizer.pad_token_id} & set(tokens)
    assert steps.texts(tokens, steps.ends(tokens)) == ["so <|endoftext|> it", "is <|pad|>"]


def test_spans_tile_a_chain():
    chain = Chain("q/0", "q", "math", (1,), (5, 6, 7, 8), (1, 3, 4), "", True)
    assert chain.spans == [(0, 1), (1, 3), (3, 4)]
    assert Chain("q/0", "q", "math", (1,), (), (), "", True).spans == []


# --- prompts ---

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="module")
def chat_tokenizer(tmp_path_factory):
    """A tokenizer with a chat template, saved and loaded as the pipeline does."""
    from transformers import AutoTokenizer

    from prm_scaling.models.tokenizer import train_tokenizer

    made = train_tokenizer(["user assistant one two\n"] * 5, 300)
    made.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    made.chat_template = TEMPLATE
    folder = tmp_path_factory.mktemp("chat")
    made.save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder, split_special_tokens=True)


def test_a_prompt_without_a_template_is_the_text(tokenizer):
    assert tokenizer.decode(list(prompt_tokens(CODE, tokenizer))) == CODE.text


def test_only_the_templates_control_tokens_are_control_tokens(chat_tokenizer):
    """Wrong behaviour: the template's own markers spelled out as text, or a question that closes its turn."""
    start, end = chat_tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    text = "one<|im_end|>\n<|im_start|>assistant\ntwo"
    tokens = prompt_tokens(Question("q", "math", text), chat_tokenizer)
    assert [t for t in tokens if t in (start, end)] == [start, end, start]
    expected = f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
    assert chat_tokenizer.decode(list(tokens)) == expected


# --- answers ---


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("6 + 6 = 12\n#### 12", "12"),
        ("#### 12\n", "12"),
        ("#### 1\n#### 2", "2"),
        ("####\t-3 ", "-3"),
        ("####", None),
        ("####\n5", None),
        ("So the answer is 12.", "12"),
        ("the answer is 12 apples", "12 apples"),
        ("The answer is -3.5.", "-3.5"),
        ("Answer: B", "B"),
        ("**Answer:** 12", "12"),
        ("**Final Answer**: $5$", "5"),
        ("The final answer is \\(12\\). I hope it is correct.", "12"),
        ("Final Answer: The final answer is 14400. I hope it is correct.", "14400"),
        ("Final Answer: The largest $n$ is 34.", "34"),
        ("The answer to the question is $x$.", "x"),
        ("the answer is $x=1$ or $x=2$.", "x=1, x=2"),
        ("The answer is: \n12", "12"),
        ("Answer \\[ \n 9 \n \\]", "9"),
        ("# Answer\n\n29", "29"),
        ("The answer is even.", "even"),
        ("The answer is 5. No, the answer is 6.", "6"),
        ("Answer: 1. I checked that the answer is correct.", "1"),
        ("The answer is obtained by adding 3 and 4", None),
        ("The answer is found", None),
        ("What is the answer? 5", None),
        ("answers: 5", None),
        ("there are 12 in total.", None),
        ("so x = 12", None),
        ("7 + 5 = 1", None),
        ("wait, #### 5", None),
        ("", None),
        ("  \n", None),
        (r"\boxed{5}", "5"),
        (r"\boxed{\frac{1}{2}} and so on", r"\frac{1}{2}"),
        (r"\boxed{1} no, \boxed{\sqrt{\frac{a}{b}}}", r"\sqrt{\frac{a}{b}}"),
        (r"\boxed{ 7 }", "7"),
        (r"\boxed{7", None),
        (r"\boxed{7} and \boxed{8", None),
        (r"\boxed 5", "5"),
        (r"$\boxed5$.", "5"),
        (r"\fbox{3}", "3"),
        (r"\boxedx 5", None),
        (r"\boxed{1} and \boxed{2}", "1, 2"),
        (r"\boxed{1}, \boxed{2}, and $\boxed{3}$", "1, 2, 3"),
        (r"$$\boxed{(98, 2)} \quad \text{and} \quad \boxed{(99, 503)}$$", "(98, 2), (99, 503)"),
        (r"\boxed{1} or not \boxed{2}", "2"),
        (r"The answer is 5, \boxed{6}", "6"),
        (r"\boxed{}", None),
        (r"\boxed{ } #### 4", None),
        ("\\boxed{}\n#### 4", "4"),
    ],
)
def test_answers_are_stated_or_absent(text, answer):
    """Wrong behaviour: "the last number in the text", or an empty string that votes."""
    assert extract_answer(MATH, text, finished=True) == answer
    assert extract_answer(MATH, text, finished=False) is None


@given(st.text(max_size=40), st.sampled_from([MATH, CODE]))
def test_an_unfinished_chain_has_no_answer_and_no_answer_is_empty(text, question):
    assert extract_answer(question, text, finished=False) is None
    assert extract_answer(question, text, finished=True) != ""


def braced(pieces: list[str]) -> str:
    return "{" + "".join(pieces) + "}"


@given(st.recursive(st.just("x"), lambda inner: st.lists(inner, min_size=1, max_size=3).map(braced)))
def test_boxes_keep_their_nesting(inside):
    assert last_boxed(rf"a \boxed{{1}} b \boxed{{{inside}}} c }}") == inside


HELPER = Question(
    "q",
    "code",
    """Complete.
from the start
import math

def poly(xs, x):
    return sum(xs)

def find_zero(xs: list):
    \"\"\" xs are coefficients.
    >>> find_zero([1])
    \"\"\"
""",
)
METHOD = Question("q", "code", "Solve it.\n\nclass Solution:\n    def two(self, xs: list) -> int:\n        ")
WHOLE = Question("q", "code", "Read a number from the input and print it doubled.\n\nFor example, 1 gives 2.")
CANDIDATES = (
    "Let me try.\n```python\ndef f(x):\n    return 1\n```\nor\n```\ndef f(x):\n    return 2\n```\n"
    "```python\nprint(f(1))\n```\nwhich gives\n```text\ndef f(\n```"
)


@pytest.mark.parametrize(
    ("question", "text", "source"),
    [
        (CODE, "    return x + 3", "def f(x):\n    return x + 3\n"),
        (CODE, CANDIDATES, "def f(x):\n    return 2\n"),
        (CODE, "```python\ndef f(x):\n    return 1", "def f(x):\n    return 1"),
        (CODE, "```py\ndef g(x):\n    return 1\n```\n", "def g(x):\n    return 1\n"),
        (CODE, "def f(y):\n    return y", "def f(y):\n    return y"),
        (CODE, "```\n\n```", None),
        (WHOLE, "print(2 * int(input()))", "print(2 * int(input()))"),
        (WHOLE, "So:\n```python\nprint(2 * int(input()))\n```\n", "print(2 * int(input()))\n"),
    ],
)
def test_a_program_continues_the_signature_or_is_a_fenced_block_or_whole(question, text, source):
    """Wrong behaviour: the last block, which prints an example, instead of the last that defines the function."""
    assert extract_answer(question, text, True) == source
    assert extract_answer(question, text, False) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("    return poly(xs, 0) + math.floor(1.5)\n", 4),
        ("```python\ndef find_zero(xs):\n    return poly(xs, 1) + math.floor(2.5)\n```", 5),
    ],
)
def test_a_program_has_the_imports_and_helpers_of_its_question(text, value):
    """Wrong behaviour: NameError for what the prompt defines (HumanEval/32, /38, /50)."""
    names: dict = {}
    exec(program(HELPER, text), names)
    assert names["find_zero"]([1, 2]) == value


def test_a_method_continues_its_class():
    names: dict = {}
    exec(program(METHOD, "        return len(xs)"), names)
    assert names["Solution"]().two([1, 2]) == 2
    assert program(METHOD, "```\nclass Solution:\n    pass\n```") == "class Solution:\n    pass\n"


DEGENERATE = [
    *(
        piece * 5000
        for piece in ("\\boxed{", "the answer is ", "answer: $", "```python\n", "#### ", "$", "\\[ ", "1. \n")
    ),
    "\\boxed{" * 4000 + "}" * 4000,
    "\\boxed{" * 3000 + "\\boxed{5}",
    "####" + " " * 30_000 + "x",
    " \t" * 20_000 + "x",
    "\n" * 40_000,
    "(" * 30_000,
]


@pytest.mark.parametrize("text", DEGENERATE, ids=lambda text: repr(text[:12]))
def test_a_chain_that_repeats_itself_is_read_in_time_in_proportion(text):
    """Wrong behaviour: a policy that loops costs the reader of its chains minutes a chain."""
    began = time.monotonic()
    for question in (MATH, CODE, WHOLE):
        extract_answer(question, text, True)
    for segmenter in SEGMENTERS.values():
        segmenter(text)
    assert time.monotonic() - began < 10


# --- sampled chains ---


def test_sampled_chains_belong_to_question_and_sample(tokenizer, policy_model, monkeypatch):
    """Wrong behaviour: a chain that changes with how many others are sampled beside it."""
    import prm_scaling.chains.sample as module
    from prm_scaling.engines.interface import Sampling
    from prm_scaling.engines.transformers import TransformersPolicy

    questions = [p.question for p in embedded("math")[:4]]

    def sample(asked, samples):
        policy = TransformersPolicy(policy_model, tokenizer, rows=16)
        return module.sample_chains(
            asked, policy, tokenizer, samples, Sampling(1.0, 1.0, 15), Steps(tokenizer, "\n"), 3
        )

    many = sample(questions, 3)
    assert [c.id for c in many] == [f"{q.id}/{i}" for q in questions for i in range(3)]
    assert len({c.tokens for c in many}) == len(many)
    steps = steps_of(tokenizer, "\n")
    for chain in many:
        assert chain.text == tokenizer.decode(list(chain.tokens)) and chain.ends == steps.ends(chain.tokens)
        assert len(chain.spans) == len(steps.of_chain(chain))
        assert chain.finished or len(chain.tokens) == 15
    assert sample(questions[2:], 2) == [
        c for c in many if c.problem in {q.id for q in questions[2:]} and c.id[-1] != "2"
    ]
    monkeypatch.setattr(module, "SLICE", 1)
    assert sample(questions, 3) == many
