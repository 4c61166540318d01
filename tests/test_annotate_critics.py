"""Chat models as judges: what their critiques say, how they are asked, and several votes."""

import copy
from collections import Counter
from dataclasses import replace
from string import Template

import pytest
from annotating import SAMPLING, chain_of, ids
from conftest import embedded
from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.annotate import critic, judge
from prm_scaling.annotate.critique import read_critique
from prm_scaling.annotate.formats import VERDICTS, formats, message, prompt_file, read_prompt
from prm_scaling.annotate.record import labels_until
from prm_scaling.annotate.votes import Vote, counted, majority
from prm_scaling.chains.record import Chain
from prm_scaling.chains.steps import Steps
from prm_scaling.engines.interface import Extension
from prm_scaling.problems.world.solutions import RIGHT, WRONG

STEPWISE = """Let me check each paragraph.

Paragraph 0 sets up the equation: $2x + 3 = 11$. This matches the problem.
Paragraph 0: correct

**Paragraph 1**: they subtract 3 from both sides and get $2x = 9$, but $11 - 3 = 8$, so $\\boxed{8}$ would be right.
Paragraph 1: **incorrect**

\\boxed{1}"""

# Of a solution of four steps: the critique, whether the judge ended it, the outcome, the first error.
READ = {
    "an index in a box": ("The sum in paragraph 2 is off by one.\n\n\\boxed{2}", True, "verdict", 2),
    "no error": ("Every paragraph follows.\n\nThe answer is $\\boxed{-1}$.", True, "verdict", -1),
    "a minus sign of its own": ("All fine. \\boxed{\u22121}", True, "verdict", -1),
    "a box with words": ("\\boxed{\\text{paragraph 2}}", True, "verdict", 2),
    "a tag's name": ("The error is in \\boxed{paragraph_3}.", True, "verdict", 3),
    "math and spaces": ("\\boxed{ $0$ }", True, "verdict", 0),
    "verdicts and a box": (STEPWISE, True, "verdict", 1),
    "the last of several boxes": ("At first I thought \\boxed{0}, but it is \\boxed{3}", True, "verdict", 3),
    "a formula in a later box": ("First error: \\boxed{1}. It should be \\boxed{\\frac{1}{2}}.", True, "verdict", 1),
    "verdicts alone": ("Paragraph 0: correct\nParagraph 1: correct\nParagraph 2: incorrect", True, "verdict", 2),
    "all right by verdicts": ("".join(f"Paragraph {i}: Correct.\n" for i in range(4)), True, "verdict", -1),
    "a verdict taken back": ("Paragraph 0: incorrect\nWait.\nParagraph 0: correct\n\\boxed{-1}", True, "verdict", -1),
    "a full critique at the limit": ("Paragraph 0 is wrong. \\boxed{0} Moreover", False, "verdict", 0),
    "a refusal": ("I'm sorry, but I can't help with that.", True, "refusal", None),
    "another refusal": ("As an AI language model, I cannot judge this solution.", True, "refusal", None),
    "typographic": ("I can\u2019t assist with this request.", True, "refusal", None),
    "no refusal": ("I cannot find any error in it. \\boxed{-1}", True, "verdict", -1),
    "broken off": ("Paragraph 0: correct\nIn paragraph 1 they divide both", False, "cut_off", None),
    "broken off in the box": ("The error is in \\boxed{1", False, "cut_off", None),
    "nothing": ("", True, "garbage", None),
    "cut before it began": ("", False, "cut_off", None),
    "no verdict": ("This is a nice solution, well explained.", True, "garbage", None),
    "an answer instead of an index": ("\\boxed{x^2 + 1}", True, "garbage", None),
    "a list": ("\\boxed{1, 3}", True, "garbage", None),
    "a template filled in with nothing": ("Paragraph 0: correct / incorrect\n\\boxed{}", True, "garbage", None),
    "a step that is not there": ("\\boxed{4}", True, "out_of_range", None),
    "the problem's answer": ("So x = 12. \\boxed{12}", True, "out_of_range", None),
    "below none": ("\\boxed{-2}", True, "out_of_range", None),
    "a verdict on a step that is not there": ("Paragraph 7: incorrect\n\\boxed{1}", True, "out_of_range", None),
    "a box against a verdict": (
        "Paragraph 0: correct\nParagraph 1: incorrect\n\\boxed{-1}",
        True,
        "contradiction",
        None,
    ),
    "a step that it called right": (
        "Paragraph 0: correct\nParagraph 1: correct\n\\boxed{1}",
        True,
        "contradiction",
        None,
    ),
    "an earlier error": ("Paragraph 1: incorrect\n\\boxed{3}", True, "contradiction", None),
    "half of the verdicts": ("Paragraph 0: correct\nParagraph 1: correct", True, "garbage", None),
    "a verdict out of the blue": ("Paragraph 2: incorrect", True, "garbage", None),
}


