"""Smooth non-negative factorisation of the spectra: components, weights, and how it ended."""

import logging
import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from snakemake.script import Snakemake

from spectralunmix import SmoothNMF, files, fit_report
from spectralunmix.steps import check_rank, step


def main(snakemake: Snakemake, log: logging.Logger) -> None:
    torch.set_num_threads(snakemake.threads)  # one: published numbers do not depend on the machine
    inputs, output = snakemake.input, snakemake.output
    wavelength, flux = files.read_spectra(inputs.spectra)
    inverse_variance = files.read_inverse_variance(inputs.spectra)
    check_rank(snakemake.params.n_components, flux.shape)
    settings = {key: value for key, value in snakemake.params.items() if key != "code"}
    model = SmoothNMF(**settings, verbose=fit_report.lines_of_progress(flux))
    with warnings.catch_warnings():
        # the line below says it; whether to go on with such a fit is the next step's to decide
        warnings.simplefilter("ignore", ConvergenceWarning)
        weights = model.fit_transform(flux, inverse_variance=inverse_variance)
    factors = wavelength, model.components_, weights
    selection = files.read_table(inputs.selection)
    files.write_factors(output.components, output.weights, *factors, selection)
    fit = fit_report.numbers(model, flux, inverse_variance)
    files.write_json(output.fit, fit)
    log.info("%s", fit_report.how_it_ended(fit))


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
