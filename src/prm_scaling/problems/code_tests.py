"""Hidden tests of code problems: what ``Problem.reference`` holds as JSON, a kind for each way that data sets test.

``parse_suite`` reads it, ``suite.model_dump_json()`` writes it, without loss (also of infinities and of
integers up to 4300 digits, Python's own limit).
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

Tolerance = Annotated[float, Field(ge=0, allow_inf_nan=False)]
# Of one test; without it the sandbox's own limit holds.
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)] | None
Name = Annotated[str, Field(pattern=r"^[^\W\d]\w*$")]
Path = Annotated[str, Field(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)?$")]


class _Record(BaseModel):
    """Unknown keys are errors; infinities and NaN are written as such."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")


class Calls(_Record):
    """Calls of a function: APPS and LiveCodeBench with ``fn_name``, the embedded problems.

    Attributes:
        function: ``f``, or ``Solution.f`` for a method of a class that is made without arguments.
        tests: pairs of a list of arguments and the expected value. Tuples count as lists.
        tolerance: numbers may differ by this much, absolutely or relatively.
        unordered: the order of the outermost list does not matter.
        seconds: limit of one test.
    """

    kind: Literal["calls"] = "calls"
    function: Path
    tests: Annotated[list[tuple[list[Any], Any]], Field(min_length=1)]
    tolerance: Tolerance = 0.0
    unordered: bool = False
    seconds: Seconds = None


class Stdin(_Record):
    """Whole programs that read standard input: APPS, TACO, CodeContests, LiveCodeBench.

    Attributes:
        tests: pairs of standard input and expected standard output. White space between words does not matter.
        tolerance: words that are both numbers may differ by this much, absolutely or relatively.
        seconds: limit of one test.
    """

    kind: Literal["stdin"] = "stdin"
    tests: Annotated[list[tuple[str, str]], Field(min_length=1)]
    tolerance: Tolerance = 0.0
    seconds: Seconds = None


class Check(_Record):
    """Code that tests a function: HumanEval and HumanEval+ (``def check(candidate)``), MBPP+ (which calls it by name).

    Attributes:
        entry: the function's name.
        source: test code; if it defines ``check``, that is called with the function.
        seconds: limit of the whole.
    """

    kind: Literal["check"] = "check"
    entry: Name
    source: Annotated[str, Field(min_length=1)]
    seconds: Seconds = None


class Asserts(_Record):
    """Assertions, one a test: MBPP.

    Attributes:
        setup: code that runs before them.
        tests: statements; each is one test.
        seconds: limit of the whole.
    """

    kind: Literal["asserts"] = "asserts"
    setup: str = ""
    tests: Annotated[list[str], Field(min_length=1)]
    seconds: Seconds = None


class Unittest(_Record):
    """Classes of ``unittest``: BigCodeBench.

    Attributes:
        entry: the function's name.
        source: the classes, which refer to names of the program.
        seconds: limit of the whole.
    """

    kind: Literal["unittest"] = "unittest"
    entry: Name
    source: Annotated[str, Field(min_length=1)]
    seconds: Seconds = None


Suite = Calls | Stdin | Check | Asserts | Unittest
_SUITE: TypeAdapter[Suite] = TypeAdapter(Annotated[Suite, Field(discriminator="kind")])


class SuiteError(ValueError):
    """A reference that is no suite of tests; the message names field and value."""


def parse_suite(text: str) -> Suite:
    """The suite that a code problem's reference holds.

    >>> parse_suite('{"kind": "calls", "function": "f", "tests": [[[1], 2]]}').function
    'f'

    Raises:
        SuiteError: it is none.
    """
    try:
        return _SUITE.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "reference"
        got = str(first["input"])[:200]
        raise SuiteError(f"hidden tests: {where}: {first['msg']}; got {got!r}") from error
