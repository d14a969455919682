# Pictures and numbers of what a referee asks for: other solutions, residuals, single spectra.


rule uniqueness:
    input:
        spectra=rules.select.output.spectra,
        components=rules.smooth_nmf.output.components,
        fit=rules.smooth_nmf.output.fit,
        assignments=rules.assign.output.assignments,
    output:
        numbers="results/{library}/uniqueness.json",
        table="results/{library}/uniqueness.ecsv",
        pdf="results/{library}/uniqueness.pdf",
        png="results/{library}/uniqueness.png",
        svg=report(
            "results/{library}/uniqueness.svg",
            caption="../report/uniqueness.rst",
            category="2 Pictures",
            labels={"picture": "uniqueness"},
        ),
        record="results/{library}/records/uniqueness.json",
    log:
        "results/{library}/logs/uniqueness.log",
    benchmark:
        "results/{library}/benchmarks/uniqueness.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: 1
    params:
        code=code(
            "uniqueness.py",
            "comparison",
            "estimator",
            "factorisation",
            "held_out",
            "threads",
            "inputs",
            "figures.style",
            "figures.uniqueness",
            "fit_report",
            "model_selection",
            "nmf",
            "uniqueness",
        ),
        library=of_library("name"),
        labels=labels,
        n_starts=config["uniqueness"]["n_starts"],
        n_components=config["smooth_nmf"]["n_components"],
        smoothness=config["smooth_nmf"]["smoothness"],
        max_iter=config["smooth_nmf"]["max_iter"],
        tol=config["smooth_nmf"]["tol"],
        random_state=config["smooth_nmf"]["random_state"],
    script:
        "../scripts/uniqueness.py"


rule diagnostics:
    input:
        source=rules.download.output.source,
        spectra=rules.select.output.spectra,
        selection=rules.select.output.selection,
        components=rules.smooth_nmf.output.components,
        weights=rules.smooth_nmf.output.weights,
        assignments=rules.assign.output.assignments,
    output:
        numbers="results/{library}/diagnostics.json",
        table="results/{library}/diagnostics.ecsv",
        residuals="results/{library}/residuals.ecsv",
        pdf="results/{library}/diagnostics.pdf",
        png="results/{library}/diagnostics.png",
        svg=report(
            "results/{library}/diagnostics.svg",
            caption="../report/diagnostics.rst",
            category="2 Pictures",
            labels={"picture": "diagnostics"},
        ),
        record="results/{library}/records/diagnostics.json",
    log:
        "results/{library}/logs/diagnostics.log",
    benchmark:
        "results/{library}/benchmarks/diagnostics.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: 1
    params:
        code=code(
            "diagnostics.py",
            "comparison",
            "diagnostics",
            "diagnostics_report",
            "factorisation",
            "threads",
            "inputs",
            "figures.diagnostics",
            "figures.style",
            "libraries.__init__",
            "libraries.archives",
            "libraries.readers",
            "nmf",
            "uncertainty",
        ),
        library=of_library("name"),
        labels=labels,
        fits={
            "smoothness": config["smooth_nmf"]["smoothness"],
            "max_iter": config["smooth_nmf"]["max_iter"],
            "most_left_out": config["diagnostics"]["most_left_out"],
        },
    script:
        "../scripts/diagnostics.py"
