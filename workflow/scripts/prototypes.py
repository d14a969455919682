"""Prototypes: the median of each class's spectra, divided by its maximum."""

import logging

from snakemake.script import Snakemake

from spectralunmix import files, prototypes
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs = snakemake.input
    wavelength, flux = files.read_spectra(inputs.spectra)
    inverse_variance = files.read_inverse_variance(inputs.spectra)
    members = files.read_members(inputs.selection)
    curves, n_filled = prototypes.prototypes(flux, inverse_variance, members)
    files.write_curves(snakemake.output.prototypes, wavelength, curves)
    for name, n in n_filled.items():
        if n:
            log.warning("%s: %d channels of no spectrum, filled by straight lines", name, n)
    log.info("prototypes of %s", ", ".join(curves))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
