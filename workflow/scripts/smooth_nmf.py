"""Smooth non-negative factorisation of the spectra: components, weights, and how it ended."""

import warnings

import torch
from sklearn.exceptions import ConvergenceWarning

from spectralunmix import SmoothNMF
from spectralunmix.files import read_inverse_variance, read_spectra, write_factors, write_json
from spectralunmix.fit_report import PROGRESS, numbers
from spectralunmix.steps import step


def main(snakemake, log):
    torch.set_num_threads(snakemake.threads)  # one: published numbers do not depend on the machine
    wavelength, flux = read_spectra(snakemake.input.spectra)
    inverse_variance = read_inverse_variance(snakemake.input.spectra)
    settings = {key: value for key, value in snakemake.params.items() if key != "code"}
    model = SmoothNMF(**settings, verbose=PROGRESS)
    with warnings.catch_warnings():
        # the line below says it; whether to go on with such a fit is the next step's to decide
        warnings.simplefilter("ignore", ConvergenceWarning)
        weights = model.fit_transform(flux, inverse_variance=inverse_variance)
    write_factors(snakemake, wavelength, model.components_, weights)
    fit = numbers(model, flux, inverse_variance)
    write_json(snakemake.output.fit, fit)
    log.info(
        "objective %.9g, optimality %.1e (%s) after %d iterations",
        fit["objective"],
        fit["optimality"],
        "converged" if fit["converged"] else "NOT converged",
        fit["n_iter"],
    )


if __name__ == "__main__":
    with step(snakemake, __file__) as log:
        main(snakemake, log)
