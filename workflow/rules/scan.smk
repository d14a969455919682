# Fits over numbers of components, smoothness and starts: many jobs, for a cluster too.


rule scan_fits:
    input:
        spectra=rules.select.output.spectra,
        prototypes=rules.prototypes.output.prototypes,
    output:
        table="results/{library}/scan/rank_{n_components}_from_{first}.ecsv",
        components="results/{library}/scan/rank_{n_components}_from_{first}.fits",
        record="results/{library}/records/scan_rank_{n_components}_from_{first}.json",
    log:
        "results/{library}/logs/scan_rank_{n_components}_from_{first}.log",
    benchmark:
        "results/{library}/benchmarks/scan_rank_{n_components}_from_{first}.tsv"
    wildcard_constraints:
        n_components=r"\d+",
        first=r"\d+",
    conda:
        "../../envs/environment.yaml"
    threads: 1
    params:
        code=code(
            "scan_fits.py",
            "comparison",
            "estimator",
            "factorisation",
            "threads",
            "inputs",
            "fit_report",
            "nmf",
            "scan",
        ),
        smoothness=config["scan"]["smoothness"],
        n_starts=lambda w: steps.starts_of_job(config["scan"], int(w.first)),
        max_iter=config["smooth_nmf"]["max_iter"],
        tol=config["smooth_nmf"]["tol"],
        random_state=config["smooth_nmf"]["random_state"],
        metric=config["assign"]["metric"],
    script:
        "../scripts/scan_fits.py"


rule scan:
    input:
        tables=scanned(rules.scan_fits.output.table),
        components=scanned(rules.scan_fits.output.components),
    output:
        table="results/{library}/scan.ecsv",
        pdf="results/{library}/scan.pdf",
        png="results/{library}/scan.png",
        svg="results/{library}/scan.svg",
        record="results/{library}/records/scan.json",
    log:
        "results/{library}/logs/scan.log",
    benchmark:
        "results/{library}/benchmarks/scan.tsv"
    wildcard_constraints:
        library=OF_LIBRARIES,
    conda:
        "../../envs/environment.yaml"
    params:
        code=code("scan.py", "comparison", "figures.scan", "figures.style", "scan"),
        library=of_library("name"),
        metric=config["assign"]["metric"],
    script:
        "../scripts/scan.py"
