"""What all sections of the parameters share: strict models, common types, and the check of names."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Strict(BaseModel):
    """No unknown keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def known(field: str, names: Iterable[str], among: Iterable[str], where: str) -> None:
    """Checks that ``names``, the value of ``field``, all occur ``among`` those of ``where``.

    Raises:
        ValueError: one does not; the message names field, value and what there is.
    """
    among = list(among)
    for name in names:
        if name not in among:
            raise ValueError(f"{field}: `{name}` is not in {where}, which has {among}")
