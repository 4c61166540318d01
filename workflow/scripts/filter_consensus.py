"""filter: the training sets, by each set's annotator, those of a domain cut to the same number of chains."""

from pathlib import Path

from prm_scaling.annotate.consensus import consensus
from prm_scaling.annotate.record import Annotation
from prm_scaling.annotate.select import Selected, select
from prm_scaling.job import begin
from prm_scaling.storage import read_records, write_records

begin(snakemake.log[0], snakemake.threads)

paths = {(Path(path).parent.name, Path(path).stem): path for path in snakemake.input.annotations}


def annotations(chain_set: str, annotator: str) -> list[Annotation]:
    """How an annotator labelled a chain set."""
    return read_records(paths[chain_set, annotator], Annotation)


sets = {}
for name, spec in snakemake.params.train["sets"].items():
    sets[name] = []
    for chain_set in spec["chains"]:
        if spec["annotator"] == "consensus":
            sets[name] += consensus([annotations(chain_set, a) for a in snakemake.params.agreeing])
        else:
            sets[name] += annotations(chain_set, spec["annotator"])
chosen = {}
for domain in sorted(set(snakemake.params.domains.values())):
    comparable = {name: rows for name, rows in sets.items() if snakemake.params.domains[name] == domain}
    chosen |= select(comparable, snakemake.params.train["chains"], snakemake.params.seed)
for path in snakemake.output:
    name = Path(path).stem
    write_records(path, chosen[name], Selected)
    print(f"{name}: {len(chosen[name])} of {len(sets[name])} labelled chains")
