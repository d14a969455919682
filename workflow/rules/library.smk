# From a library's address to the matrix of spectra and the class prototypes.


rule download:
    input:
        local=local_copies(config["library_path"], LIBRARY["sources"]),
        package=package("libraries"),
    output:
        library="results/{library}/download/library",
        source="results/{library}/download/source.json",
    log:
        "results/{library}/logs/download.log",
    benchmark:
        "results/{library}/benchmarks/download.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        sources=LIBRARY["sources"],
        library_path=config["library_path"],
        kept="results/downloads",
    script:
        "../scripts/download.py"


rule select:
    input:
        library=rules.download.output.library,
        source=rules.download.output.source,
        package=package("libraries"),
    output:
        spectra="results/{library}/spectra.fits",
        selection="results/{library}/selection.ecsv",
    log:
        "results/{library}/logs/select.log",
    benchmark:
        "results/{library}/benchmarks/select.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        name=LIBRARY["name"],
        citation=LIBRARY["citation"],
        notes=LIBRARY["notes"],
        parameters=LIBRARY["parameters"],
        classes=LIBRARY["classes"],
        selection=LIBRARY["selection"],
        grid=LIBRARY["grid"],
        per_class=config["select"]["per_class"],
    script:
        "../scripts/select_spectra.py"  # select.py would hide the standard library's module


rule prototypes:
    input:
        spectra=rules.select.output.spectra,
        selection=rules.select.output.selection,
    output:
        "results/{library}/prototypes.ecsv",
    log:
        "results/{library}/logs/prototypes.log",
    benchmark:
        "results/{library}/benchmarks/prototypes.tsv"
    conda:
        "../../envs/environment.yaml"
    script:
        "../scripts/prototypes.py"
