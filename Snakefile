"""The whole paper, from raw problems to figures and tables; each phase is a file and a target."""

from snakemake.utils import min_version, validate

min_version("9.0")


configfile: "params.yaml"


# Its own check of the parameters comes first: it names the field, the value and the way out.
include: "workflow/rules/common.smk"


validate(config, "workflow/schemas/params.schema.json")


include: "workflow/rules/problems.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/chains.smk"
include: "workflow/rules/annotate.smk"
include: "workflow/rules/filter.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/search.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/docs.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        rules.figures.input,
