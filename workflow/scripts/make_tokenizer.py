"""models: the ladder's tokenizer, made of a part of the pre-training documents."""

from pathlib import Path

from prm_scaling.job import begin

begin(snakemake.log[0], snakemake.threads)

from prm_scaling.models.documents import write_document
from prm_scaling.models.tokenizer import train_tokenizer
from prm_scaling.problems.record import Problem
from prm_scaling.storage import read_records

# Every word of the embedded world stands in the first few thousand documents of each domain.
problems = [p for path in snakemake.input.problems for p in read_records(path, Problem)[:4000]]
documents = [write_document(p, snakemake.params.seed, **snakemake.params.rates) for p in problems]
texts = ("".join(piece.text for piece in pieces) for _, pieces in documents)
tokenizer = train_tokenizer(texts, snakemake.params.vocabulary)
tokenizer.save_pretrained(Path(snakemake.output[0]).parent)
print(f"{len(tokenizer)} tokens")
