"""Published forms of PRMs: a tiny random checkpoint of each layout is scored as its release's own example scores it."""

import json
from typing import get_args

import pytest
import torch
from conftest import DOMAINS, embedded, tiny
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, Qwen2ForCausalLM

from prm_scaling.chains.steps import Steps, prompt_tokens
from prm_scaling.engines.interface import Score
from prm_scaling.models.tokenizer import load_tokenizer, train_tokenizer
from prm_scaling.prm.published import FORMS, math_shepherd, qwen
from prm_scaling.prm.scorer import load_scorer
from prm_scaling.prm.settings import PublishedPrm
from prm_scaling.problems.world.solutions import solution
from prm_scaling.seeds import stream

ENGINE = {"scorer": "transformers", "dtype": "float32", "device": "cpu", "cache_megabytes": 64}
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.fixture(scope="module")
def own():
    """The PRMs' tokenizer: not the policy's."""
    texts = [p.text + "\n".join(solution(p, stream("own", p.id), 0.3)) for d in DOMAINS for p in embedded(d)]
    made = train_tokenizer([*texts, "1 + 2 - 3 - 4 ки\n" * 50], 450)
    made.add_tokens(["<|im_start|>", "<|im_end|>", qwen.SEPARATOR], special_tokens=True)
    made.chat_template = TEMPLATE
    return made


def causal_lm(folder, own) -> None:
    model = tiny(own, Qwen2ForCausalLM, seed=4)
    model.config.max_position_embeddings = 512
    model.save_pretrained(folder)


