"""Prototypes: the median of each class's spectra, divided by its maximum."""

import numpy as np

from spectralunmix.errors import LibraryError
from spectralunmix.files import read_inverse_variance, read_spectra, read_table, write_curves
from spectralunmix.prototypes import prototype
from spectralunmix.steps import step


def main(spectra, selection, output, log):
    wavelength, flux = read_spectra(spectra)
    inverse_variance = read_inverse_variance(spectra)
    counts = np.ones(flux.shape, bool) if inverse_variance is None else inverse_variance > 0
    labels = np.asarray(read_table(selection)["class"])
    classes = list(dict.fromkeys(labels.tolist()))
    curves = {name: prototype(flux[labels == name], counts[labels == name]) for name in classes}
    if empty := [name for name, curve in curves.items() if not np.isfinite(curve).all()]:
        raise LibraryError(f"the median spectrum of {', '.join(empty)} is zero or NaN")
    write_curves(output, wavelength, curves)
    for name in classes:
        if n_filled := (~counts[labels == name].any(axis=0)).sum():
            log.warning("%s: %d channels of no spectrum, filled by straight lines", name, n_filled)
    log.info("prototypes of %s", ", ".join(classes))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake.input.spectra, snakemake.input.selection, snakemake.output.prototypes, log)
