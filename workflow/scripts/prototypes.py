"""Prototypes: the median of each class's spectra, divided by its maximum."""

import numpy as np

from libraries import LibraryError
from spectra_files import read_spectra, read_table, write_curves
from step import step


def prototype(flux):
    """Median over spectra, (n_wave,), of flux (n_spectra, n_wave), with maximum 1."""
    median = np.median(flux, axis=0)
    return median / median.max()


def main(spectra, selection, output, log):
    wavelength, flux = read_spectra(spectra)
    labels = np.asarray(read_table(selection)["class"])
    classes = list(dict.fromkeys(labels.tolist()))
    curves = {name: prototype(flux[labels == name]) for name in classes}
    if empty := [name for name, curve in curves.items() if not np.isfinite(curve).all()]:
        raise LibraryError(f"the median spectrum of {', '.join(empty)} is zero or NaN")
    write_curves(output, wavelength, curves)
    log.info("prototypes of %s", ", ".join(classes))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake.input.spectra, snakemake.input.selection, snakemake.output.prototypes, log)
