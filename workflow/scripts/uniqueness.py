"""Whether the solution is the only one that fits from many starts find, and the lowest."""

import logging

import matplotlib as mpl
import torch
from snakemake.script import Snakemake

from spectralunmix import files, uniqueness
from spectralunmix.figures.style import STYLE, assigned, save
from spectralunmix.figures.uniqueness import draw
from spectralunmix.fit_report import sum_of_squares
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    torch.set_num_threads(snakemake.threads)
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    wavelength, flux = files.read_spectra(inputs.spectra)
    weights = {"inverse_variance": files.read_inverse_variance(inputs.spectra)}
    _, _, components = files.read_curves(inputs.components)
    settings = {name: getattr(options, name) for name in uniqueness.SETTINGS}
    models = uniqueness.from_all_starts(flux, options.n_starts, **weights, **settings)
    squares, fit = sum_of_squares(flux, **weights), files.read_json(inputs.fit)
    names = uniqueness.start_names(options.n_starts, options.random_state)
    table = uniqueness.table_of_starts(models, names, squares)
    said = uniqueness.numbers(table, models, fit["objective"], components, squares)
    files.write_table(output.table, table)
    files.write_json(output.numbers, said)
    pairs = assigned(files.read_table(inputs.assignments), "nmf")
    with mpl.rc_context(STYLE):
        captions = pairs, options.labels, options.library
        fig = draw(wavelength, components, models, table, said, *captions)
        save(fig, output.pdf, output.png, output.svg)
    log.log(*uniqueness.line_of_log(said))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
