"""filter: the training sets, by each set's annotator, those of a domain cut to the same number of chains."""

from pathlib import Path

from prm_scaling.annotate.consensus import consensus
from prm_scaling.annotate.labels import Labelling
from prm_scaling.annotate.record import Annotation
from prm_scaling.annotate.select import Selected, counted, select
from prm_scaling.job import begin
from prm_scaling.storage import read_records, write_records

begin(snakemake.log[0], snakemake.threads)

paths = {(Path(path).parent.name, Path(path).stem): path for path in snakemake.input.annotations}


def annotations(chain_set: str, agreeing: list[str]) -> list[Annotation]:
    """How the first of these annotators labelled the chains of a set on which all of them agree."""
    read = [read_records(paths[chain_set, a], Annotation) for a in agreeing]
    if len(read) == 1:
        return read[0]
    kept = {a.chain for a in consensus(read)}
    return [a for a in read[0] if a.chain in kept]


sets, labellings = {}, {}
for name, spec in snakemake.params.train["sets"].items():
    sets[name] = [a for c in spec["chains"] for a in annotations(c, snakemake.params.agreeing[name])]
    labellings[name] = Labelling(spec["labels"], spec["threshold"], spec["loss"], spec["head"] == "outcome")
chosen = {}
for domain in sorted(set(snakemake.params.domains.values())):
    comparable = {name: rows for name, rows in sets.items() if snakemake.params.domains[name] == domain}
    chosen |= select(comparable, snakemake.params.train["chains"], snakemake.params.seed, labellings)
for path in snakemake.output:
    name = Path(path).stem
    write_records(path, chosen[name], Selected)
    print(f"{name}: {len(chosen[name])} of {len(sets[name])} labelled chains; {counted(chosen[name])}")
