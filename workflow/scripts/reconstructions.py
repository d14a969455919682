"""One spectrum of each class, its reconstruction from the components, and what is left."""

import logging

import matplotlib as mpl
import numpy as np
from snakemake.script import Snakemake

from spectralunmix import files
from spectralunmix.figures.reconstructions import draw
from spectralunmix.figures.style import STYLE, save
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    wavelength, flux = files.read_spectra(inputs.spectra)
    inverse_variance = files.read_inverse_variance(inputs.spectra)
    if inverse_variance is not None:
        flux = np.where(inverse_variance > 0, flux, np.nan)  # a gap in the picture
    _, names, components = files.read_curves(inputs.components)
    reconstruction = files.read_weights(inputs.weights, names) @ components
    selection = files.read_table(inputs.selection)
    with mpl.rc_context(STYLE):
        fig = draw(wavelength, flux, reconstruction, selection, options.labels, options.library)
        save(fig, output.pdf, output.png, output.svg)
    log.info("drawn: %s", output.pdf)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
