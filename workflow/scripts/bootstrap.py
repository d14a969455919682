"""Standard errors of components, distances and totals, and how often an assignment is the same."""

import logging

from snakemake.script import Snakemake

from spectralunmix import assignment_errors, files
from spectralunmix.steps import step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    inputs, options, output = snakemake.input, snakemake.params, snakemake.output
    wavelength, flux = files.read_spectra(inputs.spectra)
    inverse_variance = files.read_inverse_variance(inputs.spectra)
    members = files.read_members(inputs.selection)
    _, classes, prototypes = files.read_curves(inputs.prototypes)
    _, _, components = files.read_curves(inputs.nmf_components)
    _, _, eigenspectra = files.read_curves(inputs.pca_components)
    made = files.read_resamples(inputs.resamples, components, len(flux))
    spectra = assignment_errors.Source(flux, inverse_variance, members, len(eigenspectra))
    of_draws = made.counts, made.components, eigenspectra
    found = assignment_errors.resampled(spectra, classes, *of_draws, options.metric)
    noise = assignment_errors.distances_of_noise(made.noise, prototypes, options.metric)
    table = assignment_errors.table(found, noise, classes, options.metric)
    files.write_table(output.distances, table)
    errors = assignment_errors.of_components(made, wavelength)
    files.write_table(output.components, errors)
    totals = assignment_errors.totals(found, made.n_not_converged)
    files.write_json(output.totals, totals)
    log.info("%s", assignment_errors.in_words(totals))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
