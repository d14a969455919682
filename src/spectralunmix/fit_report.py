"""Smooth non-negative factorisation of the spectra: components, weights, and how it ended."""

import warnings

import torch
from sklearn.exceptions import ConvergenceWarning

from spectra_files import read_inverse_variance, read_spectra, write_factors, write_json
from spectralunmix import SmoothNMF
from step import step

PROGRESS = 100  # iterations between two lines of the log, in a long fit


def numbers(model, flux, inverse_variance):
    """What a reader would quote of the fit; sums are weighted where there are weights."""
    components = torch.from_numpy(model.components_)
    squares = flux**2 if inverse_variance is None else inverse_variance * flux**2
    return {
        "weighted": inverse_variance is not None,
        "smoothness": model.smoothness,
        "objective": model.objective_[-1],
        "sum_of_squared_residuals": model.reconstruction_err_**2,
        "explained_sum_of_squares": 1 - model.reconstruction_err_**2 / float(squares.sum()),
        "roughness": [float(r) for r in components.diff(dim=1).square().sum(dim=1)],
        "optimality": model.optimality_[-1],
        "tol": model.tol,
        "converged": bool(model.converged_),
        "n_iter": model.n_iter_,
        "history": {
            name: getattr(model, name + "_").tolist()
            for name in (
                "objective_iterations",
                "objective",
                "optimality_iterations",
                "optimality",
            )
        },
    }


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
