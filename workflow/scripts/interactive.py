"""A page to look at spectra and components with: zoom, values, weights; everything in one file."""

import logging

from plotly.offline import get_plotlyjs
from snakemake.script import Snakemake

from spectralunmix import files
from spectralunmix.figures import interactive
from spectralunmix.figures.pages import write_page
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs, page = snakemake.input, snakemake.output.page
    library, labels = snakemake.params.library, snakemake.params.labels
    wavelength, flux = files.read_spectra(inputs.spectra)
    names, components = files.read_curves(inputs.nmf_components)[1:]
    weights = files.read_weights(inputs.nmf_weights, names)
    selection = files.read_table(inputs.selection)
    prototypes = files.read_curves(inputs.prototypes)[1:]
    eigenspectra = files.read_curves(inputs.pca_components)[1:]
    assignments = files.read_table(inputs.assignments)
    warnings = files.read_json(inputs.summary)["warnings"]
    rows, shown = interactive.evenly_taken(len(flux))
    if len(rows) < len(flux):
        log.warning(shown)
    curves = interactive.curves(prototypes, eigenspectra, (names, components), assignments, labels)
    taken = flux[rows], weights[rows], components, selection[rows]
    spectra = interactive.spectra(*taken, labels)
    data = interactive.page_data(wavelength, components, curves, spectra)
    values = {"library": library, "shown": shown, "warnings": warnings, "data": data}
    write_page(page, "interactive.html", **values, plotly=get_plotlyjs())
    log.info("written: %s", page)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
