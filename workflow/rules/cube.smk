# From a cube to its component spectra and maps; smooth_nmf and resample are those of libraries.


rule cube:
    input:
        library=rules.download.output.library,
        source=rules.download.output.source,
    output:
        spectra="results/{library}/spectra.fits",
        selection="results/{library}/selection.ecsv",
        spaxels="results/{library}/spaxels.fits",
        record="results/{library}/records/cube.json",
    log:
        "results/{library}/logs/cube.log",
    benchmark:
        "results/{library}/benchmarks/cube.tsv"
    wildcard_constraints:
        library=OF_CUBES,
    conda:
        "../../envs/environment.yaml"
    params:
        code=code(
            "cube.py",
            "cubes.__init__",
            "cubes.contents",
            "cubes.cube",
            "cubes.cube_files",
            "cubes.fits_file",
            "cubes.handed_in",
            "cubes.images",
            "cubes.layouts",
            "cubes.observed",
            "cubes.reader",
            "cubes.spectral_axis",
            "cubes.values",
            "libraries.__init__",
            "libraries.archives",
            "libraries.downloads",
            "libraries.readers",
            "libraries.sources",
        ),
        medium=of_library("medium"),
        window=of_library("window"),
        leave_out=of_library("leave_out"),
        bin_spaxels=of_library("bin_spaxels"),
        bin_channels=of_library("bin_channels"),
    script:
        "../scripts/cube.py"


rule maps:
    input:
        spectra=rules.cube.output.spectra,
        spaxels=rules.cube.output.spaxels,
        components=rules.smooth_nmf.output.components,
        weights=rules.smooth_nmf.output.weights,
        fit=rules.smooth_nmf.output.fit,
        resamples=lambda w: expand(
            rules.resample.output.components,
            library=w.library,
            first=steps.resampling_jobs(settings(w)["bootstrap"]),
        ),
    output:
        maps="results/{library}/maps.fits",
        lines="results/{library}/lines.ecsv",
        summary="results/{library}/cube.json",
        record="results/{library}/records/maps.json",
    log:
        "results/{library}/logs/maps.log",
    benchmark:
        "results/{library}/benchmarks/maps.tsv"
    wildcard_constraints:
        library=OF_CUBES,
    conda:
        "../../envs/environment.yaml"
    params:
        code=code(
            "maps.py",
            "cubes.__init__",
            "cubes.cube",
            "cubes.cube_files",
            "cubes.lines",
            "cubes.maps",
            "cubes.maps_of_files",
            "cubes.maps_file",
            "cubes.spectral_axis",
            "cubes.summary",
            "libraries.__init__",
            "libraries.archives",
            "libraries.grids",
            "libraries.readers",
        ),
        name=of_library("name"),
        run_on=of_library("run_on"),
        redshift=of_library("redshift"),
        strict=setting("smooth_nmf", "strict"),
        shown=of_library("maps"),
    script:
        "../scripts/maps.py"


rule plot_cube:
    input:
        maps=rules.maps.output.maps,
        lines=rules.maps.output.lines,
        summary=rules.maps.output.summary,
    output:
        pdf="results/{library}/cube.pdf",
        png="results/{library}/cube.png",
        svg=report(
            "results/{library}/cube.svg",
            caption="../report/cube.rst",
            category="1 Figure",
            labels={"picture": "components and maps"},
        ),
        record="results/{library}/records/plot_cube.json",
    log:
        "results/{library}/logs/plot_cube.log",
    benchmark:
        "results/{library}/benchmarks/plot_cube.tsv"
    wildcard_constraints:
        library=OF_CUBES,
    conda:
        "../../envs/environment.yaml"
    params:
        code=code(
            "plot_cube.py",
            "cubes.__init__",
            "cubes.cube",
            "cubes.maps_file",
            "cubes.spectral_axis",
            "figures.cube",
            "figures.style",
            "libraries.__init__",
            "libraries.readers.spectrum",
        ),
        width=config["plot"]["width"],
    script:
        "../scripts/plot_cube.py"


rule cube_page:
    input:
        spectra=rules.cube.output.spectra,
        spaxels=rules.cube.output.spaxels,
        components=rules.smooth_nmf.output.components,
        weights=rules.smooth_nmf.output.weights,
        fit=rules.smooth_nmf.output.fit,
        lines=rules.maps.output.lines,
        summary=rules.maps.output.summary,
    output:
        page="results/{library}/cube.html",
        record="results/{library}/records/cube_page.json",
    log:
        "results/{library}/logs/cube_page.log",
    benchmark:
        "results/{library}/benchmarks/cube_page.tsv"
    wildcard_constraints:
        library=OF_CUBES,
    conda:
        "../../envs/environment.yaml"
    params:
        code=code(
            "cube_page.py",
            "comparison",
            "cubes.__init__",
            "cubes.cube",
            "cubes.cube_files",
            "cubes.maps",
            "cubes.maps_of_files",
            "cubes.maps_file",
            "cubes.spectral_axis",
            "figures.cube_page",
            "figures.interactive",
            "figures.pages",
            "figures.style",
            "figures/templates/base.html",
            "figures/templates/cube.html",
            "libraries.__init__",
            "libraries.readers.spectrum",
        ),
        name=of_library("name"),
        redshift=of_library("redshift"),
        citation=of_library("citation"),
        shown=of_library("maps"),
    script:
        "../scripts/cube_page.py"


rule cube_manifest:
    input:
        download=rules.download.output.record,
        cube=rules.cube.output.record,
        smooth_nmf=rules.smooth_nmf.output.record,
        resample=lambda w: expand(
            rules.resample.output.record,
            library=w.library,
            first=steps.resampling_jobs(settings(w)["bootstrap"]),
        ),
        maps=rules.maps.output.record,
        plot_cube=rules.plot_cube.output.record,
        cube_page=rules.cube_page.output.record,
    output:
        manifest="results/{library}/manifest.json",
        record="results/{library}/records/manifest.json",
    log:
        "results/{library}/logs/manifest.log",
    benchmark:
        "results/{library}/benchmarks/manifest.tsv"
    wildcard_constraints:
        library=OF_CUBES,
    conda:
        "../../envs/environment.yaml"
    params:
        code=code("manifest.py"),
        library=of_library("name"),
        citations=lambda w: [ENTRIES[w.library]["citation"]],
        doi=of_library("doi"),
    script:
        "../scripts/manifest.py"
