# Entry point: the workflow lies in workflow/Snakefile.
include: "workflow/Snakefile"


rule all:
    default_target: True
    input:
        rules.figure.input,