@pytest.mark.parametrize("name", READ)
def test_what_hub_models_write_is_read_or_counted_apart(name):
    """Wrong behaviour: garbage, a refusal or half a critique counted as "no error", or the last number as the index."""
    text, finished, outcome, first_error = READ[name]
    said = read_critique(text, 4, finished)
    assert (said.outcome, said.first_error) == (outcome, first_error)


def test_verdicts_on_steps_are_kept():
    said = read_critique(STEPWISE, 4, True)
    assert (said.right, said.wrong) == ((0,), (1,))
    broken = read_critique("Paragraph 0: correct\nStep 1 is right.\nParagraph 9: wrong\n\\boxed{", 4, False)
    assert (broken.outcome, broken.right, broken.wrong) == ("out_of_range", (0, 1), ())


pieces = st.sampled_from(
    ["\\boxed{", "}", "-1", "2", "Paragraph 1: correct\n", "Paragraph 0: incorrect\n", "I'm sorry", " ", "$", "\\text{"]
)


@given(st.lists(pieces | st.text(max_size=4), max_size=12).map("".join), st.integers(1, 5), st.booleans())
def test_any_critique_is_a_verdict_on_a_step_that_is_there_or_none(text, steps, finished):
    said = read_critique(text, steps, finished)
    assert (said.outcome == "verdict") == (said.first_error is not None)
    if said.first_error is not None:
        assert -1 <= said.first_error < steps
        assert said.first_error not in said.right
        assert not said.wrong or said.wrong[0] == said.first_error
    assert not set(said.right) & set(said.wrong)
    assert all(0 <= i < steps for i in (*said.right, *said.wrong))
    assert finished is False or said.outcome != "cut_off"


@given(st.integers(-1, 6), st.sampled_from(["{}", " {} ", "${}$", "paragraph_{}", "\\text{{{}}}"]))
def test_a_box_is_read_as_it_was_written(first_error, shape):
    assert read_critique(f"So: \\boxed{{{shape.format(first_error)}}}.", 7, True).first_error == first_error


# --- prompts ---


@pytest.mark.parametrize("name", [name for name in formats() if name != VERDICTS])
def test_a_prompt_file_has_a_place_for_the_problem_and_its_steps(name):
    told = message(read_prompt(prompt_file(name)), "What is $2 + 2$? ${steps}", ["It is ${problem}", "4"])
    assert "What is $2 + 2$? ${steps}" in told, "what a problem says is no place"
    assert "<paragraph_0>\nIt is ${problem}\n</paragraph_0>\n\n<paragraph_1>\n4\n</paragraph_1>" in told
    assert "\\boxed{}" in told and "-1" in told


@pytest.mark.parametrize("text", ["${problem}", "${problem} ${steps} ${answer}", "costs $5: ${problem} ${steps}"])
def test_a_prompt_file_with_other_places_is_refused(tmp_path, text):
    (tmp_path / "mine.txt").write_text(text)
    with pytest.raises(ValueError, match=r"mine\.txt: a prompt has the places .* no others"):
        read_prompt(tmp_path / "mine.txt")


# --- asking ---


class Says:
    """A judge that gives the n-th of its texts to the n-th critique, and remembers what it was asked."""

    def __init__(self, tokenizer, texts, finish="end"):
        self._tokenizer, self._texts, self._finish, self.asked = tokenizer, texts, finish, []

    def extend(self, requests):
        texts = [self._texts[(len(self.asked) + i) % len(self._texts)] for i in range(len(requests))]
        self.asked += requests
        return [Extension(ids(self._tokenizer, text), self._finish, 0, 0) for text in texts]


