# The two factorisations of the spectra.


rule pca:
    input:
        spectra=rules.select.output.spectra,
        selection=rules.select.output.selection,
    output:
        components="results/{library}/pca_components.ecsv",
        weights="results/{library}/pca_weights.ecsv",
        fit="results/{library}/pca_fit.json",
        record="results/{library}/records/pca.json",
    log:
        "results/{library}/logs/pca.log",
    benchmark:
        "results/{library}/benchmarks/pca.tsv"
    wildcard_constraints:
        library=OF_LIBRARIES,
    conda:
        "../../envs/environment.yaml"
    params:
        code=code("pca.py", "pca"),
        n_components=config["pca"]["n_components"],
    script:
        "../scripts/pca.py"


rule smooth_nmf:
    input:
        spectra=rules.select.output.spectra,
        selection=rules.select.output.selection,
    output:
        components="results/{library}/nmf_components.ecsv",
        weights="results/{library}/nmf_weights.ecsv",
        fit="results/{library}/nmf_fit.json",
        record="results/{library}/records/smooth_nmf.json",
    log:
        "results/{library}/logs/smooth_nmf.log",
    benchmark:
        "results/{library}/benchmarks/smooth_nmf.tsv"
    conda:
        "../../envs/environment.yaml"
    threads: 1
    params:
        code=code(
            "smooth_nmf.py",
            "estimator",
            "factorisation",
            "threads",
            "inputs",
            "fit_report",
            "nmf",
        ),
        n_components=setting("smooth_nmf", "n_components"),
        smoothness=setting("smooth_nmf", "smoothness"),
        init=setting("smooth_nmf", "init"),
        max_iter=setting("smooth_nmf", "max_iter"),
        tol=setting("smooth_nmf", "tol"),
        random_state=setting("smooth_nmf", "random_state"),
    script:
        "../scripts/smooth_nmf.py"
