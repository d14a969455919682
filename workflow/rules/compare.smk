# Components against prototypes, and the figure.


rule assign:
    input:
        source=rules.download.output.source,
        spectra=rules.select.output.spectra,
        selection=rules.select.output.selection,
        prototypes=rules.prototypes.output.prototypes,
        pca_components=rules.pca.output.components,
        pca_fit=rules.pca.output.fit,
        nmf_components=rules.smooth_nmf.output.components,
        nmf_weights=rules.smooth_nmf.output.weights,
        nmf_fit=rules.smooth_nmf.output.fit,
        errors=rules.bootstrap.output.distances,
        totals=rules.bootstrap.output.totals,
    output:
        distances="results/{library}/distances.ecsv",
        assignments="results/{library}/assignments.ecsv",
        summary="results/{library}/summary.json",
        record="results/{library}/records/assign.json",
    log:
        "results/{library}/logs/assign.log",
    benchmark:
        "results/{library}/benchmarks/assign.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=code("assign.py", "assignment", "comparison"),
        library=of_library("name"),
        labels=labels,
        metric=config["assign"]["metric"],
        strict=config["smooth_nmf"]["strict"],
    script:
        "../scripts/assign.py"


rule plot:
    input:
        spectra=rules.select.output.spectra,
        prototypes=rules.prototypes.output.prototypes,
        selection=rules.select.output.selection,
        pca_components=rules.pca.output.components,
        nmf_components=rules.smooth_nmf.output.components,
        nmf_errors=rules.bootstrap.output.components,
        distances=rules.assign.output.distances,
        assignments=rules.assign.output.assignments,
        summary=rules.assign.output.summary,
    output:
        pdf="results/{library}/figure.pdf",
        png="results/{library}/figure.png",
        svg=report(
            "results/{library}/figure.svg",
            caption="../report/figure.rst",
            category="1 Figure",
            labels={"picture": "figure"},
        ),
        record="results/{library}/records/plot.json",
    log:
        "results/{library}/logs/plot.log",
    benchmark:
        "results/{library}/benchmarks/plot.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=code("plot.py", "prototypes", "figures.style", "figures.four_panels"),
        labels=labels,
        width=config["plot"]["width"],
    script:
        "../scripts/plot.py"


rule manifest:
    input:
        download=rules.download.output.record,
        select=rules.select.output.record,
        prototypes=rules.prototypes.output.record,
        pca=rules.pca.output.record,
        smooth_nmf=rules.smooth_nmf.output.record,
        resample=expand(
            rules.resample.output.record,
            first=steps.resampling_jobs(config["bootstrap"]),
            allow_missing=True,
        ),
        bootstrap=rules.bootstrap.output.record,
        assign=rules.assign.output.record,
        plot=rules.plot.output.record,
    output:
        manifest="results/{library}/manifest.json",
        record="results/{library}/records/manifest.json",
    log:
        "results/{library}/logs/manifest.log",
    benchmark:
        "results/{library}/benchmarks/manifest.tsv"
    wildcard_constraints:
        library=OF_LIBRARIES,
    conda:
        "../../envs/environment.yaml"
    params:
        code=code("manifest.py"),
        library=of_library("name"),
        citations=lambda wildcards: [LIBRARIES[wildcards.library]["citation"]],
        doi=of_library("doi"),
    script:
        "../scripts/manifest.py"


rule compare:
    input:
        spectra=compared("spectra.fits"),
        components=compared("nmf_components.ecsv"),
        assignments=compared("assignments.ecsv"),
        summary=compared("summary.json"),
    output:
        pdf="results/comparison/figure.pdf",
        png="results/comparison/figure.png",
        svg="results/comparison/figure.svg",
        distances="results/comparison/distances.ecsv",
        transfer="results/comparison/transfer.ecsv",
        record="results/comparison/records/compare.json",
    log:
        "results/comparison/logs/compare.log",
    benchmark:
        "results/comparison/benchmarks/compare.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=code(
            "compare.py",
            "across_libraries",
            "comparison",
            "factorisation",
            "threads",
            "inputs",
            "figures.compare",
            "figures.style",
            "libraries.__init__",
            "libraries.archives",
            "libraries.grids",
            "libraries.readers",
            "nmf",
        ),
        libraries=config["compare"],
        labels=steps.class_labels([LIBRARIES[name] for name in config["compare"]]),
        metric=config["assign"]["metric"],
    script:
        "../scripts/compare.py"


rule compare_manifest:
    input:
        compare=rules.compare.output.record,
    output:
        manifest="results/comparison/manifest.json",
        record="results/comparison/records/manifest.json",
    log:
        "results/comparison/logs/manifest.log",
    benchmark:
        "results/comparison/benchmarks/manifest.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=code("manifest.py"),
        library="comparison",
        citations=[LIBRARIES[name]["citation"] for name in config["compare"]],
        doi=None,
    script:
        "../scripts/manifest.py"