@pytest.fixture
def chatting(tokenizer):
    """A tokenizer with a chat template."""
    made = copy.deepcopy(tokenizer)
    made.chat_template = (
        "{% for m in messages %}<|pad|>{{ m['role'] }}: {{ m['content'] }}<|pad|>{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    return made


def asked_of(chatting, texts, votes=1, finish="end", steps=("3 + 5 = 8", "#### <|pad|>8")):
    problem = replace(embedded("math")[0], id="q", text="What is <|endoftext|> 3 + 5?")
    says = Says(chatting, texts, finish)
    prompt = Template("Problem: ${problem}\n${steps}\nIndex?")
    chains = [(chain_of(steps), steps), (chain_of(["x"], "q/1"), ("x",)), (chain_of([], "q/2"), ())]
    read = critic.ask(chains, {"q": problem}, says, chatting, prompt, votes, SAMPLING, seed=3)
    return read, says.asked


def test_a_judge_is_asked_through_its_chat_template_and_untrusted_text_stays_text(chatting):
    """Wrong behaviour: a control token that stands in a problem or a step ends the turn."""
    read, asked = asked_of(chatting, ["fine \\boxed{-1}"])
    text = chatting.decode(list(asked[0].prefix))
    assert text.startswith(
        "<|pad|>user: Problem: What is <|endoftext|> 3 + 5?\n<paragraph_0>\n3 + 5 = 8\n</paragraph_0>"
    )
    assert text.endswith("Index?<|pad|>assistant: ")
    assert asked[0].prefix.count(chatting.pad_token_id) == 2 and chatting.eos_token_id not in asked[0].prefix
    assert [(v.chain, v.vote, v.outcome, v.first_error, v.text) for v in read] == [
        ("q/0", 0, "verdict", -1, "fine \\boxed{-1}"),
        ("q/1", 0, "verdict", -1, "fine \\boxed{-1}"),
    ]


def test_each_vote_has_a_stream_of_its_own(chatting):
    read, asked = asked_of(chatting, ["\\boxed{0}", "\\boxed{1}", "hm"], votes=3)
    assert len({r.seed for r in asked}) == len(asked) == 6
    assert [(v.chain, v.vote, v.first_error) for v in read[:3]] == [("q/0", 0, 0), ("q/0", 1, 1), ("q/0", 2, None)]
    # What one chain is asked with does not depend on the others.
    assert {v.outcome for v in asked_of(chatting, ["\\boxed{"], finish="length")[0]} == {"cut_off"}


# --- votes ---


def votes_of(*places, chain="q/0"):
    return [
        Vote(chain, i, "verdict" if isinstance(p, int) else p, p if isinstance(p, int) else None, (), (), f"t{i}")
        for i, p in enumerate(places)
    ]


@given(st.lists(st.sampled_from(["refusal", "garbage", -1, 0, 1, 2]), max_size=7))
def test_most_votes_win_and_ties_are_none(places):
    chosen, tie = majority(votes_of(*places))
    number = Counter(p for p in places if isinstance(p, int))
    best = [p for p, n in number.items() if n == max(number.values())]
    assert chosen == (best[0] if len(best) == 1 else None) and tie == (len(best) > 1)
    assert majority(votes_of(*places)[::-1]) == (chosen, tie)


def test_votes_are_counted_by_what_they_are():
    steps = {"q/0": 3, "q/1": 3, "q/2": 3, "q/3": 0}
    votes = votes_of(1, "refusal", 1) + votes_of(0, 2, "garbage", chain="q/1") + votes_of("cut_off", chain="q/2")
    annotations, tally = counted(steps, "j", votes[::-1])
    assert [(a.chain, a.first_error) for a in annotations] == [("q/0", 1), ("q/1", None), ("q/2", None), ("q/3", None)]
    assert annotations[0].labels == labels_until(1, 3) and annotations[0].annotator == "j"
    assert annotations[0].text in ("t0", "t2")
    expected = {"verdict": 4, "refusal": 1, "garbage": 1, "cut_off": 1}
    assert tally == expected | {"chains in a tie": 1, "chains without a verdict": 2}


def test_one_vote_between_the_steps_is_the_judge_s_own_label(tokenizer):
    """Labels do not depend on whether votes are kept: sets in shards keep them, others do not."""
    steps = Steps(tokenizer, "\n")
    tokens = ids(tokenizer, "3 + 5 = 8\n3 + 5 = 9\n#### 8")
    chain = Chain("q/0", "q", "math", (5,), tokens, steps.ends(tokens), "", True)
    empty = replace(chain, id="q/1", tokens=(), ends=())
    for verdicts in ([RIGHT, WRONG], [RIGHT] * 3, [" hm"]):
        asked = ([chain, empty], None, tokenizer, steps, lambda chain, step: False, "\n")

        def by(function, asked=asked, verdicts=verdicts, **more):
            return function(asked[0], Says(tokenizer, verdicts), *asked[2:], **more)

        (alone, none) = judge.annotate(asked[0], "j", Says(tokenizer, verdicts), *asked[2:])
        votes = judge.votes(by(judge.critiques))
        assert len(votes) == 1
        assert counted({"q/0": 3, "q/1": 0}, "j", votes)[0] == [alone, none]
        more = judge.votes(by(judge.critiques, number=2, temperature=1.0, seed=4))
        assert [(v.chain, v.vote) for v in more] == [("q/0", 0), ("q/0", 1)]
