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
            "held_out",
            "threads",
            "inputs",
            "libraries.__init__",
            "libraries.archives",
            "libraries.readers",
            "model_selection",
            "nmf",
        ),
        smoothness=lambda w: steps.smoothnesses_to_compare(settings(w)),
        init=setting("smooth_nmf", "init"),
        n_folds=setting("choose", "n_folds"),
        n_repeats=setting("choose", "n_repeats"),
        n_starts=setting("choose", "n_starts"),
        max_iter=setting("smooth_nmf", "max_iter"),
        random_state=setting("choose", "random_state"),
    script:
        "../scripts/cross_validate.py"


rule choose:
    input:
        tables=lambda w: expand(
            rules.cross_validate.output.table,
            library=w.library,
            n_components=steps.ranks_to_compare(settings(w), w.library, ENTRIES[w.library]),
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
            "held_out",
            "threads",
            "inputs",
            "figures.choice",
            "figures.style",
            "model_selection",
            "nmf",
        ),
        library=of_library("name"),
        n_folds=setting("choose", "n_folds"),
        n_repeats=setting("choose", "n_repeats"),
        n_starts=setting("choose", "n_starts"),
        n_components=setting("smooth_nmf", "n_components"),
        smoothness=setting("smooth_nmf", "smoothness"),
    script:
        "../scripts/choose.py"
