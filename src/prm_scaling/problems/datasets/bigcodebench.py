"""BigCodeBench: functions that use many libraries, tested by unittest classes."""

from prm_scaling.problems.code_tests import Unittest
from prm_scaling.problems.datasets import programs
from prm_scaling.problems.datasets.fields import text
from prm_scaling.problems.datasets.record import DataSet, Entry, Options, Record


def read(record: Record, options: Options) -> Entry:
    """The prompt is that of the split Complete: signature and docstring."""
    prompt, function = text(record, "complete_prompt"), text(record, "entry_point")
    return Entry(
        prompt,
        programs.dumped(Unittest, "test", entry=function, source=text(record, "test")),
        programs.literal_calls(prompt, function),
    )


DATASET = DataSet(
    domain="code",
    licence="Apache-2.0",
    citation="Zhuo et al., BigCodeBench: Benchmarking Code Generation with Diverse Function Calls, arXiv 2406.15877",
    hub="bigcode/bigcodebench",
    revision="b74c0d0bf70d2c0bc459be537895cca163007f1a",
    unittests=True,
    read=read,
)
