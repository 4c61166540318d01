"""models: a corpus of pre-training documents in the tokenizer's ids."""

from pathlib import Path

from prm_scaling.job import begin

begin(snakemake.log[0], snakemake.threads)

from prm_scaling.models.documents import Document, tokenize, write_document
from prm_scaling.models.tokenizer import load_tokenizer
from prm_scaling.problems.record import Problem
from prm_scaling.seeds import stream
from prm_scaling.storage import read_records, write_records

tokenizer = load_tokenizer(Path(snakemake.input.tokenizer[0]).parent)
problems = [p for path in snakemake.input.problems for p in read_records(path, Problem)]
if len(problems) > snakemake.params.most:
    chosen = stream(snakemake.params.seed, "documents").choice(len(problems), snakemake.params.most, replace=False)
    problems = [problems[i] for i in sorted(chosen)]
texts = [write_document(p, snakemake.params.seed, **snakemake.params.rates) for p in problems]
documents = tokenize(texts, tokenizer)
write_records(snakemake.output[0], documents, Document)
print(f"{len(documents)} documents of {sum(len(d.tokens) for d in documents)} tokens")