def written_qwen(folder, own) -> None:
    """As on the hub: ``score.0`` and ``score.2`` beside the decoder, and code of its own that is not run."""
    causal_lm(folder, own)
    weights = {k: v for k, v in load_file(folder / "model.safetensors").items() if not k.startswith("lm_head")}
    torch.manual_seed(5)
    for name, (rows, columns) in {"score.0": (32, 32), "score.2": (2, 32)}.items():
        weights |= {f"{name}.weight": torch.randn(rows, columns) / 4, f"{name}.bias": torch.randn(rows)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    told = json.loads((folder / "config.json").read_text())
    auto = {"AutoConfig": "configuration_qwen2_rm.Qwen2RMConfig", "AutoModel": "modeling_qwen2_rm.Qwen2ForRewardModel"}
    told |= {"architectures": ["Qwen2ForProcessRewardModel"], "auto_map": auto}
    (folder / "config.json").write_text(json.dumps(told))


def written_skywork(folder, own) -> None:
    """A causal LM, and a value head beside it."""
    causal_lm(folder, own)
    torch.manual_seed(5)
    head = {"v_head.summary.weight": torch.randn(1, 32) / 2, "v_head.summary.bias": torch.randn(1)}
    save_file(load_file(folder / "model.safetensors") | head, folder / "model.safetensors", metadata={"format": "pt"})
    told = json.loads((folder / "config.json").read_text()) | {"architectures": ["Qwen2ForPrmModel"]}
    (folder / "config.json").write_text(json.dumps(told))


def written_math_shepherd(folder, own) -> None:
    """A causal LM."""
    causal_lm(folder, own)


def hidden_states(folder, ids) -> torch.Tensor:
    """(tokens, width), by transformers' own forward pass."""
    lm = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        return lm(input_ids=torch.tensor([ids]), output_hidden_states=True).hidden_states[-1][0]


def by_qwens_card(folder, own, question, steps) -> list[float]:
    """The model card's example."""
    answer = qwen.SEPARATOR.join(steps) + qwen.SEPARATOR
    messages = [
        {"role": "system", "content": "Please reason step by step, and put your final answer within \\boxed{}."},
        {"role": "user", "content": question},
        {"role": "assistant", "content": answer},
    ]
    text = own.apply_chat_template(messages, tokenize=False, add_generation_prompt=False)
    ids = own(text, add_special_tokens=False, split_special_tokens=False).input_ids
    w = load_file(folder / "model.safetensors")
    inner = (hidden_states(folder, ids) @ w["score.0.weight"].T + w["score.0.bias"]).relu()
    probabilities = (inner @ w["score.2.weight"].T + w["score.2.bias"]).softmax(-1)
    mask = torch.tensor(ids) == own.convert_tokens_to_ids(qwen.SEPARATOR)
    return probabilities[mask][:, 1].tolist()


def by_skyworks_code(folder, own, question, steps) -> list[float]:
    """``prepare_input`` and the value head of the authors' inference code."""

    def encode(text):
        return own(text, add_special_tokens=False).input_ids

    ids, flags = encode(question + "\n"), []
    for step in steps:
        ids = [*ids, *encode(step), encode("\n")[-1]]
        flags.append(len(ids) - 1)
    w = load_file(folder / "model.safetensors")
    values = hidden_states(folder, ids) @ w["v_head.summary.weight"].T + w["v_head.summary.bias"]
    return values[flags, 0].sigmoid().tolist()


def by_math_shepherds_card(folder, own, question, steps) -> list[float]:
    """The model card's example."""
    output = "\n".join(f"Step {i}: {step} ки" for i, step in enumerate(steps, 1))
    ids = own(f"{question} {output}").input_ids
    candidates = own("+ -", add_special_tokens=False).input_ids
    lm = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    with torch.no_grad():
        scores = lm(input_ids=torch.tensor([ids])).logits[0][:, candidates].softmax(-1)[:, 0]
    return scores[torch.tensor(ids) == own("1 ки", add_special_tokens=False).input_ids[-1]].tolist()


CASES = {
    "qwen": (written_qwen, by_qwens_card),
    "skywork": (written_skywork, by_skyworks_code),
    "math_shepherd": (written_math_shepherd, by_math_shepherds_card),
}


@pytest.fixture(scope="module")
def published(own, tmp_path_factory):
    """Description and folder of a PRM of each form."""
    found = {}
    for form, (write, _) in CASES.items():
        hub, described = (tmp_path_factory.mktemp(f"{form}-{kind}") for kind in ("hub", "run"))
        write(hub, own)
        own.save_pretrained(hub)
        told = {"hub": str(hub), "revision": "", "form": form}
        (described / "prm.json").write_text(json.dumps(told))
        found[form] = (described / "prm.json", hub)
    return found


def asked(question, steps, tokenizer) -> Score:
    """A request for the rewards of these steps, in the policy's tokens."""
    prompt = prompt_tokens(question, tokenizer)
    tokens = tuple(tokenizer("\n".join(steps), add_special_tokens=False).input_ids)
    ends = Steps(tokenizer, "\n").ends(tokens)
    return Score(prompt + tokens, tuple(len(prompt) + end - 1 for end in ends), len(prompt), question.id)


def test_every_form_is_tried():
    assert CASES.keys() == FORMS.keys() == set(get_args(PublishedPrm.model_fields["form"].annotation))


@pytest.mark.parametrize("form", CASES)
def test_a_published_prm_is_scored_as_its_release_scores_it(form, published, own, tokenizer):
    description, hub = published[form]
    problems = [p for d in DOMAINS for p in embedded(d)[:3]]
    solutions = [solution(p, stream("solved", p.id), 0.3) for p in problems]
    scorer = load_scorer(description, tokenizer, ENGINE, [p.question for p in problems])
    scored = scorer.score([asked(p.question, s, tokenizer) for p, s in zip(problems, solutions, strict=True)])
    values = []
    for problem, steps, result in zip(problems, solutions, scored, strict=True):
        expected = CASES[form][1](hub, load_tokenizer(hub), problem.text, steps)
        assert len(expected) == len(steps)
        assert result.rewards == pytest.approx(expected, abs=1e-5)
        values += result.rewards
    assert max(values) - min(values) > 0.05


@pytest.mark.parametrize("form", CASES)
def test_a_longer_path_costs_its_new_steps_only(form, published, tokenizer):
    """Wrong behaviour: the whole text read anew at each step of a search."""
    problem = embedded("math")[0]
    steps = ["1 + 2 = 3", "3 - 5 = 9", "#### 9"]
    scorer = load_scorer(published[form][0], tokenizer, ENGINE, [problem.question])
    paths = [scorer.score([asked(problem.question, steps[:n], tokenizer)])[0] for n in (2, 3)]
    assert paths[1].computed < 16 < paths[1].reused
    assert paths[0].rewards == pytest.approx(paths[1].rewards[:2], abs=1e-5)


@pytest.mark.parametrize("form", CASES)
def test_a_mark_within_a_step_is_text(form, published, tokenizer):
    """Wrong behaviour: a reward at each mark, wherever it comes from."""
    problem = embedded("math")[0]
    steps = [f"1 + {qwen.SEPARATOR} ки 2", f"<|im_end|>{math_shepherd.MARK}", "3"]
    scorer = load_scorer(published[form][0], tokenizer, ENGINE, [problem.question])
    (scored,) = scorer.score([asked(problem.question, steps, tokenizer)])
    assert len(scored.rewards) == 3 and all(0 < r < 1 for r in scored.rewards)


def test_a_checkpoint_of_another_form_is_refused(published, own, tokenizer, tmp_path):
    for form, other in (("qwen", "skywork"), ("skywork", "qwen"), ("math_shepherd", "qwen")):
        told = {"hub": str(published[other][1]), "revision": "", "form": form}
        (tmp_path / "prm.json").write_text(json.dumps(told))
        with pytest.raises(ValueError, match=r"not a checkpoint of|is no reward model"):
            load_scorer(tmp_path / "prm.json", tokenizer, ENGINE)


def test_a_tokenizer_without_the_forms_marks_is_refused(published, tokenizer, tmp_path):
    """Wrong behaviour: rewards read at an unknown token."""
    with pytest.raises(ValueError, match="no token <extra_0>"):
        qwen.load(str(published["qwen"][1]), None, tokenizer, torch.float32)


def test_a_question_that_was_not_told_is_an_error(published, tokenizer):
    first, second = (p.question for p in embedded("math")[:2])
    scorer = load_scorer(published["qwen"][0], tokenizer, ENGINE, [first])
    with pytest.raises(KeyError, match="has no question for the PRM"):
        scorer.score([asked(second, ["1"], tokenizer)])
