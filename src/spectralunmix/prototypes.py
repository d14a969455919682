"""Prototypes: the median of each class's spectra, divided by its maximum."""

import numpy as np

from libraries import LibraryError
from spectra_files import read_inverse_variance, read_spectra, read_table, write_curves
from step import step


def prototype(flux, counts=None):
    """Median over spectra, (n_wave,), of flux (n_spectra, n_wave), with maximum 1.

    counts : (n_spectra, n_wave), whether a value does; default all.  A channel where none does is
        filled by a straight line between its neighbours.
    """
    if counts is None or counts.all():
        median = np.median(flux, axis=0)
    else:
        channel, some = np.arange(flux.shape[1]), counts.any(axis=0)
        known = np.where(counts, flux, np.nan)[:, some]
        median = np.interp(channel, channel[some], np.nanmedian(known, axis=0))
    return median / median.max()


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
