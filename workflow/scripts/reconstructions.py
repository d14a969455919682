"""One spectrum of each class, its reconstruction from the components, and what is left."""

import matplotlib as mpl
import numpy as np

from spectralunmix.figures.reconstructions import draw
from spectralunmix.figures.style import STYLE, save
from spectralunmix.files import (
    read_curves,
    read_inverse_variance,
    read_spectra,
    read_table,
    read_weights,
)
from spectralunmix.steps import step


def main(snakemake, log):
    inputs, options = snakemake.input, snakemake.params
    wavelength, flux = read_spectra(inputs.spectra)
    inverse_variance = read_inverse_variance(inputs.spectra)
    if inverse_variance is not None:
        flux = np.where(inverse_variance > 0, flux, np.nan)  # a gap in the picture
    _, names, components = read_curves(inputs.components)
    reconstruction = read_weights(inputs.weights, names) @ components
    selection = read_table(inputs.selection)
    with mpl.rc_context(STYLE):
        fig = draw(wavelength, flux, reconstruction, selection, options.labels, options.library)
        save(fig, snakemake.output.pdf, snakemake.output.png, snakemake.output.svg)
    log.info("drawn: %s", snakemake.output.pdf)


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
