"""Problems of a hub data set, or of a local folder or file in its layout, through ``datasets``."""

from prm_scaling.problems.record import Problem


def load_hub(
    name: str,
    domain: str,
    split: str,
    path: str,
    config: str,
    revision: str,
    hub_split: str,
    fields: dict[str, str],
    count: int,
) -> list[Problem]:
    """The first ``count`` problems of a data set; ``fields`` names its question, answer and id columns.

    Raises:
        FileNotFoundError: neither a hub nor a local copy of it is there; the message says what to do.
        ValueError: a named column does not exist.
    """
    # Imported here: it takes seconds, and the embedded scales never need it.
    from datasets import load_dataset

    try:
        rows = load_dataset(path, config or None, split=hub_split, revision=revision or None)
    except (ConnectionError, OSError) as error:
        raise FileNotFoundError(
            f"problems.sets.{name}.path: `{path}` could not be read ({error}); give a hub name that is reachable, "
            "or the path of a local copy of the data set"
        ) from error
    missing = sorted(set(fields.values()) - set(rows.column_names))
    if missing:
        raise ValueError(f"problems.sets.{name}.fields: {missing} are not columns of {path}: {rows.column_names}")
    problems = []
    for index, row in enumerate(rows.select(range(min(count, len(rows))))):
        answer = str(row[fields["answer"]])
        problems.append(
            Problem(
                id=str(row[fields["id"]]) if "id" in fields else f"{name}-{index:05d}",
                domain=domain,
                dataset=name,
                split=split,
                template=name,
                text=row[fields["question"]],
                # GSM8K puts the worked solution before the answer.
                reference=answer.rsplit("####", 1)[-1].strip(),
                public_inputs="[]",
                difficulty=0,
                derivation="",
            )
        )
    return problems
