"""The parameters of the problems phase."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from prm_scaling.problems.datasets import DATASETS
from prm_scaling.problems.datasets.record import Options
from prm_scaling.problems.tasks import SOURCE
from prm_scaling.problems.world.domain import LABELS
from prm_scaling.strict import Count, Share, Strict, known

DomainName = Literal["math", "code", "logic"]
Sum = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
# Text in quotes: without them YAML makes a date of it.
Day = Annotated[str, Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$")]


class Surface(Strict):
    """Which surface templates a set of embedded problems uses."""

    verbs: Annotated[int, Field(ge=1, le=4)]
    frames: list[Annotated[int, Field(ge=0, le=4)]] = Field(min_length=1)
    distractors: bool


class DataSource(Strict):
    """Where the records of a public data set are, and which of them are read.

    Attributes:
        path: a hub name, or a local file or folder; empty for the set's own hub name.
        name: a configuration on the hub; empty for all that the set is made of.
        revision: the commit on the hub; empty for the one that the set's module pins.
        split: the split on the hub, or in the names of files.
        files: patterns of the files to read, in the folder or on the hub.
        sha256: sums that files must have, by name.
        skip: so many of the first records are left out.
        since: the first day of the window, of sets with dates.
        until: the first day after it.
        hidden: whether a problem without hidden tests is malformed; else its public ones stand in for them.
        alternatives: whether rated steps that were not gone on from make further solutions.
    """

    path: str = ""
    name: str = ""
    revision: Annotated[str, Field(pattern=r"^([0-9a-f]{40})?$")] = ""
    split: Annotated[str, Field(min_length=1)] = "test"
    files: list[str] = Field(default_factory=list)
    sha256: dict[str, Sum] = Field(default_factory=dict)
    skip: Annotated[int, Field(ge=0)] = 0
    since: Day = ""
    until: Day = ""
    hidden: bool = True
    alternatives: bool = True

    @model_validator(mode="after")
    def _window_is_open(self) -> "DataSource":
        if self.since and self.until and self.since >= self.until:
            raise ValueError(f"since {self.since} is not before until {self.until}: no problem is in between")
        return self

    @property
    def options(self) -> Options:
        """What a set's reader has to know."""
        return Options(self.since, self.until, self.hidden, self.alternatives)


class Task(Strict):
    """A procedural task of reasoning-gym.

    Attributes:
        name: there.
        options: of that task, its difficulty among them.
        instruction: added to each question.
    """

    name: str
    options: dict[str, Any] = Field(default_factory=dict)
    instruction: str = ""


class ProblemSet(Strict):
    """One set of problems: made here (``world``), by a library (``reasoning_gym``), or read from the public data set
    that ``source`` names.

    ``count`` is the number of problems that are made, or the most records that are read.
    """

    source: str
    domain: DomainName
    split: Literal["pretrain", "train", "validation", "test"]
    count: Count
    surface: str = ""
    steps: list[Count] = Field(default=[2, 6], min_length=2, max_length=2)
    # Through a factory, as a default that stands in the schema is one that Snakemake fills in and looks into.
    data: DataSource | None = Field(default_factory=lambda: None)
    task: Task | None = Field(default_factory=lambda: None)

    @model_validator(mode="after")
    def _source_fits(self) -> "ProblemSet":
        known("source", [self.source], ["world", SOURCE, *DATASETS], "problems/datasets")
        if (self.task is None) == (self.source == SOURCE):
            raise ValueError(f"task: problems of source `{SOURCE}` have one, those of any other source have none")
        if self.source == "world":
            self._check_world()
        elif self.source == SOURCE:
            self._check_task()
        else:
            self._check_data()
        return self

    def _check_world(self) -> None:
        if not self.surface:
            raise ValueError("a world set needs `surface`, one of problems.surfaces")
        if self.data is not None:
            raise ValueError("a world set is made and not read: remove `data`, or name a data set in `source`")
        if self.steps[0] > self.steps[1]:
            raise ValueError(f"steps {self.steps}: the first is the least, the second the most")
        if self.steps[1] > len(LABELS):
            raise ValueError(f"steps {self.steps}: there are labels for {len(LABELS)} steps at the most")

    def _check_task(self) -> None:
        if self.domain == "code":
            raise ValueError(f"domain code: the tasks of `{SOURCE}` are answered by numbers (math) or words (logic)")
        if self.data is not None or self.surface:
            raise ValueError(f"problems of `{SOURCE}` are made: remove `data` and `surface`")

    def _check_data(self) -> None:
        dataset, data = DATASETS[self.source], self.data
        if data is None:
            raise ValueError(f"source `{self.source}` needs `data`, with its `split` at least")
        if self.domain != dataset.domain:
            raise ValueError(f"domain `{self.domain}`: the problems of `{self.source}` are {dataset.domain}")
        if (data.since or data.until) and not dataset.dated:
            raise ValueError(f"data.since, data.until: the problems of `{self.source}` have no dates")

    @property
    def records(self) -> range:
        """The places of the records that are read."""
        assert self.data is not None
        return range(self.data.skip, self.data.skip + self.count)


class Duplicates(Strict):
    """When two texts are near duplicates: by the share of n-grams of words that they have in common (Jaccard).

    ``permutations`` are those of the MinHash signatures by which candidates are found.
    """

    ngram: Count
    permutations: Annotated[int, Field(ge=16)]
    threshold: Annotated[float, Field(gt=0, le=1)]


class Problems(Strict):
    """The problems phase.

    ``malformed`` is the share of a set's records that may be put aside before the run stops.
    """

    modulus: Annotated[int, Field(ge=5, le=97)]
    surfaces: dict[str, Surface]
    malformed: Share
    duplicates: Duplicates
    sets: dict[str, ProblemSet]

    @model_validator(mode="after")
    def _sets_fit(self) -> "Problems":
        for name, problem_set in self.sets.items():
            if problem_set.source == "world":
                known(f"problems.sets.{name}.surface", [problem_set.surface], self.surfaces, "problems.surfaces")
        read = [(name, s, s.data) for name, s in self.sets.items() if s.data is not None]
        for i, (name, one, data) in enumerate(read):
            for other_name, other, other_data in read[:i]:
                same = (one.source, data.path, data.name, data.split, data.files, data.since, data.until)
                if same != (
                    *(other.source, other_data.path, other_data.name, other_data.split, other_data.files),
                    *(other_data.since, other_data.until),
                ):
                    continue
                both = range(max(one.records.start, other.records.start), min(one.records.stop, other.records.stop))
                if one.split != other.split and both:
                    raise ValueError(
                        f"problems.sets: `{other_name}` ({other.split}) and `{name}` ({one.split}) read the same "
                        f"records, {both.start} to {both.stop - 1} of split `{data.split}`; set `count` and "
                        "`data.skip` so that they do not overlap, or read another split"
                    )
        return self
