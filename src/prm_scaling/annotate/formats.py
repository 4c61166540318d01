"""How a judge is asked: one of the prompt files in ``prompts/``, or the format of the embedded world's critiques.

A prompt file is the message to a chat model, with ``${problem}`` and ``${steps}`` once each, the latter as
``<paragraph_0> ... </paragraph_0>`` and so on. ``processbench`` asks for what ProcessBench's template of critics does
(Zheng et al., arXiv 2412.06559: the number of the earliest wrong paragraph in a box, -1 for none); ``stepwise`` also
for a verdict on each paragraph, up to the first error (as Zhang et al., arXiv 2501.07301, appendix C). The words are
ours.
"""

from collections.abc import Sequence
from pathlib import Path
from string import Template

PROMPTS = Path(__file__).parent / "prompts"
# Verdicts between the steps, as pre-training writes them (`annotate/judge.py`).
VERDICTS = "verdicts"


def formats() -> list[str]:
    """The names that a judge's ``prompt`` may have."""
    return [VERDICTS, *sorted(path.stem for path in PROMPTS.glob("*.txt"))]


def prompt_file(name: str) -> Path:
    """The file of a prompt."""
    return PROMPTS / f"{name}.txt"


def read_prompt(path: str | Path) -> Template:
    """The prompt in a file.

    Raises:
        ValueError: it does not have both places, once each, or a `$` that is no place (`$$` is a dollar sign).
    """
    template = Template(Path(path).read_text())
    if not template.is_valid() or sorted(template.get_identifiers()) != ["problem", "steps"]:
        raise ValueError(
            f"{path}: a prompt has the places ${{problem}} and ${{steps}}, and no others; write $$ for a dollar sign"
        )
    return template


def message(prompt: Template, problem: str, steps: Sequence[str]) -> str:
    """What a judge is sent."""
    tagged = "\n\n".join(f"<paragraph_{i}>\n{step}\n</paragraph_{i}>" for i, step in enumerate(steps))
    return prompt.substitute(problem=problem, steps=tagged)
