"""The chains and labels that solutions with rated steps become."""

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from prm_scaling.annotate.ratings import annotate
from prm_scaling.annotate.record import labels_until
from prm_scaling.chains.rated import BATCH, rated_chains
from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.problems.labelled import LabelledSolution
from prm_scaling.problems.record import Question

ratings = st.lists(st.sampled_from([1, 0, -1, None]), min_size=1, max_size=6)
some_text = st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), min_size=1, max_size=12)


def solution(steps: list[str], rated: list[int | None]) -> LabelledSolution:
    return LabelledSolution("q/0", "q", tuple(steps), tuple(rated), "", True, None)


@given(ratings, st.booleans())
def test_labels_by_property(rated, neutral_right):
    made = solution(["s"] * len(rated), rated)
    error, labels = made.first_error(neutral_right), made.labels(neutral_right)
    assert len(labels) == len(rated) and set(labels) <= {0.0, 1.0}
    right = [1.0 if error < 0 else r for r in labels_until(error, len(rated))]
    before = len(rated) if error < 0 else error
    assert labels[:before] == tuple(right[:before]) and (error < 0 or labels[error] == 0.0)
    for rating, label, until in zip(rated, labels, labels_until(error, len(rated)), strict=True):
        assert label == {1: 1.0, -1: 0.0, 0: float(neutral_right), None: until}[rating]


def test_neutral_counts_as_the_parameter_says():
    made = solution(["a", "b", "c"], [1, 0, -1])
    assert made.first_error() == 2 and made.labels() == (1.0, 1.0, 0.0)
    assert made.first_error(neutral_right=False) == 1 and made.labels(neutral_right=False) == (1.0, 0.0, 0.0)


@given(st.lists(st.tuples(some_text, st.sampled_from([1, 0, -1, None])), min_size=1, max_size=5), st.data())
def test_steps_end_where_their_tokens_end(tokenizer, rated, data):
    """Wrong behaviour: the joined text tokenized again, and steps cut where a separator happens to stand."""
    separator = data.draw(st.sampled_from(["\n", "\n\n"]))
    steps = [text + data.draw(st.sampled_from(["", f"{separator}{text}", "<|endoftext|>"])) for text, _ in rated]
    question = Question("q", "math", "Why?")
    made = solution(steps, [r for _, r in rated])
    (chain,) = rated_chains([made], {"q": question}, tokenizer, separator)
    (annotation,) = annotate([made], True)
    assert len(chain.ends) == len(steps) == len(annotation.labels) and chain.ends[-1] == len(chain.tokens)
    assert Steps(tokenizer, separator).of_chain(chain) == [s.removesuffix(separator) for s in steps]
    assert chain.text == separator.join(steps) == tokenizer.decode(list(chain.tokens))
    assert tokenizer.eos_token_id not in chain.tokens
    assert annotation.first_error == made.first_error() and annotation.chain == chain.id == "q/0"


def test_chains_of_a_stream_have_the_prompt_of_their_problem(tokenizer):
    questions = {name: Question(name, "math", f"Why {name}?") for name in "ab"}
    order = "aab" * BATCH
    made = [
        dataclasses.replace(solution(["x"] * (i % 3 + 1), [1] * (i % 3 + 1)), id=f"{p}/{i}", problem=p)
        for i, p in enumerate(order)
    ]
    chains = list(rated_chains(made, questions, tokenizer, "\n"))
    assert [c.id for c in chains] == [s.id for s in made]
    assert [len(c.ends) for c in chains] == [len(s.steps) for s in made]
    prompts = {name: prompt_tokens(question, tokenizer) for name, question in questions.items()}
    assert [c.prompt for c in chains] == [prompts[p] for p in order]
