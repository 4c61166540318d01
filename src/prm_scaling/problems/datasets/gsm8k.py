"""GSM8K: grade school word problems; the number after ``####`` is the answer."""

from prm_scaling.problems.datasets.fields import shown, text
from prm_scaling.problems.datasets.record import DataSet, Entry, Malformed, Options, Record


def read(record: Record, options: Options) -> Entry:
    """The answer loses the commas of its thousands."""
    solution, mark, answer = text(record, "answer").rpartition("####")
    answer = answer.strip().replace(",", "")
    if not mark or not answer:
        raise Malformed("answer", f"states none after ####: {shown(record['answer'][-60:])}")
    return Entry(text(record, "question"), answer, difficulty=len(solution.strip().splitlines()))


DATASET = DataSet(
    domain="math",
    licence="MIT",
    citation="Cobbe et al., Training Verifiers to Solve Math Word Problems, arXiv 2110.14168",
    hub="openai/gsm8k",
    revision="740312add88f781978c0658806c59bc2815b9866",
    names=("main",),
    read=read,
)
