"""What the fit leaves of the spectra, and what it owes to single ones."""

import logging

import matplotlib as mpl
import torch
from snakemake.script import Snakemake

from spectralunmix import diagnostics, diagnostics_report, files
from spectralunmix.figures.diagnostics import draw
from spectralunmix.figures.style import STYLE, assigned, save
from spectralunmix.libraries.readers import has_uncertainties
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    torch.set_num_threads(snakemake.threads)
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    source, v = files.read_json(inputs.source), files.read_inverse_variance(inputs.spectra)
    wavelength, flux = files.read_spectra(inputs.spectra)
    _, names, components = files.read_curves(inputs.components)
    factors = flux, files.read_weights(inputs.weights, names), components
    left = diagnostics.residuals(*factors, v, has_uncertainties(source["source"]))
    moved = diagnostics.influence(*factors, left.cook, inverse_variance=v, **options.fits)
    table = diagnostics_report.by_spectrum(files.read_table(inputs.selection), left, moved.changes)
    by_class = diagnostics.over_wavelength(*factors, list(table["class"]), v)
    said = diagnostics_report.numbers(table, by_class, wavelength, options.labels)
    files.write_table(output.table, table)
    files.write_table(output.residuals, diagnostics_report.by_channel(wavelength, by_class))
    files.write_json(output.numbers, said)
    pairs = assigned(files.read_table(inputs.assignments), "nmf"), options.labels, options.library
    with mpl.rc_context(STYLE):
        drawn = draw(wavelength, by_class, table, said, moved, components, *pairs)
        save(drawn, output.pdf, output.png, output.svg)
    log.info("%s", diagnostics_report.line_of_log(said))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
