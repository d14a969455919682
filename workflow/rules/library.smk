# From a library's address to the matrix of spectra and the class prototypes.


# On a cluster where you type the command: its nodes often reach no other network.
localrules:
    download,


rule download:
    input:
        local=local_copies,
    output:
        library="results/{library}/download/library",
        source="results/{library}/download/source.json",
        record="results/{library}/records/download.json",
    log:
        "results/{library}/logs/download.log",
    benchmark:
        "results/{library}/benchmarks/download.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=code(
            "download.py",
            "libraries.__init__",
            "libraries.archives",
            "libraries.downloads",
            "libraries.sources",
        ),
        sources=of_library("sources"),
        library_path=lambda w: steps.own_copy(config, w.library),
        kind=lambda w: steps.kind(config, w.library),
        also=lambda w: steps.index_file(ENTRIES[w.library]),
        kept="results/downloads",
    script:
        "../scripts/download.py"


rule select:
    input:
        library=rules.download.output.library,
        source=rules.download.output.source,
    output:
        spectra="results/{library}/spectra.fits",
        selection="results/{library}/selection.ecsv",
        record="results/{library}/records/select.json",
    log:
        "results/{library}/logs/select.log",
    benchmark:
        "results/{library}/benchmarks/select.tsv"
    wildcard_constraints:
        library=OF_LIBRARIES,
    conda:
        "../../envs/environment.yaml"
    params:
        code=code(
            "select_spectra.py",
            "libraries.__init__",
            "libraries.archives",
            "libraries.expressions",
            "libraries.grids",
            "libraries.parameters",
            "libraries.quality",
            "libraries.readers",
            "libraries.selected",
            "libraries.selection",
            "libraries.survey",
        ),
        name=of_library("name"),
        citation=of_library("citation"),
        notes=of_library("notes"),
        run_on=of_library("run_on"),
        medium=of_library("medium"),
        parameters=of_library("parameters"),
        classes=of_library("classes"),
        overlapping_classes=of_library("overlapping_classes"),
        selection=of_library("selection"),
        grid=of_library("grid"),
        quality=of_library("quality"),
        normalisation=of_library("normalisation"),
    script:
        "../scripts/select_spectra.py"  # select.py would hide the standard library's module


rule validate:
    input:
        library=rules.download.output.library,
        source=rules.download.output.source,
    output:
        text="results/{library}/library.txt",
        picture="results/{library}/library.png",
        record="results/{library}/records/validate.json",
    log:
        "results/{library}/logs/validate.log",
    benchmark:
        "results/{library}/benchmarks/validate.tsv"
    wildcard_constraints:
        library=OF_LIBRARIES,
    conda:
        "../../envs/environment.yaml"
    params:
        code=code(
            "validate.py",
            "figures.library",
            "figures.methods",
            "figures.style",
            "libraries.__init__",
            "libraries.archives",
            "libraries.expressions",
            "libraries.grids",
            "libraries.parameters",
            "libraries.quality",
            "libraries.readers",
            "libraries.selection",
            "libraries.survey",
        ),
        name=of_library("name"),
        run_on=of_library("run_on"),
        medium=of_library("medium"),
        parameters=of_library("parameters"),
        classes=of_library("classes"),
        overlapping_classes=of_library("overlapping_classes"),
        selection=of_library("selection"),
        grid=of_library("grid"),
        quality=of_library("quality"),
    script:
        "../scripts/validate.py"


rule prototypes:
    input:
        spectra=rules.select.output.spectra,
        selection=rules.select.output.selection,
    output:
        prototypes="results/{library}/prototypes.ecsv",
        record="results/{library}/records/prototypes.json",
    log:
        "results/{library}/logs/prototypes.log",
    benchmark:
        "results/{library}/benchmarks/prototypes.tsv"
    wildcard_constraints:
        library=OF_LIBRARIES,
    conda:
        "../../envs/environment.yaml"
    params:
        code=code("prototypes.py", "prototypes"),
    script:
        "../scripts/prototypes.py"
