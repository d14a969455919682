"""The page of methods, tables and provenance, with the run's own settings and numbers."""

import logging

from snakemake.script import Snakemake

from spectralunmix import files
from spectralunmix.figures import methods
from spectralunmix.figures.pages import write_page
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs, options, page = snakemake.input, snakemake.params, snakemake.output.page
    distances = files.read_table(inputs.distances)
    assignments = files.read_table(inputs.assignments)
    summary = files.read_json(inputs.summary)
    write_page(
        page,
        "methods.html",
        key=snakemake.wildcards.library,
        library=options.library,
        citation=options.citation,
        summary=summary,
        same_assignment=methods.of_resamples(summary),
        choice=options.choice,
        uniqueness=files.read_json(inputs.uniqueness),
        diagnostics=files.read_json(inputs.diagnostics),
        medium=methods.MEDIUM[files.read_medium(inputs.spectra)],
        wavelength=files.read_curves(inputs.components)[0][[0, -1]],
        distances=methods.distance_tables(distances, assignments, options.labels),
        **methods.of_run(files.read_json(inputs.manifest)),
        **methods.of_selection(files.read_table(inputs.selection), options.labels),
    )
    log.info("written: %s", page)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
