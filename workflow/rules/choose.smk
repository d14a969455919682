# How many components, and how smooth: errors of spectra that a fit has not seen.


rule cross_validate:
    input:
        source=rules.download.output.source,
        spectra=rules.select.output.spectra,
        selection=rules.select.output.selection,
    output:
        table="results/{library}/choose/rank_{n_components}.fits",
        record="results/{library}/records/cross_validate_rank_{n_components}.json",
    log:
        "results/{library}/logs/cross_validate_rank_{n_components}.log",
    benchmark:
        "results/{library}/benchmarks/cross_validate_rank_{n_components}.tsv"
    wildcard_constraints:
        n_components=r"\d+",
    conda:
        "../../envs/environment.yaml"
    threads: 1
    params:
        code=code(
            "cross_validate.py",
            "choice",
            "comparison",
            "factorisation",
            "inputs",
            "libraries.__init__",
            "libraries.archives",
            "libraries.readers",
            "model_selection",
            "nmf",
        ),
        smoothness=steps.smoothnesses_to_compare(config),
        init=config["smooth_nmf"]["init"],
        n_folds=config["choose"]["n_folds"],
        n_repeats=config["choose"]["n_repeats"],
        n_starts=config["choose"]["n_starts"],
        max_iter=config["smooth_nmf"]["max_iter"],
        random_state=config["choose"]["random_state"],
    script:
        "../scripts/cross_validate.py"


rule choose:
    input:
        tables=lambda w: expand(
            rules.cross_validate.output.table,
            library=w.library,
            n_components=steps.ranks_to_compare(config, w.library, LIBRARIES[w.library]),
        ),
    output:
        table="results/{library}/choose.ecsv",
        summary="results/{library}/choose.json",
        pdf="results/{library}/choose.pdf",
        png="results/{library}/choose.png",
        svg=report(
            "results/{library}/choose.svg",
            caption="../report/choose.rst",
            category="2 Pictures",
            labels={"picture": "how many components"},
        ),
        record="results/{library}/records/choose.json",
    log:
        "results/{library}/logs/choose.log",
    benchmark:
        "results/{library}/benchmarks/choose.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=code(
            "choose.py",
            "choice",
            "comparison",
            "factorisation",
            "inputs",
            "figures.choice",
            "figures.style",
            "model_selection",
            "nmf",
        ),
        library=of_library("name"),
        n_folds=config["choose"]["n_folds"],
        n_repeats=config["choose"]["n_repeats"],
        n_starts=config["choose"]["n_starts"],
        n_components=config["smooth_nmf"]["n_components"],
        smoothness=config["smooth_nmf"]["smoothness"],
    script:
        "../scripts/choose.py"
