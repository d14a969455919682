# How certain the components and their distances are: fits of resamples of the spectra.


rule resample:
    input:
        source=rules.download.output.source,
        spectra=rules.select.output.spectra,
        selection=rules.select.output.selection,
        components=rules.smooth_nmf.output.components,
    output:
        components="results/{library}/bootstrap/from_{first}.fits",
        record="results/{library}/records/resample_from_{first}.json",
    log:
        "results/{library}/logs/resample_from_{first}.log",
    benchmark:
        "results/{library}/benchmarks/resample_from_{first}.tsv"
    wildcard_constraints:
        first=r"\d+",
    conda:
        "../../envs/environment.yaml"
    threads: 1
    params:
        code=code(
            "resample.py",
            "comparison",
            "factorisation",
            "threads",
            "inputs",
            "libraries.__init__",
            "libraries.archives",
            "libraries.readers",
            "nmf",
            "uncertainty",
        ),
        smoothness=setting("smooth_nmf", "smoothness"),
        max_iter=setting("smooth_nmf", "max_iter"),
        n_resamples=lambda w: steps.resamples_of_job(settings(w)["bootstrap"], int(w.first)),
        noise=setting("bootstrap", "noise"),
        random_state=setting("bootstrap", "random_state"),
    script:
        "../scripts/resample.py"


rule bootstrap:
    input:
        spectra=rules.select.output.spectra,
        selection=rules.select.output.selection,
        prototypes=rules.prototypes.output.prototypes,
        pca_components=rules.pca.output.components,
        nmf_components=rules.smooth_nmf.output.components,
        resamples=expand(
            rules.resample.output.components,
            first=steps.resampling_jobs(config["bootstrap"]),
            allow_missing=True,
        ),
    output:
        distances="results/{library}/bootstrap.ecsv",
        components="results/{library}/nmf_standard_errors.ecsv",
        totals="results/{library}/bootstrap.json",
        record="results/{library}/records/bootstrap.json",
    log:
        "results/{library}/logs/bootstrap.log",
    benchmark:
        "results/{library}/benchmarks/bootstrap.tsv"
    conda:
        "../../envs/environment.yaml"
    params:
        code=code(
            "bootstrap.py", "assignment", "assignment_errors", "comparison", "pca", "prototypes"
        ),
        metric=config["assign"]["metric"],
    script:
        "../scripts/bootstrap.py"
