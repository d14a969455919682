# More pictures, and the pages of the report.


rule convergence:
    input:
        spectra=rules.select.output.spectra,
        fit=rules.smooth_nmf.output.fit,
    output:
        pdf="results/{library}/convergence.pdf",
        png="results/{library}/convergence.png",
        svg=report(
            "results/{library}/convergence.svg",
            caption="../report/convergence.rst",
            category="2 Pictures",
            labels={"picture": "convergence"},
        ),
        record="results/{library}/records/convergence.json",
    log:
        "results/{library}/logs/convergence.log",
    benchmark:
        "results/{library}/benchmarks/convergence.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: 1
    params:
        code=code(
            "convergence.py",
            "factorisation",
            "threads",
            "inputs",
            "figures.convergence",
            "figures.style",
            "nmf",
            "published",
        ),
        library=of_library("name"),
        n_components=config["smooth_nmf"]["n_components"],
        smoothness=config["smooth_nmf"]["smoothness"],
        init=config["smooth_nmf"]["init"],
        random_state=config["smooth_nmf"]["random_state"],
        n_iter=config["convergence"]["n_iter"],
    script:
        "../scripts/convergence.py"


rule reconstructions:
    input:
        spectra=rules.select.output.spectra,
        selection=rules.select.output.selection,
        components=rules.smooth_nmf.output.components,
        weights=rules.smooth_nmf.output.weights,
    output:
        pdf="results/{library}/reconstructions.pdf",
        png="results/{library}/reconstructions.png",
        svg=report(
            "results/{library}/reconstructions.svg",
            caption="../report/reconstructions.rst",
            category="2 Pictures",
            labels={"picture": "reconstructions"},
        ),
        record="results/{library}/records/reconstructions.json",
    log:
        "results/{library}/logs/reconstructions.log",
    benchmark:
        "results/{library}/benchmarks/reconstructions.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=code(
            "reconstructions.py",
            "comparison",
            "figures.reconstructions",
            "figures.style",
        ),
        library=of_library("name"),
        labels=labels,
    script:
        "../scripts/reconstructions.py"


rule smoothness:
    input:
        spectra=rules.select.output.spectra,
        components=rules.smooth_nmf.output.components,
        assignments=rules.assign.output.assignments,
    output:
        table="results/{library}/smoothness.ecsv",
        pdf="results/{library}/smoothness.pdf",
        png="results/{library}/smoothness.png",
        svg=report(
            "results/{library}/smoothness.svg",
            caption="../report/smoothness.rst",
            category="2 Pictures",
            labels={"picture": "smoothness"},
        ),
        record="results/{library}/records/smoothness.json",
    log:
        "results/{library}/logs/smoothness.log",
    benchmark:
        "results/{library}/benchmarks/smoothness.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: 1
    params:
        code=code(
            "smoothness.py",
            "comparison",
            "estimator",
            "factorisation",
            "threads",
            "inputs",
            "figures.smoothness",
            "figures.style",
            "fit_report",
            "nmf",
        ),
        library=of_library("name"),
        labels=labels,
        values=config["smoothness"]["values"],
        n_components=config["smooth_nmf"]["n_components"],
        init=config["smooth_nmf"]["init"],
        max_iter=config["smooth_nmf"]["max_iter"],
        tol=config["smooth_nmf"]["tol"],
        random_state=config["smooth_nmf"]["random_state"],
    script:
        "../scripts/smoothness.py"


rule weights:
    input:
        selection=rules.select.output.selection,
        components=rules.smooth_nmf.output.components,
        weights=rules.smooth_nmf.output.weights,
        assignments=rules.assign.output.assignments,
    output:
        pdf="results/{library}/weights.pdf",
        png="results/{library}/weights.png",
        svg=report(
            "results/{library}/weights.svg",
            caption="../report/weights.rst",
            category="2 Pictures",
            labels={"picture": "weights"},
        ),
        record="results/{library}/records/weights.json",
    log:
        "results/{library}/logs/weights.log",
    benchmark:
        "results/{library}/benchmarks/weights.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=code("weights.py", "figures.style", "figures.weights", "comparison"),
        library=of_library("name"),
        labels=labels,
    script:
        "../scripts/weights.py"


rule methods:
    input:
        spectra=rules.select.output.spectra,
        selection=rules.select.output.selection,
        components=rules.smooth_nmf.output.components,
        distances=rules.assign.output.distances,
        assignments=rules.assign.output.assignments,
        summary=rules.assign.output.summary,
        manifest=rules.manifest.output.manifest,
        uniqueness=rules.uniqueness.output.numbers,
        diagnostics=rules.diagnostics.output.numbers,
    output:
        page=report(
            "results/{library}/methods.html",
            caption="../report/methods.rst",
            category="3 Methods, tables, provenance",
            labels={"page": "methods, tables, provenance"},
        ),
        record="results/{library}/records/methods.json",
    log:
        "results/{library}/logs/methods.log",
    benchmark:
        "results/{library}/benchmarks/methods.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=code(
            "methods.py",
            "figures.methods",
            "figures.pages",
            "figures/templates/base.html",
            "figures/templates/methods.html",
        ),
        library=of_library("name"),
        citation=of_library("citation"),
        labels=labels,
        choice=lambda w: steps.chosen_before(
            f"results/{w.library}/choose.json",
            config["smooth_nmf"]["n_components"],
            config["smooth_nmf"]["smoothness"],
        ),
    script:
        "../scripts/methods.py"


rule interactive:
    input:
        spectra=rules.select.output.spectra,
        selection=rules.select.output.selection,
        prototypes=rules.prototypes.output.prototypes,
        pca_components=rules.pca.output.components,
        nmf_components=rules.smooth_nmf.output.components,
        nmf_weights=rules.smooth_nmf.output.weights,
        assignments=rules.assign.output.assignments,
        summary=rules.assign.output.summary,
    output:
        # beside the report: browsers refuse a page of this size within a page
        page="results/{library}/interactive.html",
        record="results/{library}/records/interactive.json",
    log:
        "results/{library}/logs/interactive.log",
    benchmark:
        "results/{library}/benchmarks/interactive.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=code(
            "interactive.py",
            "comparison",
            "figures.interactive",
            "figures.pages",
            "figures.style",
            "figures/templates/base.html",
            "figures/templates/interactive.html",
        ),
        library=of_library("name"),
        labels=labels,
    script:
        "../scripts/interactive.py"
